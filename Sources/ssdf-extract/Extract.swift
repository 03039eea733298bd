import ArgumentParser

@main
struct Extract: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ssdf-extract")
}
