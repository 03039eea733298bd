import ArgumentParser
import SSDFCore

/// Which model a tool works with.
package struct ModelOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The model: a folder, or a name to look up (default: the built-in one).", valueName: "model"),
        completion: .directory)
    package var model: String?

    /// The defaults, before the command line is read.
    package init() {}
}

extension CommonOptions {
    /// What a tool that plans its memory may use: what was asked for, less by what a plan may be wrong; or half the
    /// machine's.
    package var memoryBudget: Int { maxMemory.map { $0.bytes / 5 * 4 } ?? physicalMemory() / 2 }
}

/// "12.3 Gflop/s" of operations done since a moment.
package func speed(_ operations: Double, since start: ContinuousClock.Instant) -> String {
    let spent = ContinuousClock.now - start
    let seconds = Double(spent.components.seconds) + Double(spent.components.attoseconds) * 1e-18
    return "\(rounded(operations / max(seconds, 1e-9) / 1e9, digits: 3)) Gflop/s"
}
