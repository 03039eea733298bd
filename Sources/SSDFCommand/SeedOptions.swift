import ArgumentParser

/// The seed of a tool that makes random choices. The one used is recorded in the output.
package struct SeedOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Seed of the random choices: a number, or random.", valueName: "seed"))
    package var seed = Seed.fixed

    /// The defaults, before the command line is read.
    package init() {}
}

/// A seed, drawn once when "random" was asked for.
package struct Seed: ExpressibleByArgument, Sendable, Equatable {
    /// What is used when nothing is said, so that equal inputs give equal outputs.
    package static var fixed: Seed { Seed(value: 0) }
    /// The number that random sources are keyed by.
    package let value: UInt64

    init(value: UInt64) { self.value = value }

    /// The seed that a person typed, drawn now for "random"; nil when it is neither that nor a number of 64 bits.
    package init?(argument: String) {
        if argument == "random" {
            value = UInt64.random(in: 0...UInt64.max)
        } else if let number = UInt64(argument) {
            value = number
        } else {
            return nil
        }
    }

    /// As the help shows it.
    package var defaultValueDescription: String { "\(value)" }
}
