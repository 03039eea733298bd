import SSDFCommand
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `ssdf NAME …` becomes the program `ssdf-NAME`: what a tool prints, how it ends and what signals do to it are its own.
@main
enum Umbrella {
    static func main() {
        do throws(Failure) {
            try run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            printError(error, tool: "ssdf")
            exit(error.cause.rawValue)
        }
    }

    private static func run(_ arguments: [String]) throws(Failure) {
        guard let first = arguments.first else {
            throw usage("missing subcommand, expected \(names(", "))")
        }
        let rest = Array(arguments.dropFirst())
        switch first {
        case "--help", "-h": try printOutput(help)
        case "--version": try printOutput("ssdf \(ssdfVersion)")
        case "--generate-completion-script": try printCompletionScript(rest)
        case "help": try showHelp(rest)
        default: try start(first, rest)
        }
    }

    private static func start(_ name: String, _ arguments: [String]) throws(Failure) {
        guard !name.hasPrefix("-") else { throw usage("unknown option '\(name)'") }
        let program = "ssdf-\(name)"
        // The importer is a part of the tools, and none itself.
        if !name.isEmpty, !name.contains("/"), name != "import", let path = ProgramSearch.standard.locate(program) {
            try become(path, [program] + arguments)
        }
        if Subcommand.all.contains(where: { $0.name == name }) {
            throw Failure(
                .unavailable, file: program, "no such program beside \(programFolder() ?? "ssdf") or on the path")
        }
        throw unknown(name)
    }

    /// The manual page where it is installed and there is a program to show it, else what `--help` says.
    private static func showHelp(_ arguments: [String]) throws(Failure) {
        guard let name = arguments.first else { return try printOutput(help) }
        guard arguments.count == 1 else { throw usage("unexpected argument '\(arguments[1])'") }
        let isSelf = name == "ssdf" || name == "help"
        guard isSelf || Subcommand.all.contains(where: { $0.name == name }) else { throw unknown(name) }
        let page = isSelf ? "ssdf.1" : "ssdf-\(name).1"
        if let folder = programFolder(), let man = ProgramSearch.standard.locate("man") {
            for suffix in ["", ".gz"] {
                let path = "\(folder)/../share/man/man1/\(page)\(suffix)"
                if access(path, R_OK) == 0 { try become(man, ["man", path]) }
            }
        }
        if isSelf { return try printOutput(help) }
        try start(name, ["--help"])
    }

    private static func printCompletionScript(_ arguments: [String]) throws(Failure) {
        guard arguments.count == 1, let shell = CompletionShell(rawValue: arguments[0]) else {
            throw usage("--generate-completion-script needs one shell, expected bash, zsh or fish")
        }
        try printOutput(shell.script)
    }

    private static func unknown(_ name: String) -> Failure {
        let candidates = Subcommand.all.map(\.name) + ["help"]
        let wish = nearestName(to: name, among: candidates) ?? "one of \(names(", "))"
        return usage("no subcommand '\(name)', expected \(wish)")
    }

    private static func usage(_ message: String) -> Failure { Failure(.usage, "\(message); see ssdf --help") }

    static func names(_ separator: String) -> String { Subcommand.all.map(\.name).joined(separator: separator) }

    private static var help: String {
        let width = (Subcommand.all.map(\.name.count).max() ?? 0) + 2
        let list = Subcommand.all.map {
            "  \($0.name)\(String(repeating: " ", count: width - $0.name.count))\($0.abstract)"
        }
        return """
            OVERVIEW: Pictures and meshes become sparse signed distance volumes, and those clean meshes.

            USAGE: ssdf <subcommand> [<argument> ...]

            SUBCOMMANDS:
            \(list.joined(separator: "\n"))
              help      Show the manual page of a subcommand.

            OPTIONS:
              --generate-completion-script <shell>
                                      Print the completions for bash, zsh or fish.
              --version               Show the version.
              -h, --help              Show help information.

            ssdf <subcommand> is the program ssdf-<subcommand>; see ssdf help <subcommand>.
            """
    }
}
