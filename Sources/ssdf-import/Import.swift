import ArgumentParser

@main
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ssdf-import")
}
