import ArgumentParser

/// The seed of a tool that makes random choices. The one used is recorded in the output.
package struct SeedOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Seed of the random choices: a number, or random.", valueName: "seed"))
    package var seed = Seed.fixed

    package init() {}
}

/// A seed, drawn once when "random" was asked for.
package struct Seed: ExpressibleByArgument, Sendable, Equatable {
    /// What is used when nothing is said, so that equal inputs give equal outputs.
    package static var fixed: Seed { Seed(value: 0) }
    package let value: UInt64

    init(value: UInt64) { self.value = value }

    package init?(argument: String) {
        if argument == "random" {
            value = UInt64.random(in: 0...UInt64.max)
        } else if let number = UInt64(argument) {
            value = number
        } else {
            return nil
        }
    }

    package var defaultValueDescription: String { "\(value)" }
}
