import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFTensor

@main
struct Model: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-model", abstract: "Import released weights into a model folder, and tell what is in one.",
        version: ssdfVersion, subcommands: [Import.self, Info.self])

    static var libraries: [String] { ["matrix products: \(MatrixProduct.shared.description)"] }

    func run() throws { throw ValidationError("missing command, expected import or info") }
}
