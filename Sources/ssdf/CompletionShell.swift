/// The shells that completions are printed for. Below a subcommand each hands over to the completions of its program.
enum CompletionShell: String {
    case bash, zsh, fish

    var script: String {
        switch self {
        case .bash: Self.bashScript
        case .zsh: Self.zshScript
        case .fish: Self.fishScript
        }
    }

    private static var bashScript: String {
        """
        #!/bin/bash

        _ssdf() {
            local subcommands='\(Umbrella.names(" ")) help' name=${COMP_WORDS[1]} tool
            COMPREPLY=()
            if ((COMP_CWORD == 1)); then
                COMPREPLY=($(compgen -W "$subcommands --help --version --generate-completion-script" -- "$2"))
                return
            fi
            case $name in
            help) ((COMP_CWORD > 2)) || COMPREPLY=($(compgen -W "$subcommands" -- "$2")) ;;
            --generate-completion-script) COMPREPLY=($(compgen -W 'bash zsh fish' -- "$2")) ;;
            [a-z]*)
                tool=ssdf-$name
                if ! declare -F "_$tool" >/dev/null; then
                    # shellcheck disable=SC1090
                    source <("$tool" --generate-completion-script bash 2>/dev/null)
                fi
                declare -F "_$tool" >/dev/null || return
                local rest=${COMP_LINE#*"$name"}
                COMP_POINT=$((COMP_POINT - ${#COMP_LINE} + ${#tool} + ${#rest}))
                COMP_LINE=$tool$rest
                COMP_WORDS=("$tool" "${COMP_WORDS[@]:2}")
                COMP_CWORD=$((COMP_CWORD - 1))
                "_$tool" "$tool" "$2" "${COMP_WORDS[COMP_CWORD - 1]}"
                ;;
            esac
        }

        complete -o filenames -F _ssdf ssdf
        """
    }

    private static var zshScript: String {
        let list = Subcommand.all.map { "        '\($0.name):\($0.abstract)'" }.joined(separator: "\n")
        return """
            #compdef ssdf

            _ssdf() {
                local -a subcommands=(
            \(list)
                    'help:Show the manual page of a subcommand.'
                )
                if ((CURRENT == 2)); then
                    _describe subcommand subcommands
                    return
                fi
                case ${words[2]} in
                help) ((CURRENT > 3)) || _describe subcommand subcommands ;;
                --generate-completion-script) _values shell bash zsh fish ;;
                *)
                    shift words
                    ((CURRENT--))
                    words[1]=ssdf-${words[1]}
                    _normal -p ssdf
                    ;;
                esac
            }

            if [[ "${funcstack[1]}" = _ssdf ]]; then
                _ssdf "${@}"
            else
                compdef _ssdf ssdf
            fi
            """
    }

    private static var fishScript: String {
        let list = Subcommand.all.map {
            "complete -c ssdf -n __fish_use_subcommand -f -a \($0.name) -d '\($0.abstract)'"
        }.joined(separator: "\n")
        return """
            function __ssdf_delegate
                set -l words (commandline -opc)
                complete -C (string join ' ' -- ssdf-$words[2] (string escape -- $words[3..]) (commandline -ct))
            end

            complete -c ssdf -f
            \(list)
            complete -c ssdf -n __fish_use_subcommand -f -a help -d 'Show the manual page of a subcommand.'
            complete -c ssdf -n __fish_use_subcommand -l version -d 'Show the version.'
            complete -c ssdf -n __fish_use_subcommand -s h -l help -d 'Show help information.'
            complete -c ssdf -n '__fish_seen_subcommand_from help' -f -a '\(Umbrella.names(" "))'
            complete -c ssdf -n 'not __fish_use_subcommand; and not __fish_seen_subcommand_from help' -a '(__ssdf_delegate)'
            """
    }
}
