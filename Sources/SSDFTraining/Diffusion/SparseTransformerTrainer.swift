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
    /// Identifies what the latents are made of.
    private let latentSource: String
    private let data: PreparedData?
    private var pictures: PictureSet?
    private var latents: LatentSet?
    private let device: DevicePlugin?
    /// Micro-batches of a device, made by the processor while the device works on the one before; by their first sample.
    private var ahead: Lookahead<Int, SparseSamples>?

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
    ///   - cache: a file that keeps the pictures from one run to the next; latents are kept beside it.
    ///   - device: does the work, a micro-batch at once.
    /// - Throws: `badData` when the configuration lacks a part, or its parts do not fit together; `unavailable` when the
    ///   folder lacks one, or memory does not suffice.
    package init(
        _ file: TrainingFile, folder: String, data: PreparedData? = nil, cache: String? = nil, threads: Int,
        reduction: any GradientReduction = SingleProcess(), memory: MemoryAdmission = .none,
        device: DevicePlugin? = nil
    ) throws(Failure) {
        var section = try file.section("sparse_dit")
        var config = try DiffusionTrainingConfig(&section, defaults: Self.defaults)
        if device != nil { config.group = config.optimization.batch }
        self.device = device
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
        guard !config.mirrored else {
            throw .badData(place: "training.sparse_dit.mirrored", "true", expected: "false, in the sparse stage")
        }
        guard config.auxiliary == 0 else {
            throw .badData(
                place: "training.sparse_dit.auxiliary", "\(config.auxiliary)", expected: "0, in the sparse stage")
        }
        let model = try ModelDirectory.holding(autoencoder.name, in: folder, from: "ssdf-train vae")
        guard case .sparseVAE(let trained) = model.config[autoencoder.name] else {
            throw .badData(file: folder, place: autoencoder.name, "another kind of part", expected: "a SparseSDFVAE")
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
                config, encoder: encoder.config, transformer: transformer.config, autoencoder: autoencoder.config,
                data ?? ProceduralShapes(seed: recipe.seed), recipe, threads: threads, hasDevice: device != nil))
        gradients = try BatchGradients(
            groups: config.groups, accumulation: config.optimization.accumulation, threads: threads,
            reduction: reduction, source: .diffusion(seed: UInt64(config.optimization.seed) &+ 1),
            device: device
        ) { source throws(Failure) in
            try SparseStageNetwork(source, encoder: joint, transformer: transformer.config)
        }
        gradients.recomputesSegments = config.optimization.checkpointing
        let latentsIdentity = try model.identity(of: autoencoder.name)
        latentSource =
            "\(latentsIdentity) seed \(recipe.seed) \(recipe.shapes) shapes \(recipe.resolution) voxels \(recipe.data)"
        var identity = (data?.identity ?? "") + latentsIdentity
        if config.encoder == .frozen { identity += try model.identity(of: encoder.name) }
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

    /// Makes the pictures and the latents, or finds them in files that an earlier run left.
    /// - Throws: `badData` when prepared data does not fit; `inputOutput` when a file cannot be written.
    package func prepare(progress: ProgressHandler) throws {
        let total = 2 * recipe.shapes
        pictures = try PictureSet.prepared(recipe, data: data, cache: cachePath, threads: gradients.threads) {
            done, _ in
            progress(done, total)
        }
        let (first, resolution, data) = (recipe.shapes, recipe.resolution, data)
        let cache = cachePath.map { $0 + ".latents" }
        if let cache, let kept = LatentSet(source: latentSource, path: cache) {
            latents = kept
            return
        }
        let shapes = ProceduralShapes(seed: recipe.seed)
        let made = try LatentSet(
            count: recipe.shapes, network: autoencoder.network, channels: autoencoder.config.embedDim,
            threads: gradients.threads
        ) { index in
            try data?.band(ofSample: index, resolution: resolution)
                ?? shapes.band(index, resolution: resolution, isRotated: false)
        } progress: { done, _ in
            progress(first + done, total)
        }
        if let cache {
            try replaceFile(cache) { sink throws(Failure) in try made.write(source: latentSource, to: sink) }
        }
        latents = made
    }

    /// Whether the pictures go into a file.
    package var keepsPreparation: Bool { cachePath != nil }

    private static func estimatedBytes(
        _ config: DiffusionTrainingConfig, encoder: DinoEncoderConfig, transformer: SparseDiTConfig,
        autoencoder: SparseSDFVAEConfig, _ shapes: any ShapeSource, _ recipe: PictureSet.Recipe, threads: Int,
        hasDevice: Bool
    ) -> Int {
        let (largest, typical) = (
            shapes.largestBand(resolution: recipe.resolution), shapes.typicalBand(resolution: recipe.resolution)
        )
        // Not all of a group are as large as the largest.
        let tokens = Double(largest + (config.group - 1) * typical) / Double(config.group)
        let row = tokens * Double(transformer.modelChannels * 4)
        let isJoint = config.encoder == .joint
        let tape = tapeBytes(
            [
                (transformer.numBlocks, row, 24),
                (isJoint ? encoder.depth : 0, encoder.tapeRow, DinoEncoderConfig.tapeRows),
            ],
            rest: 19 * row + (isJoint ? encoder.tapeRest : 0), samples: config.group,
            isRecomputed: config.optimization.checkpointing)
        let (encoderCount, transformerCount) = (
            ComponentConfig.imageEncoder(encoder).parameterCount,
            ComponentConfig.sparseDiT(transformer).parameterCount
        )
        let frozen = 4 * (ComponentConfig.sparseVAE(autoencoder).parameterCount + (isJoint ? 0 : encoderCount))
        let latents = recipe.shapes * typical * (4 * autoencoder.embedDim + 4)
        // A device has the tape in its own memory.
        let training = trainingBytes(
            parameters: transformerCount + (isJoint ? encoderCount : 0), groups: config.groups,
            tape: hasDevice ? 0 : tape, config.optimization, threads: threads)
        // The latents are made before the first gradient, and are there twice while they are put in order.
        let encoding = trainingBytes(
            parameters: transformerCount, groups: 0, tape: 0, config.optimization, threads: threads)
        let encoded =
            Double(min(threads, recipe.shapes)) * AutoencoderTrainer.encodingBytes(autoencoder, bricks: largest)
        return recipe.bytes + frozen + latents + max(training, encoding + latents + Int(min(encoded, 0x1p60)))
    }

    /// Makes the group of samples from a number on.
    private func maker(
        _ pictures: PictureSet, _ latents: LatentSet
    ) -> @Sendable (_ first: Int, Compute) throws -> SparseSamples {
        let (config, order, encoder, device) = (config, order, encoderConfig, device)
        let options = SparseDiffusionTransformer.Options(transformer)
        return { first, compute in
            var samples = try SparseSamples(
                pictures: pictures, latents: latents, numbers: first..<first + config.group, order: order,
                config: config, encoder: encoder, compute)
            if let device {
                try samples.input.coordinates.prepare(for: options)
                samples.send(to: device, options, compute)
            }
            return samples
        }
    }

    /// Takes the next step.
    package func advance() throws -> StepRecord {
        guard let pictures, let latents else { preconditionFailure("prepare() comes before the first step") }
        let step = state.step
        var told: [[Double]] = []
        let (config, frozen) = (config, frozen)
        let make = maker(pictures, latents)
        if device != nil, ahead == nil {
            let worker = Unchecked(Compute(threads: gradients.threads))
            ahead = Lookahead { first in try make(first, worker.value) }
        }
        let ahead = Unchecked(ahead)
        for (microBatch, first, next) in gradients.microBatches(ofStep: step, config.optimization) {
            let sizes = (0..<config.groups).map { group in
                (0..<config.group).reduce(0) {
                    $0 + latents.tokens(order.sample(first + group * config.group + $1) / config.views)
                }
            }
            let longestFirst = sizes.indices.sorted { (sizes[$0], $1) > (sizes[$1], $0) }
            told += try gradients.add(microBatch: microBatch, order: longestFirst) { group, network, compute in
                let samples =
                    try ahead.value?.value(first, next: next) ?? make(first + group * config.group, compute)
                return try network.loss(samples, frozen: frozen, compute)
            }
        }
        gradients.finish()
        var result = StepRecord()
        result.step = step + 1
        func sum(_ index: Int) -> Double { told.reduce(0) { $0 + $1[index] } }
        let (means, flows) = (sum(2), sum(4))
        result.loss = (sum(1) + sum(3)) / (means + flows)
        if means > 0 { result.parts.append(.init("mean", sum(1) / means)) }
        if flows > 0 { result.parts.append(.init("flow", sum(3) / flows)) }
        result.parts.append(.init("tokens", sum(0)))
        (result.gradientNorm, result.rate) = state.advance(config.optimization, gradients.compute)
        return result
    }
}

/// A group of samples as the networks take them.
package struct SparseSamples: Sendable {
    /// `[B · patches, 3 · p²]`: the pictures as the encoder takes them.
    let patches: Tensor
    /// What the transformer sees, and `[N, channels]`, what it is to predict.
    let input: SparseTensor
    let target: Tensor
    /// `[N, channels]`: how errors count: samples alike, whatever their size; nil for a single sample.
    let weights: Tensor?
    /// How noisy each sample is.
    package let times: [FlowTime]
    /// What the transformer knows the latents' places by, where that is made ahead.
    private(set) var positions: Tensor?

    /// The samples `numbers` of a run, made noisy.
    package init(
        pictures: PictureSet, latents: LatentSet, numbers: Range<Int>, order: SampleOrder,
        config: DiffusionTrainingConfig, encoder: DinoEncoderConfig, _ compute: Compute
    ) throws(Failure) {
        let samples = numbers.map { order.sample($0) }
        let shapes = samples.map { $0 / config.views }
        var starts = [0]
        for shape in shapes { starts.append(starts.last! + latents.tokens(shape)) }
        let (imageSide, patchSize) = (encoder.size, encoder.patchSize)
        let imageSize = 3 * imageSide * imageSide
        let across = imageSide / patchSize
        patches = compute.empty([samples.count * across * across, 3 * patchSize * patchSize])
        let size = [starts.last!, latents.channels]
        let input = compute.empty(size)
        target = compute.empty(size)
        let rows = Buffer<SIMD4<Int32>>(uninitialized: starts.last!)
        weights = samples.count > 1 ? compute.empty(size) : nil
        let memory = Unchecked((patches.pointer, input.pointer, target.pointer, rows.pointer, weights?.pointer))
        let (shift, scale) = (Float(latents.mean), Float(1 / latents.deviation))
        let seed = UInt64(config.optimization.seed)
        let firsts = starts
        times = parallelMap(samples.count, threads: compute.backend.threads) { item in
            let (patches, input, target, rows, weights) = memory.value
            let (shape, view) = (shapes[item], samples[item] % config.views)
            let image = Buffer<Float>(uninitialized: imageSize)
            pictures.write(shape: shape, view: view, to: image.pointer)
            ImageEncoder.writePatches(
                of: image.pointer, side: imageSide, patchSize: patchSize, to: patches + item * imageSize)
            let count = latents.tokens(shape) * latents.channels
            let data = Buffer<Float>(uninitialized: count)
            let from = latents.values.pointer + latents.starts[shape] * latents.channels
            for index in 0..<count { data.pointer[index] = (from[index] - shift) * scale }
            let number = UInt64(numbers.lowerBound + item)
            var generator = Philox(seed: seed, stream: number | 1 << 58)
            let time = FlowTime(&generator, mean: config.mean, shift: config.shift, dropped: config.dropped)
            let at = firsts[item] * latents.channels
            if let weights { (weights + at).update(repeating: 1 / Float(count), count: count) }
            time.write(
                data: data.pointer, noise: GaussianNoise(seed: seed, stream: number | 1 << 61), count: count,
                input: input + at, target: target + at)
            for row in 0..<latents.tokens(shape) {
                var place = latents.place(shape, row)
                place.x = Int32(item)
                rows[firsts[item] + row] = place
            }
            return time
        }
        self.input = SparseTensor(features: input, coordinates: try CoordinateSet(rows))
    }
}

extension SparseSamples {
    /// Makes the positions, and sends everything to a device.
    fileprivate mutating func send(
        to device: DevicePlugin, _ options: SparseDiffusionTransformer.Options, _ compute: Compute
    ) {
        let made = SparseDiffusionTransformer.positions(of: input.coordinates, options, compute)
        for tensor in [patches, input.features, target, made] { tensor.send(to: device) }
        weights?.send(to: device)
        positions = made
    }

    /// What a prediction of the samples comes to: tokens; loss and count of means; loss and count of flows.
    fileprivate func errors(of predicted: Tensor, threads: Int) -> [Double] {
        let (channels, layout) = (target.columns, input.coordinates.layout)
        let values = Unchecked((predicted.elements.baseAddress!, target.elements.baseAddress!))
        let found = parallelMap(layout.count, threads: threads) { item in
            let (predictions, truths) = values.value
            var error: Float = 0
            for index in layout[item].lowerBound * channels..<layout[item].upperBound * channels {
                error += (predictions[index] - truths[index]) * (predictions[index] - truths[index])
            }
            return Double(error) / Double(layout[item].count * channels)
        }
        withExtendedLifetime((predicted, self)) {}
        var told = [Double](repeating: 0, count: 5)
        told[0] = Double(input.count)
        for (error, time) in zip(found, times) {
            told[time.isMean ? 1 : 3] += error
            told[time.isMean ? 2 : 4] += 1
        }
        return told
    }
}

extension SparseStageNetwork {
    /// The mean loss of a group, and of what it is made: tokens; loss and count of means; loss and count of flows.
    package func loss(
        _ samples: SparseSamples, frozen: ImageEncoder?, _ compute: Compute
    ) throws(Failure) -> (Tensor, told: () -> [Double]) {
        let items = samples.times.count
        let tokens =
            if let encoder { encoder.tokens(of: samples.patches, pictures: items, compute) } else {
                compute.withoutRecording { frozen!.tokens(of: samples.patches, pictures: items, compute) }
            }
        let condition = compute.dropping(tokens, samples.times.map(\.isDropped))
        let predicted = try transformer(
            samples.input, t: samples.times.map(\.timestep), .dense(condition), positions: samples.positions, compute
        ).features
        let loss = compute.squaredError(predicted, samples.target, weights: samples.weights)
        return (loss, { samples.errors(of: predicted, threads: compute.backend.threads) })
    }
}
