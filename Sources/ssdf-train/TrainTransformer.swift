import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFTensor
import SSDFTraining

/// Trains a stage of image-conditioned generation.
struct TrainTransformer: ParsableCommand {
    enum Stage: String, CaseIterable, ExpressibleByArgument {
        case dense, sparse
    }

    static let configuration = CommandConfiguration(
        commandName: "dit", abstract: "Train a diffusion transformer on pictures of shapes.",
        discussion: """
            The dense stage learns which cells hold the surface, or the latents of dense_vae where the configuration has \
            one, and the image encoder with it; the sparse stage learns the latents of the sparse auto-encoder that the \
            model folder holds. Parts are trained one after the other into one folder: vae, structure where there is a \
            dense_vae, dit --stage dense, dit --stage sparse.
            """)

    @Option(help: ArgumentHelp("What to train: dense or sparse.", valueName: "stage"))
    var stage: Stage

    @Option(
        help: ArgumentHelp("Keep the pictures in a file, and latents beside it, for the next run.", valueName: "file"),
        completion: .file())
    var cache: String?

    @Option(
        help: ArgumentHelp("Let a device do the work, by this plug-in.", valueName: "library"), completion: .file())
    var device: String?

    @OptionGroup var training: TrainingRun

    func run() throws {
        try training.train { file, setup in
            let plugin = try device.map { path throws(Failure) in try DevicePlugin(path: path) }
            if let plugin { setup.note("\(plugin.name), \(byteText(plugin.memory)) free") }
            return switch stage {
            case .dense:
                try DenseTransformerTrainer(
                    file, folder: training.output, data: setup.data, cache: cache, threads: setup.threads,
                    reduction: setup.reduction,
                    memory: setup.memory, device: plugin)
            case .sparse:
                try SparseTransformerTrainer(
                    file, folder: training.output, data: setup.data, cache: cache, threads: setup.threads,
                    reduction: setup.reduction, memory: setup.memory, device: plugin)
            }
        }
    }
}
