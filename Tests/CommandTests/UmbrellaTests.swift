import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `ssdf NAME …`, which becomes the program `ssdf-NAME`.
@Suite struct UmbrellaTests {
    private static let tools = [
        "voxelize", "extract", "remesh", "inspect", "convert", "encode", "decode", "diffuse", "generate", "model",
        "train",
    ]

    @Test func isTheProgram() {
        let shell = Shell.withBall()
        let result = shell.run(
            """
            set -e -o pipefail
            ssdf voxelize ball.obj --resolution 32 | ssdf extract - -o a.ply
            ssdf-voxelize ball.obj --resolution 32 | ssdf-extract - -o b.ply
            cmp a.ply b.ply
            """)
        #expect(result.status == 0 && result.err.isEmpty, "\(result)")
        // Its errors and exit statuses, and its name in them.
        let missing = shell.run("ssdf extract none.ssdf -o c.ply")
        #expect(missing.status == 66 && missing.err.hasPrefix("ssdf-extract: none.ssdf: "), "\(missing)")
        #expect(shell.run("ssdf voxelize --bogus").status == 64)
        #expect(shell.run("ssdf inspect --strict --version").text.hasPrefix("ssdf-inspect "))
        // Arguments arrive as they were typed.
        shell.run("cp ball.obj ' -odd \"name.obj'")
        #expect(shell.run("ssdf inspect ' -odd \"name.obj'").status == 0)
    }

    /// A signal reaches the tool, which is this very process.
    @Test func diesOfSignalsAsTheToolDoes() {
        let shell = Shell()
        shell.run("mkfifo pipe")
        let child = shell.start("exec ssdf voxelize - -o a.ssdf <> pipe", err: "\(shell.folder)/err")
        #expect(shell.waits(for: ".partial"))
        kill(child, SIGTERM)
        #expect(Shell.wait(child) == 143)
        #expect(!shell.names.contains { $0.contains("ssdf") }, "\(shell.names)")
    }

    @Test(arguments: [
        ("ssdf voxelise", "no subcommand 'voxelise', expected voxelize"),
        ("ssdf vox a.obj", "no subcommand 'vox', expected voxelize"),
        ("ssdf exrtact", "no subcommand 'exrtact', expected extract"),
        ("ssdf hlep", "no subcommand 'hlep', expected help"),
        ("ssdf import a.fbx", "no subcommand 'import', expected "),
        ("ssdf ''", "no subcommand '', expected one of voxelize, "),
        ("ssdf ../ssdf-extract", "no subcommand '../ssdf-extract', expected one of "),
        ("ssdf --bogus", "unknown option '--bogus'"),
        ("ssdf", "missing subcommand, expected voxelize, extract, "),
        ("ssdf help bogus-thing", "no subcommand 'bogus-thing', expected one of "),
        ("ssdf help extract more", "unexpected argument 'more'"),
        ("ssdf --generate-completion-script ksh", "--generate-completion-script needs one shell, expected bash, "),
    ])
    func refuses(command: String, message: String) {
        let result = Shell().run(command)
        #expect(result.status == 64 && result.out.isEmpty)
        #expect(result.err.hasPrefix("ssdf: \(message)"), "\(result)")
        #expect(result.err.hasSuffix("; see ssdf --help\n") && result.err.split(separator: "\n").count == 1)
    }

    /// The list has the tools' own words, and nothing but tools.
    @Test func listsTheTools() {
        let shell = Shell()
        let help = shell.run("ssdf --help").text
        #expect(shell.run("ssdf help").text == help && shell.run("ssdf -h").text == help)
        for tool in Self.tools {
            let overview = shell.run("ssdf-\(tool) --help").text.prefix { $0 != "\n" }.dropFirst("OVERVIEW: ".count)
            #expect(!overview.isEmpty && help.contains("  \(tool) ") && help.contains(overview), "\(tool): \(overview)")
            #expect(shell.run("ssdf help \(tool)").text.contains("USAGE: ssdf-\(tool) "))
        }
        #expect(
            shell.run("ssdf --version").text
                == shell.run("ssdf-voxelize --version").text.replacing("-voxelize", with: ""))
    }

    /// From an installed copy: the tools beside it or in libexec, pages shown by man, a tool that is not there.
    @Test func findsWhatIsInstalledBesideIt() {
        let shell = Shell()
        let result = shell.run(
            """
            mkdir -p root/bin root/libexec/ssdf root/share/man/man1 other
            cp "$(command -v ssdf)" root/bin
            printf '#!/bin/sh\\necho libexec "$@"\\n' > root/libexec/ssdf/ssdf-extract
            printf '#!/bin/sh\\necho extra "$@"\\n' > other/ssdf-extra
            printf '#!/bin/sh\\necho page "${1##*/}"\\n' > other/man
            chmod +x root/libexec/ssdf/ssdf-extract other/*
            echo > root/share/man/man1/ssdf-extract.1.gz
            PATH=$PWD/other:/usr/bin:/bin
            root/bin/ssdf extract 'a b' ; root/bin/ssdf extra 1; root/bin/ssdf help extract
            root/bin/ssdf voxelize; echo $?
            """)
        #expect(result.text == "libexec a b\nextra 1\npage ssdf-extract.1.gz\n69\n", "\(result)")
        #expect(result.err.hasPrefix("ssdf: ssdf-voxelize: no such program beside "), "\(result)")
    }

    @Test func completesInBash() {
        let shell = Shell()
        func complete(_ line: String) -> String {
            shell.run(
                """
                source <(ssdf --generate-completion-script bash)
                COMP_LINE='\(line)'; COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<< "$COMP_LINE"
                [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _ssdf ssdf "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                echo "${COMPREPLY[@]}"
                """
            ).text
        }
        #expect(complete("ssdf vo") == "voxelize\n")
        #expect(complete("ssdf help e") == "extract encode\n")
        #expect(complete("ssdf voxelize --reso") == "--resolution\n")
        #expect(complete("ssdf voxelize a.obj --sign w") == "winding\n")
        #expect(complete("ssdf bogus --a") == "\n")
    }

    @Test func completesInFish() {
        let shell = Shell()
        guard shell.run("command -v fish").status == 0 else { return note("fish") }
        func complete(_ line: String) -> String {
            shell.run(
                """
                fish --private -c '
                for tool in ssdf ssdf-voxelize; $tool --generate-completion-script fish | source; end
                complete -C "\(line)"'
                """
            ).text
        }
        #expect(complete("ssdf vo") == "voxelize\tTurn a mesh into a sparse signed distance volume.\n")
        #expect(complete("ssdf help conv") == "convert\n")
        #expect(complete("ssdf voxelize --reso").hasPrefix("--resolution\t"))
        // Some releases of fish add the option's description.
        #expect(complete("ssdf voxelize a.obj --sign w").hasPrefix("winding"))
    }

    /// Zsh completes only at a terminal; one is made for it.
    @Test func completesInZsh() {
        let shell = Shell()
        guard shell.run("command -v zsh").status == 0 else { return note("zsh") }
        shell.write(
            "session.zsh",
            #"""
            zmodload zsh/zpty
            zpty shell zsh -f
            zpty -w shell "PS1= TERM=dumb; fpath=($PWD/functions \$fpath); autoload -Uz compinit; compinit -u -D"
            zpty -w shell "exec 3>$PWD/found; compadd() { builtin compadd -O found \"\$@\";
                print -r -- \"\${found[*]}\" >&3; builtin compadd \"\$@\" }; echo rea''dy"
            zpty -r shell line '*ready*'
            zpty -w -n shell $'ssdf voxelize --reso\t'
            sleep 1
            zpty -d shell
            """#)
        shell.run(
            """
            mkdir functions; for tool in ssdf ssdf-voxelize; do
                $tool --generate-completion-script zsh > functions/_$tool; zsh -n functions/_$tool
            done
            timeout 20 zsh -f session.zsh
            """)
        #expect(String(decoding: shell.read("found"), as: UTF8.self).contains("--resolution"))
    }

    private func note(_ shell: String) {
        let text = "note: there is no \(shell); its completions are not tested\n"
        _ = text.withCString { write(2, $0, strlen($0)) }
    }
}
