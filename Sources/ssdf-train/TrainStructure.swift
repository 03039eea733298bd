import ArgumentParser
import SSDFCommand
import SSDFTraining

/// Trains the dense structure auto-encoder.
struct TrainStructure: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "structure", abstract: "Train the dense auto-encoder of occupied cells.",
        discussion: """
            For a dense stage that predicts latents. One that predicts the cells themselves, as the small model's does, \
            needs none. The scale of the latents is measured at the end and written to config.yaml.
            """)

    @OptionGroup var training: TrainingRun

    func run() throws {
        try training.train { file, setup in
            try StructureTrainer(
                file, threads: setup.threads, source: setup.data, reduction: setup.reduction, memory: setup.memory)
        }
    }
}
