import ArgumentParser

@main
struct Voxelize: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ssdf-voxelize")
}
