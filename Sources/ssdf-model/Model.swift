import ArgumentParser
import SSDFCommand
import SSDFCore

@main
struct Model: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-model", abstract: "Import released weights into a model folder, and tell what is in one.",
        version: ssdfVersion, subcommands: [Import.self, Info.self])
}
