import ArgumentParser
import SSDFCore

/// How progress is told on standard error.
package enum ProgressStyle: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// A bar when standard error is a terminal, nothing otherwise.
    case auto
    case bar
    /// One JSON object a line.
    case json
    case none
}

/// What every tool takes.
package struct CommonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Threads to work on, 1 to 1024 (default: the processors there are). The output does not depend on it.",
            valueName: "count"))
    package var threads: ThreadCount?

    @Option(
        name: .customLong("max-memory"),
        help: ArgumentHelp("Fail rather than use more memory than this: 900M, 4G, …", valueName: "size"))
    package var maxMemory: ByteSize?

    @Option(help: ArgumentHelp("How to show progress on standard error.", valueName: "style"))
    package var progress: ProgressStyle = .auto

    @Flag(name: [.short, .long], help: "Print errors only.")
    package var quiet = false

    @Flag(name: [.short, .long], help: "Print what is done, and how long it took; with --version, what it runs on.")
    package var verbose = false

    /// The defaults, before the command line is read.
    package init() {}

    /// - Throws: `ValidationError` for options that exclude each other.
    package func validate() throws {
        if quiet, verbose { throw ValidationError("-q and -v exclude each other") }
    }

    /// Applies the limits and starts reporting. Call once, first.
    package func session(tool: String) throws(Failure) -> Session {
        let threads = threads?.count ?? min(availableProcessors(), ThreadCount.maximum)
        if let maxMemory {
            startWorkers(threads)
            try limitMemory(to: maxMemory.bytes)
        }
        return Session(
            tool: tool, threads: threads,
            progress: quiet && progress == .auto ? .none : progress, isQuiet: quiet, isVerbose: verbose,
            maxMemory: maxMemory?.bytes)
    }
}

/// A number of threads.
package struct ThreadCount: ExpressibleByArgument, Sendable, Equatable {
    /// The most threads that may be asked for.
    package static var maximum: Int { 1024 }
    /// The number, 1 to `maximum`.
    package let count: Int

    /// The number that a person typed; nil when it is none or out of range.
    package init?(argument: String) {
        guard let count = Int(argument), (1...Self.maximum).contains(count) else { return nil }
        self.count = count
    }

    /// As the help shows it.
    package var defaultValueDescription: String { "\(count)" }
}
