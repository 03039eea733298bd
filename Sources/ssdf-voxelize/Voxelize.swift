import ArgumentParser
import SSDFCommand
import SSDFCore

@main
struct Voxelize: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-voxelize", abstract: "Voxelize the surface of a sparse signed distance volume as a mesh.",
        version: ssdfVersion)

    @OptionGroup var common: CommonOptions
}
