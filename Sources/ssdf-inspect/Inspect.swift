import ArgumentParser
import SSDFCommand
import SSDFCore

@main
struct Inspect: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-inspect", abstract: "Inspect the surface of a sparse signed distance volume as a mesh.",
        version: ssdfVersion)

    @OptionGroup var common: CommonOptions
}
