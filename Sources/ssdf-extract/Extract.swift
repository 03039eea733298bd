import ArgumentParser
import SSDFCommand
import SSDFCore

@main
struct Extract: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-extract", abstract: "Extract the surface of a sparse signed distance volume as a mesh.",
        version: ssdfVersion)

    @OptionGroup var common: CommonOptions
}
