import ArgumentParser
import CSSDFAllocation
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// One program of ssdf: parses its command line, checks all of it, calls the engine, reports.
///
/// A tool declares its options and implements `run()`; everything a shell sees besides the data comes from here: one
/// line for an error, `sysexits(3)` codes, no temporaries left behind by a signal.
package protocol Tool: ParsableCommand {
    /// The libraries behind this tool, with their versions, for `--version -v`.
    static var libraries: [String] { get }
    /// Whether another process of the same run says what there is to say.
    static var isSilent: Bool { get }
}

extension Tool {
    /// None beside those of every tool.
    package static var libraries: [String] { [] }
    /// No other process speaks for a tool.
    package static var isSilent: Bool { false }

    /// The program's name, as messages start with it.
    package static var toolName: String { configuration.commandName ?? "ssdf" }

    /// Runs the program and ends the process.
    package static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        watchSignals(tool: toolName)
        ssdf_end_at_failed_allocations()
        if let text = versionText(for: arguments) { leave(printing: text) }
        do {
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch {
            end(with: error)
        }
    }

    /// What `--version` prints, or nil when it was not asked for; with `-v`, also what the program runs on.
    private static func versionText(for arguments: [String]) -> String? {
        let options = arguments.prefix { $0 != "--" }
        guard options.contains("--version") else { return nil }
        var lines = ["\(toolName) \(ssdfVersion)"]
        if options.contains("-v") || options.contains("--verbose") {
            lines.append("instruction set: \(instructionSet)")
            lines.append("processors: \(availableProcessors())")
            lines += libraries
        }
        return lines.joined(separator: "\n")
    }

    private static func end(with error: any Error) -> Never {
        if let failure = error as? Failure { end(with: failure) }
        let code = exitCode(for: error)
        if code == .success { leave(printing: fullMessage(for: error)) }
        if let code = error as? ExitCode { endProcess(code.rawValue) }
        let line = message(for: error).split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: " ")
        // Our own messages start in lower case.
        let text = line.prefix(1).lowercased() + line.dropFirst()
        end(with: Failure(.usage, "\(text.isEmpty ? "\(error)" : text); see \(toolName) --help"))
    }

    private static func end(with failure: Failure) -> Never {
        if isSilent {
            // mpirun ends all processes when one ends: the one that speaks goes first.
            usleep(500_000)
        } else {
            printError(failure, tool: toolName)
        }
        endProcess(failure.cause.rawValue)
    }

    /// Prints to standard output and ends the process; help that could not be written is an error like any other.
    private static func leave(printing text: String) -> Never {
        do throws(Failure) {
            try printOutput(text)
        } catch {
            end(with: error)
        }
        endProcess(0)
    }
}

/// `exit(3)` by a name that `ParsableArguments.exit` does not hide.
private func endProcess(_ status: Int32) -> Never { exit(status) }

/// Prints one line about a failure on standard error: `tool: file: place: message`.
package func printError(_ failure: Failure, tool: String) { printLine("\(tool): \(failure)") }

/// Prints a line on standard error, whole.
func printLine(_ line: String) {
    var text = line
    text.append("\n")
    text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
}

/// Prints text and a line feed on standard output.
/// - Throws: `inputOutput` when it cannot be written.
package func printOutput(_ text: String) throws(Failure) {
    var text = text
    text.append("\n")
    let result: Result<Void, Failure> = text.withUTF8 { bytes in
        do throws(Failure) {
            try writeAll(UnsafeRawBufferPointer(bytes), to: 1, name: "standard output")
            return .success(())
        } catch {
            return .failure(error)
        }
    }
    try result.get()
}
