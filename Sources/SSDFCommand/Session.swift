import SSDFCore

/// One run of a tool: how many threads it has and how it speaks to the person on standard error.
package struct Session: Sendable {
    /// The tool's name, with which messages start.
    package let tool: String
    /// The threads to work on.
    package let threads: Int
    /// Whether errors alone are printed.
    package let isQuiet: Bool
    /// Whether what is done is told, too.
    package let isVerbose: Bool
    /// What `--max-memory` allows, in bytes.
    package let maxMemory: Int?
    private let reporter: ProgressReporter
    private let clock = ContinuousClock()

    init(
        tool: String, threads: Int, progress: ProgressStyle, isQuiet: Bool, isVerbose: Bool, maxMemory: Int?
    ) {
        self.tool = tool
        self.threads = threads
        self.isQuiet = isQuiet
        self.isVerbose = isVerbose
        self.maxMemory = maxMemory
        reporter = ProgressReporter(style: progress)
    }

    /// A handler that shows how far `stage` has come.
    package func progress(_ stage: String) -> ProgressHandler {
        let reporter = reporter
        reporter.begin(stage)
        return { done, total in reporter.update(done: done, total: total) }
    }

    /// Runs one stage; with `-v`, says how long it took and what `outcome` makes of its result.
    /// - Parameter file: the file that a failure without one is about.
    /// - Throws: what `body` throws.
    package func stage<Result: ~Copyable>(
        _ name: String, file: String = "", _ body: () throws -> Result,
        outcome: (borrowing Result) -> String = { _ in "" }
    ) throws -> Result {
        let start = clock.now
        let result: Result
        do {
            result = try body()
        } catch let failure as Failure {
            reporter.finish()
            throw failure.inFile(file == "-" ? "standard input" : file)
        }
        reporter.finish()
        if isVerbose {
            let text = outcome(result)
            note("\(name): \(seconds(clock.now - start)) s" + (text.isEmpty ? "" : ", \(text)"))
        }
        return result
    }

    /// Says, with `-v`, how much memory the work that follows is expected to take.
    /// - Parameter work: what it is about: "voxelizing".
    /// - Throws: `unavailable` when `--max-memory` is less, by more than an estimate can be wrong.
    package func foresee(_ work: String, _ estimate: MemoryEstimate, file: String = "") throws(Failure) {
        note("\(work): about \(byteText(estimate.peak)) of memory")
        guard let maxMemory, estimate.bytes / 4 * 3 > maxMemory else { return }
        throw Failure(
            .unavailable, file: file == "-" ? "standard input" : file,
            "\(work) needs about \(byteText(estimate.bytes)) of memory, expected at most \(byteText(maxMemory))")
    }

    /// Says, with `-v`, how much memory the run has taken.
    package func notePeak() { note("peak memory \(byteText(peakMemory()))") }

    /// Prints a line, unless the person wants errors only.
    package func warn(_ message: String) {
        guard !isQuiet else { return }
        reporter.finish()
        printError(Failure(.internal, message), tool: tool)
    }

    /// Prints a line when the person wants to know more.
    package func note(_ message: String) {
        guard isVerbose else { return }
        reporter.finish()
        printError(Failure(.internal, message), tool: tool)
    }
}

/// A duration in seconds with three decimals.
func seconds(_ duration: Duration) -> String {
    let (whole, part) = duration.components
    let thousandths = (part / 1_000_000_000_000_000 + 1000) % 1000
    return "\(whole)." + String(String(thousandths + 1000).dropFirst())
}
