import ArgumentParser
import SSDFCommand
import SSDFTraining

/// Trains the sparse SDF auto-encoder.
struct TrainVAE: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vae", abstract: "Train the sparse auto-encoder of signed distances.",
        discussion: """
            The model folder gets config.yaml, the averaged weights, SHA256SUMS, and a folder training with a log of
            every step and the checkpoint that --resume goes on from, to the same bytes.
            """)

    @OptionGroup var training: TrainingRun

    func run() throws {
        try training.train { file, setup in
            try AutoencoderTrainer(
                file, threads: setup.threads, source: setup.data, reduction: setup.reduction, memory: setup.memory)
        }
    }
}
