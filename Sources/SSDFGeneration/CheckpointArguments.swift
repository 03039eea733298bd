import ArgumentParser

/// Whether a run keeps its state, and goes on from one.
package struct CheckpointArguments: ParsableArguments {
    @Option(
        name: .customLong("checkpoint"),
        help: ArgumentHelp("Keep the state after every step in this file.", valueName: "file"), completion: .file())
    package var file: String?

    @Flag(help: "Go on from the checkpoint, when there is one.")
    package var resume = false

    /// The defaults, before the command line is read.
    package init() {}

    /// - Throws: `ValidationError` when it makes no sense.
    package func check(inputs: [String]) throws {
        if resume, file == nil { throw ValidationError("--resume needs --checkpoint") }
        if inputs.count > 1, file != nil { throw ValidationError("--checkpoint takes one picture") }
    }
}
