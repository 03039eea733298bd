import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFTraining

@main
struct Train: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-train", abstract: "Train models, and measure them.", version: ssdfVersion,
        subcommands: [
            TrainPrepare.self, TrainVAE.self, TrainStructure.self, TrainTransformer.self, TrainEvaluate.self,
            TrainPlot.self, TrainShapes.self, TrainDeviceCheck.self,
        ])

    /// Of the processes that `mpirun` started, the first speaks for all.
    static var isSilent: Bool { startedProcesses().rank > 0 }

    func run() throws {
        let names = Self.configuration.subcommands.compactMap { $0.configuration.commandName }
        throw ValidationError("missing command, expected \(names.joined(separator: ", "))")
    }
}
