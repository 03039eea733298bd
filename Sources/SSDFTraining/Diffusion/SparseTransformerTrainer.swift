import SSDFCore
import SSDFNeural
import SSDFTensor

/// The networks of a sparse stage that learn.
package struct SparseStageNetwork: Sendable {
    /// Nil when the image encoder is frozen.
    package let encoder: ImageEncoder?
    /// From noise, cells and picture tokens to the velocity towards the latents.
    package let transformer: SparseDiffusionTransformer

    /// - Parameter encoder: nil when the image encoder is frozen.
    /// - Throws: what the source throws.
    package init(
        _ source: ParameterSource, encoder: DinoEncoderConfig?, transformer: SparseDiTConfig
    ) throws(Failure) {
        self.encoder =
            if let encoder { try ImageEncoder(source.scoped("encoder"), encoder) } else { nil }
        self.transformer = try SparseDiffusionTransformer(source.scoped("transformer"), .init(transformer))
    }
}

/// Trains a sparse stage, from a picture and the cells that hold the surface to the latents in them, on the true cells
/// and the latents of the model folder's sparse auto-encoder.
package final class SparseTransformerTrainer: Trainer {
    /// How it is trained.
    package let config: DiffusionTrainingConfig
    /// What the next step depends on besides the configuration.
    package let state: TrainingState
    /// Sizes of the transformer.
    package let transformer: SparseDiTConfig
    /// What the pictures and cells are made from.
    package let recipe: PictureSet.Recipe
    private let encoderConfig: DinoEncoderConfig
    private let frozen: ImageEncoder?
    private let autoencoder: (name: String, node: ConfigNode, config: SparseSDFVAEConfig, network: AutoencoderNetwork)
    private let parts: [TrainedComponent]
    private let gradients: BatchGradients<SparseStageNetwork>
    private let order: SampleOrder
    private let cachePath: String?
    private let data: PreparedData?
    private var pictures: PictureSet?
    private var latents: LatentSet?

    /// The name of the log and the checkpoint.
    package var name: String { "sparse_dit" }
    /// Steps of the whole run.
    package var steps: Int { config.optimization.steps }

    /// The section's defaults.
    package static var defaults: DiffusionTrainingConfig {
        var config = DiffusionTrainingConfig()
        config.optimization.batch = 64
        config.auxiliary = 0
        config.encoder = .frozen
        config.shapes = 12_000
        return config
    }

    /// - Parameters:
    ///   - folder: the model folder with the trained auto-encoder, and the image encoder when that is frozen.
    ///   - data: what to train on; nil for procedural shapes.
    ///   - cache: a file that keeps the pictures from one run to the next.
    /// - Throws: `badData` when the configuration lacks a part, or its parts do not fit together; `unavailable` when the
    ///   folder lacks one, or memory does not suffice.
    package init(
        _ file: TrainingFile, folder: String, data: PreparedData? = nil, cache: String? = nil, threads: Int,
        reduction: any GradientReduction = SingleProcess(), memory: MemoryAdmission = .none
    ) throws(Failure) {
        var section = try file.section("sparse_dit")
        let config = try DiffusionTrainingConfig(&section, defaults: Self.defaults)
        let transformer = try file.component("SparseDiT") {
            if case .sparseDiT(let config) = $0 { config } else { nil }
        }
        let encoder = try file.component("DinoEncoder") {
            if case .imageEncoder(let config) = $0 { config } else { nil }
        }
        let autoencoder = try file.component("SparseSDFVAE") {
            if case .sparseVAE(let config) = $0 { config } else { nil }
        }
        self.config = config
        self.transformer = transformer.config
        guard transformer.config.condChannels == encoder.config.embedDim, !transformer.config.sparseConditions else {
            throw .badData(
                place: "\(transformer.name).params.cond_channels", "\(transformer.config.condChannels)",
                expected: "\(encoder.config.embedDim), the image encoder's width, and no sparse_conditions")
        }
        guard transformer.config.inChannels == autoencoder.config.embedDim,
            transformer.config.outChannels == autoencoder.config.embedDim,
            transformer.config.resolution == autoencoder.config.resolution
        else {
            throw .badData(
                place: "\(transformer.name).params",
                "\(transformer.config.inChannels) channels at \(transformer.config.resolution)",
                expected:
                    "\(autoencoder.config.embedDim) at \(autoencoder.config.resolution), those of \(autoencoder.name)")
        }
        guard config.auxiliary == 0, config.group == 1 else {
            throw .badData(
                place: "training.sparse_dit", "an auxiliary loss or a group of several samples",
                expected: "neither, in the sparse stage")
        }
        let model = try ModelDirectory(path: folder)
        guard case .sparseVAE(let trained) = model.config[autoencoder.name] else {
            throw Failure(.unavailable, file: folder, "holds no \(autoencoder.name); train it first: ssdf-train vae")
        }
        self.autoencoder = (
            autoencoder.name, file.components[autoencoder.name]!, trained,
            try AutoencoderNetwork(trained, ParameterSource(try model.open(autoencoder.name)))
        )
        encoderConfig = encoder.config
        if config.encoder == .frozen {
            guard case .imageEncoder(let trained) = model.config[encoder.name] else {
                throw Failure(
                    .unavailable, file: folder,
                    "holds no \(encoder.name); train it first: ssdf-train dit --stage dense")
            }
            guard trained == encoder.config else {
                throw .badData(
                    file: folder, place: encoder.name, "another size", expected: "the one of the configuration given")
            }
            frozen = try ImageEncoder(ParameterSource(try model.open(encoder.name)), trained)
        } else {
            frozen = nil
        }
        recipe = try config.recipe(
            data: data, side: encoder.config.size, resolution: 8 * transformer.config.resolution)
        self.data = data
        cachePath = cache
        order = SampleOrder(count: recipe.shapes * recipe.views, seed: UInt64(config.optimization.seed))
        let joint = config.encoder == .joint ? encoder.config : nil
        let scheduler = transformer.name.replacing("dit", with: "scheduler")
        let jointName = "sparse_image_encoder"
        parts =
            [
                TrainedComponent(
                    name: transformer.name, node: file.components[transformer.name]!, prefix: "transformer.")
            ]
            + (joint == nil
                ? []
                : [TrainedComponent(name: jointName, node: file.components[encoder.name]!, prefix: "encoder.")])
            + (file.components[scheduler].map { [TrainedComponent(name: scheduler, node: $0, prefix: nil)] } ?? [])
        try memory.admit(
            Self.estimatedBytes(
                config, encoder: joint, transformer: transformer.config, channels: autoencoder.config.embedDim, recipe,
                threads: threads))
        gradients = try BatchGradients(
            groups: config.groups, accumulation: config.optimization.accumulation, threads: threads,
            reduction: reduction, source: .diffusion(seed: UInt64(config.optimization.seed) &+ 1)
        ) { source throws(Failure) in
            try SparseStageNetwork(source, encoder: joint, transformer: transformer.config)
        }
        gradients.recomputesSegments = config.optimization.checkpointing
        // What is frozen counts as data: the run goes on only with the same.
        var identity = data?.identity ?? ""
        for component in [autoencoder.name] + (config.encoder == .frozen ? [encoder.name] : []) {
            guard let weights = model.weightsPath(of: component) else { continue }
            identity += try FileBytes(path: weights).withBytes { bytes throws(Failure) in contentHash(bytes) }
        }
        state = TrainingState(
            gradients, config.optimization, fingerprint: file.fingerprint(of: "sparse_dit", data: identity))
    }

    /// The transformer, and the auto-encoder's section with its latents' measured scale.
    package var components: [TrainedComponent] {
        guard let latents, let params = autoencoder.node["params"] else { return parts }
        func number(_ value: Double) -> ConfigNode { ConfigNode(value: .double(value), line: 0) }
        let scaled = params.setting("latents_scale", to: number(1 / latents.deviation))
            .setting("latents_shift", to: number(latents.mean))
        return parts + [
            TrainedComponent(
                name: autoencoder.name, node: autoencoder.node.setting("params", to: scaled), prefix: nil)
        ]
    }

    /// Makes the pictures and the latents, or finds the pictures in a file that an earlier run left.
    /// - Throws: `badData` when prepared data does not fit; `inputOutput` when that file cannot be written.
    package func prepare(progress: ProgressHandler) throws {
        let total = 2 * recipe.shapes
        pictures = try PictureSet.prepared(recipe, data: data, cache: cachePath, threads: gradients.threads) {
            done, _ in
            progress(done, total)
        }
        let (first, resolution, data) = (recipe.shapes, recipe.resolution, data)
        let shapes = ProceduralShapes(seed: recipe.seed)
        latents = try LatentSet(
            count: recipe.shapes, network: autoencoder.network, channels: autoencoder.config.embedDim,
            threads: gradients.threads
        ) { index in
            try data?.band(ofSample: index, resolution: resolution)
                ?? shapes.band(index, resolution: resolution, isRotated: false)
        } progress: { done, _ in
            progress(first + done, total)
        }
    }

    /// Whether the pictures go into a file.
    package var keepsPreparation: Bool { cachePath != nil }

    private static func estimatedBytes(
        _ config: DiffusionTrainingConfig, encoder: DinoEncoderConfig?, transformer: SparseDiTConfig, channels: Int,
        _ recipe: PictureSet.Recipe, threads: Int
    ) -> Int {
        let cells = Double(transformer.resolution * transformer.resolution) / 256
        // Shapes have up to 1,800 tokens on 16³ cells, and a tape keeps about forty rows a token and block.
        let sample = Int(1800 * cells) * transformer.numBlocks * transformer.modelChannels * 40 * 4
        let latents = recipe.shapes * Int(800 * cells) * (4 * channels + 4)
        let parameters =
            (encoder.map { ComponentConfig.imageEncoder($0).parameterCount } ?? 0)
            + ComponentConfig.sparseDiT(transformer).parameterCount
        return recipe.bytes + 2 * latents
            + trainingBytes(parameters: parameters, groups: config.groups, tape: Double(sample), threads: threads)
    }

    /// Takes the next step.
    package func advance() throws -> StepRecord {
        guard let pictures, let latents else { preconditionFailure("prepare() comes before the first step") }
        let step = state.step
        var told: [[Double]] = []
        let (config, order, frozen, side) = (config, order, frozen, encoderConfig.size)
        for microBatch in gradients.microBatches {
            let first = step * config.optimization.samples + microBatch * config.optimization.batch
            let sizes = (0..<config.optimization.batch).map {
                latents.tokens(order.sample(first + $0) / config.views)
            }
            let longestFirst = sizes.indices.sorted { (sizes[$0], $1) > (sizes[$1], $0) }
            told += try gradients.add(microBatch: microBatch, order: longestFirst) { index, network, compute in
                let sample = try SparseSample(
                    pictures: pictures, latents: latents, number: first + index, order: order, config: config,
                    imageSide: side, compute)
                return try network.loss(sample, frozen: frozen, compute)
            }
        }
        gradients.finish()
        var result = StepRecord()
        result.step = step + 1
        func sum(_ index: Int) -> Double { told.reduce(0) { $0 + $1[index] } }
        let (means, flows) = (sum(2), sum(4))
        result.loss = (sum(1) + sum(3)) / Double(told.count)
        if means > 0 { result.parts.append(.init("mean", sum(1) / means)) }
        if flows > 0 { result.parts.append(.init("flow", sum(3) / flows)) }
        result.parts.append(.init("tokens", sum(0)))
        (result.gradientNorm, result.rate) = state.advance(config.optimization, gradients.compute)
        return result
    }
}

/// A sample as the networks take it.
package struct SparseSample: Sendable {
    /// `[1, 3, S, S]`
    let image: Tensor
    /// What the transformer sees, and `[N, channels]`, what it is to predict.
    let input: SparseTensor
    let target: Tensor
    /// How noisy it is.
    package let time: FlowTime

    /// Sample `number` of a run, made noisy.
    package init(
        pictures: PictureSet, latents: LatentSet, number: Int, order: SampleOrder, config: DiffusionTrainingConfig,
        imageSide: Int, _ compute: Compute
    ) throws(Failure) {
        let sample = order.sample(number)
        let (shape, view) = (sample / config.views, sample % config.views)
        image = compute.empty([1, 3, imageSide, imageSide])
        pictures.write(shape: shape, view: view, to: image.pointer)
        let size = [latents.tokens(shape), latents.channels]
        let (input, data) = (compute.empty(size), compute.empty(size))
        target = compute.empty(size)
        let from = latents.values.pointer + latents.starts[shape] * latents.channels
        let (shift, scale) = (Float(latents.mean), Float(1 / latents.deviation))
        for index in 0..<data.count { data.pointer[index] = (from[index] - shift) * scale }
        let seed = UInt64(config.optimization.seed)
        var generator = Philox(seed: seed, stream: UInt64(number) | 1 << 58)
        time = FlowTime(&generator, mean: config.mean, shift: config.shift, dropped: config.dropped)
        time.write(
            data: data.pointer, noise: GaussianNoise(seed: seed, stream: UInt64(number) | 1 << 61), count: data.count,
            input: input.pointer, target: target.pointer)
        self.input = SparseTensor(features: input, coordinates: try latents.coordinates(shape))
    }
}

extension SparseStageNetwork {
    /// The loss of a sample, and of what it is made: tokens; loss and count of means; loss and count of flows.
    package func loss(
        _ sample: SparseSample, frozen: ImageEncoder?, _ compute: Compute
    ) throws(Failure) -> (Tensor, [Double]) {
        let tokens =
            if let encoder { encoder(sample.image, compute) } else {
                compute.withoutRecording { frozen!(sample.image, compute) }
            }
        let condition = compute.dropping(tokens, [sample.time.isDropped])
        let predicted = try transformer(sample.input, t: [sample.time.timestep], .dense(condition), compute)
        let loss = compute.squaredError(predicted.features, sample.target)
        let value = Double(loss.pointer[0])
        let isMean = sample.time.isMean
        return (
            loss, [Double(sample.input.count), isMean ? value : 0, isMean ? 1 : 0, isMean ? 0 : value, isMean ? 0 : 1]
        )
    }
}
