import ArgumentParser
import SSDFCommand
import SSDFCore

@main
struct Train: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-train", abstract: "Train models, and measure them.", version: ssdfVersion,
        subcommands: [TrainVAE.self, TrainTransformer.self, TrainDeviceCheck.self, TrainEvaluate.self, TrainShapes.self])
}
