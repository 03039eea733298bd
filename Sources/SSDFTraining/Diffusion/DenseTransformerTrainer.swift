import SSDFCore
import SSDFNeural
import SSDFTensor

/// The networks of the dense stage that learn together.
package struct DenseStageNetwork: Sendable {
    /// From a picture to its tokens.
    package let encoder: ImageEncoder
    /// From noise and tokens to the velocity towards the cells.
    package let transformer: DenseDiffusionTransformer
    /// Coarse cells from the mean of the picture's tokens: for training alone.
    let head: Linear?

    /// Cells along a side of what the head predicts.
    static var coarseSide: Int { 8 }

    /// - Parameter hasHead: whether there is a head for the picture tokens' own loss.
    /// - Throws: what the source throws.
    package init(
        _ source: ParameterSource, encoder: DinoEncoderConfig, transformer: DenseDiTConfig, hasHead: Bool
    ) throws(Failure) {
        self.encoder = try ImageEncoder(source.scoped("encoder"), encoder)
        self.transformer = try DenseDiffusionTransformer(source.scoped("transformer"), transformer)
        let coarse = Self.coarseSide
        head =
            hasHead
            ? try Linear(source.scoped("head"), inputs: encoder.embedDim, outputs: coarse * coarse * coarse) : nil
    }
}

/// Trains the dense stage, from a picture to the cells that hold the surface: the transformer, and with it the image
/// encoder.
///
/// A head on the mean of the picture's tokens, which is not kept, predicts coarse cells from the first step on: without
/// it the encoder learns nothing until the transformer has learned to ask.
///
/// Source: Wu et al., "Direct3D-S2", 2025, §3.3; Esser et al., "Scaling Rectified Flow Transformers", 2024.
package final class DenseTransformerTrainer: Trainer {
    /// How it is trained.
    package let config: DiffusionTrainingConfig
    /// What the next step depends on besides the configuration.
    package let state: TrainingState
    /// Sizes of the image encoder.
    package let encoder: DinoEncoderConfig
    /// Sizes of the transformer.
    package let transformer: DenseDiTConfig
    /// What the pictures and cells are made from.
    package let recipe: PictureSet.Recipe
    private let parts: [TrainedComponent]
    private let gradients: BatchGradients<DenseStageNetwork>
    private let order: SampleOrder
    /// Whose latents the transformer learns; nil where it learns the cells.
    private let autoencoder: FrozenStructure?
    private var targets: any StructureTargets
    private let cachePath: String?
    private let data: PreparedData?
    /// Of each number of a patch row by row, its place in the grid.
    package let places: [Int32]
    private var pictures: PictureSet?
    private let device: DevicePlugin?
    /// Micro-batches of a device, made by the processor while the device works on the one before; by their first sample.
    private var ahead: Lookahead<Int, DenseSamples>?

    /// The name of the log and the checkpoint.
    package var name: String { "dense_dit" }
    /// Steps of the whole run.
    package var steps: Int { config.optimization.steps }
    /// The transformer, its scheduler and the image encoder, as they are now.
    package var components: [TrainedComponent] { parts }

    /// The section's defaults.
    package static var defaults: DiffusionTrainingConfig {
        var config = DiffusionTrainingConfig()
        config.optimization.batch = 128
        config.group = 4
        return config
    }

    /// - Parameters:
    ///   - folder: the model folder with the trained structure auto-encoder, where the configuration has one.
    ///   - data: what to train on; nil for procedural shapes.
    ///   - cache: a file that keeps the pictures from one run to the next.
    ///   - device: does the work, a micro-batch at once.
    /// - Throws: `badData` when the configuration lacks a part, or its parts do not fit together; `unavailable` when the
    ///   folder lacks one, or memory does not suffice.
    package init(
        _ file: TrainingFile, folder: String? = nil, data: PreparedData? = nil, cache: String? = nil, threads: Int,
        reduction: any GradientReduction = SingleProcess(), memory: MemoryAdmission = .none,
        device: DevicePlugin? = nil
    ) throws(Failure) {
        var section = try file.section("dense_dit")
        var config = try DiffusionTrainingConfig(&section, defaults: Self.defaults)
        if device != nil { config.group = config.optimization.batch }
        self.device = device
        let transformer = try file.component("DenseDiT") { if case .denseDiT(let config) = $0 { config } else { nil } }
        let encoder = try file.component("DinoEncoder") {
            if case .imageEncoder(let config) = $0 { config } else { nil }
        }
        let scheduler = DiffusionStage.dense.scheduler
        self.config = config
        self.encoder = encoder.config
        self.transformer = transformer.config
        guard config.encoder == .joint else {
            throw .badData(
                place: "training.dense_dit.encoder", "frozen", expected: "joint: the dense stage trains its encoder")
        }
        guard transformer.config.condChannels == encoder.config.embedDim else {
            throw .badData(
                place: "\(transformer.name).params.cond_channels", "\(transformer.config.condChannels)",
                expected: "\(encoder.config.embedDim), the image encoder's width")
        }
        autoencoder = try FrozenStructure(file, transformer.config, folder: folder)
        let cellSide = autoencoder?.cellSide ?? transformer.config.resolution
        // Latents are made when the pictures are there.
        targets = CellGrid(side: cellSide)
        let channels = autoencoder?.config.embedDim ?? targets.channels
        guard transformer.config.inChannels == channels, transformer.config.outChannels == channels else {
            throw .badData(
                place: "\(transformer.name).params", "\(transformer.config.inChannels) channels",
                expected: autoencoder.map { "\(channels), those of \($0.name)" } ?? "\(channels), the grid of cells")
        }
        guard cellSide % DenseStageNetwork.coarseSide == 0 || config.auxiliary == 0 else {
            throw .badData(
                place: "\(transformer.name).params.resolution", "\(cellSide) cells",
                expected: "a multiple of \(DenseStageNetwork.coarseSide), or no auxiliary loss")
        }
        recipe = try config.recipe(data: data, side: encoder.config.size, resolution: 8 * cellSide)
        self.data = data
        cachePath = cache
        order = SampleOrder(count: recipe.count * recipe.views, seed: UInt64(config.optimization.seed))
        parts =
            [
                TrainedComponent(
                    name: encoder.name, node: file.components[encoder.name]!, prefix: "encoder."),
                TrainedComponent(
                    name: transformer.name, node: file.components[transformer.name]!, prefix: "transformer."),
            ]
            + (file.components[scheduler].map { [TrainedComponent(name: scheduler, node: $0, prefix: nil)] } ?? [])
        try memory.admit(
            Self.estimatedBytes(
                config, encoder: encoder.config, transformer: transformer.config, autoencoder, recipe,
                threads: threads, hasDevice: device != nil))
        gradients = try BatchGradients(
            groups: config.groups, accumulation: config.optimization.accumulation, threads: threads,
            reduction: reduction, source: .diffusion(seed: UInt64(config.optimization.seed)), device: device
        ) { source throws(Failure) in
            try DenseStageNetwork(
                source, encoder: encoder.config, transformer: transformer.config, hasHead: config.auxiliary > 0)
        }
        gradients.recomputesSegments = config.optimization.checkpointing
        state = TrainingState(
            gradients, config.optimization,
            fingerprint: file.fingerprint(
                of: "dense_dit", data: (data?.identity ?? "") + (autoencoder?.identity ?? "")))
        let (p, side, across) = (
            transformer.config.patchSize, transformer.config.resolution, transformer.config.tokenSide
        )
        let volume = transformer.config.patchVolume
        places = (0..<transformer.config.tokenCount * channels * volume).map { index in
            let (token, channel, inside) = (index / (channels * volume), index / volume % channels, index % volume)
            let x = token / (across * across) * p + inside / (p * p)
            let y = token / across % across * p + inside / p % p
            let z = token % across * p + inside % p
            return Int32(channel * side * side * side + (x * side + y) * side + z)
        }
    }

    /// Makes the pictures, or finds them in a file that an earlier run left; encodes the cells where latents are learned.
    /// - Throws: `badData` when prepared data does not fit; `inputOutput` when that file cannot be written.
    package func prepare(progress: ProgressHandler) throws {
        let (first, total) = (recipe.shapes, recipe.shapes + (autoencoder == nil ? 0 : recipe.count))
        let pictures = try PictureSet.prepared(recipe, data: data, cache: cachePath, threads: gradients.threads) {
            done, _ in
            progress(done, total)
        }
        if let autoencoder {
            targets = LatentGrids(pictures, autoencoder, threads: gradients.threads) { done, _ in
                progress(first + done, total)
            }
        }
        self.pictures = pictures
    }

    /// Whether the pictures go into a file.
    package var keepsPreparation: Bool { cachePath != nil }

    private static func estimatedBytes(
        _ config: DiffusionTrainingConfig, encoder: DinoEncoderConfig, transformer: DenseDiTConfig,
        _ autoencoder: FrozenStructure?, _ recipe: PictureSet.Recipe, threads: Int, hasDevice: Bool
    ) -> Int {
        let transformerRow = Double(transformer.tokenCount * transformer.modelChannels * 4)
        let tape = tapeBytes(
            [
                (encoder.depth, encoder.tapeRow, DinoEncoderConfig.tapeRows),
                (transformer.numBlocks, transformerRow, 25),
            ],
            rest: 8 * transformerRow + encoder.tapeRest, samples: config.group,
            isRecomputed: config.optimization.checkpointing)
        let parameters =
            ComponentConfig.imageEncoder(encoder).parameterCount + ComponentConfig.denseDiT(transformer).parameterCount
        // A device has the tape in its own memory.
        let training = trainingBytes(
            parameters: parameters, groups: config.groups, tape: hasDevice ? 0 : tape, config.optimization,
            threads: threads)
        guard let autoencoder else { return recipe.bytes + training }
        let frozen = 4 * ComponentConfig.denseVAE(autoencoder.config).parameterCount
        let side = transformer.resolution
        let latents = 4 * recipe.count * transformer.inChannels * side * side * side
        // The latents are made before the first gradient.
        let encoding = trainingBytes(
            parameters: parameters, groups: 0, tape: 0, config.optimization, threads: threads)
        return recipe.bytes + frozen + latents
            + max(training, encoding + autoencoder.encodingBytes(threads: min(threads, recipe.shapes)))
    }

    /// Makes the group of samples from a number on.
    private func maker(_ pictures: PictureSet) -> @Sendable (_ first: Int, Compute) -> DenseSamples {
        let (config, order, places, targets, encoder) = (config, order, places, targets, encoder)
        return { first, compute in
            DenseSamples(
                pictures: pictures, targets: targets, places: places, numbers: first..<first + config.group,
                order: order, config: config, encoder: encoder, compute)
        }
    }

    /// Takes the next step.
    package func advance() throws -> StepRecord {
        guard let pictures else { preconditionFailure("prepare() comes before the first step") }
        let step = state.step
        var told: [[Double]] = []
        let (config, transformer) = (config, transformer)
        let make = maker(pictures)
        if let device, ahead == nil {
            let worker = Unchecked(Compute(threads: gradients.threads))
            ahead = Lookahead { first in
                let samples = make(first, worker.value)
                samples.send(to: device)
                return samples
            }
        }
        let ahead = Unchecked(ahead)
        for (microBatch, first, next) in gradients.microBatches(ofStep: step, config.optimization) {
            told += try gradients.add(microBatch: microBatch) { group, network, compute in
                let sample =
                    try ahead.value?.value(first, next: next) ?? make(first + group * config.group, compute)
                return network.loss(sample, config, transformer, compute)
            }
        }
        gradients.finish()
        var result = StepRecord()
        result.step = step + 1
        func sum(_ index: Int) -> Double { told.reduce(0) { $0 + $1[index] } }
        let groups = Double(told.count)
        result.loss = sum(0) / groups
        let (means, flows) = (sum(2), sum(4))
        if means > 0 { result.parts.append(.init("mean", sum(1) / means)) }
        if flows > 0 { result.parts.append(.init("flow", sum(3) / flows)) }
        if config.auxiliary > 0 { result.parts.append(.init("auxiliary", sum(5) / groups)) }
        if means > 0, autoencoder == nil { result.parts.append(.init("iou", sum(6) / means)) }
        (result.gradientNorm, result.rate) = state.advance(config.optimization, gradients.compute)
        return result
    }
}

/// A group of samples as the networks take them.
package struct DenseSamples: Sendable {
    /// `[B · patches, 3 · p²]`: the pictures as the encoder takes them.
    let patches: Tensor
    /// `[B · tokens, C · p³]`: what the transformer sees, and what it is to predict.
    let input: Tensor
    let target: Tensor
    /// How noisy each sample is.
    package let times: [FlowTime]
    /// `[B, 8³]`: 1 where any cell is occupied; nil without an auxiliary loss.
    let coarse: Tensor?

    /// The samples `numbers` of a run, made noisy.
    package init(
        pictures: PictureSet, targets: any StructureTargets, places: [Int32], numbers: Range<Int>, order: SampleOrder,
        config: DiffusionTrainingConfig, encoder: DinoEncoderConfig, _ compute: Compute
    ) {
        let items = numbers.count
        let size = targets.channels * targets.side * targets.side * targets.side
        let (imageSide, patchSize) = (encoder.size, encoder.patchSize)
        let imageSize = 3 * imageSide * imageSide
        let across = imageSide / patchSize
        patches = compute.empty([items * across * across, 3 * patchSize * patchSize])
        input = compute.empty([items, size])
        target = compute.empty([items, size])
        let coarseSide = DenseStageNetwork.coarseSide
        let coarseSize = coarseSide * coarseSide * coarseSide
        let coarse = config.auxiliary > 0 ? compute.zeros([items, coarseSize]) : nil
        let seed = UInt64(config.optimization.seed)
        let memory = Unchecked((patches.pointer, input.pointer, target.pointer, coarse?.pointer))
        let times = parallelMap(items, threads: compute.backend.threads) { item in
            let (patches, input, target, coarse) = memory.value
            let number = numbers.lowerBound + item
            let sample = order.sample(number)
            let (shape, view) = (sample / config.views, sample % config.views)
            let image = Buffer<Float>(uninitialized: imageSize)
            pictures.write(shape: shape, view: view, to: image.pointer)
            ImageEncoder.writePatches(
                of: image.pointer, side: imageSide, patchSize: patchSize, to: patches + item * imageSize)
            let grid = Buffer<Float>(uninitialized: size)
            let data = Buffer<Float>(uninitialized: size)
            targets.write(shape, of: pictures, to: grid.pointer)
            for index in 0..<size { data.pointer[index] = grid.pointer[Int(places[index])] }
            var generator = Philox(seed: seed, stream: UInt64(number) | 1 << 58)
            let time = FlowTime(&generator, mean: config.mean, shift: config.shift, dropped: config.dropped)
            time.write(
                data: data.pointer, noise: GaussianNoise(seed: seed, stream: UInt64(number) | 1 << 61), count: size,
                input: input + item * size, target: target + item * size)
            if let coarse {
                let side = pictures.recipe.cellSide
                let factor = side / coarseSide
                let row = coarse + item * coarseSize
                for cell in 0..<side * side * side where pictures.isOccupied(shape, cell) {
                    let (x, y, z) = (cell / (side * side) / factor, cell / side % side / factor, cell % side / factor)
                    row[(x * coarseSide + y) * coarseSide + z] = 1
                }
            }
            return time
        }
        self.times = times
        self.coarse = coarse
    }
}

extension DenseStageNetwork {
    /// The mean loss of a group, and of what it is made: loss, Σ errors of means, their number, Σ errors of flows, their
    /// number, auxiliary loss, Σ overlaps of the means' cells.
    package func loss(
        _ sample: DenseSamples, _ config: DiffusionTrainingConfig, _ transformer: DenseDiTConfig, _ compute: Compute
    ) -> (Tensor, told: () -> [Double]) {
        let items = sample.times.count
        let tokens = encoder.tokens(of: sample.patches, pictures: items, compute)
        let condition = compute.dropping(tokens, sample.times.map(\.isDropped))
        let rows = items * transformer.tokenCount
        let width = transformer.inChannels * transformer.patchVolume
        let predicted = self.transformer.velocity(
            compute.reshape(sample.input, [rows, width]), t: sample.times.map(\.timestep), condition: condition,
            compute)
        let target = compute.reshape(sample.target, [rows, width])
        var loss = compute.squaredError(predicted, target)
        var auxiliary: Tensor?
        if let head, let coarse = sample.coarse {
            let length = tokens.shape[1]
            let flat = compute.reshape(tokens, [items * length, tokens.shape[2]])
            let map = RowMap(Buffer((0..<items * length).map { Int32($0 / length) }), targets: items)
            let logits = head(compute.gatherMean(flat, map, extra: 0), compute)
            let error = compute.crossEntropy(logits: logits, coarse)
            loss = compute.add(loss, error, scale: Float(config.auxiliary))
            auxiliary = error
        }
        let whole = loss
        return (
            whole,
            {
                var told = sample.errors(of: predicted, threads: compute.backend.threads)
                told[5] = auxiliary.map { Double($0.elements[0]) } ?? 0
                told[0] = Double(whole.elements[0])
                return told
            }
        )
    }
}

extension DenseSamples {
    /// Sends everything to a device.
    fileprivate func send(to device: DevicePlugin) {
        for tensor in [patches, input, target] { tensor.send(to: device) }
        coarse?.send(to: device)
    }

    /// What a prediction of the samples comes to, in the places that the loss tells it: 1 to 4, and 6.
    fileprivate func errors(of predicted: Tensor, threads: Int) -> [Double] {
        let size = target.columns
        let values = Unchecked((predicted.elements.baseAddress!, target.elements.baseAddress!))
        let found = parallelMap(times.count, threads: threads) { item in
            let (predictions, truths) = (values.value.0 + item * size, values.value.1 + item * size)
            var error: Float = 0
            var (both, either) = (0, 0)
            for index in 0..<size {
                let (p, t) = (predictions[index], truths[index])
                error += (p - t) * (p - t)
                if p < 0 || t < 0 { either += 1 }
                if p < 0 && t < 0 { both += 1 }
            }
            return (error: Double(error) / Double(size), overlap: either > 0 ? Double(both) / Double(either) : 1)
        }
        withExtendedLifetime((predicted, self)) {}
        var told = [Double](repeating: 0, count: 7)
        for (sample, time) in zip(found, times) {
            told[time.isMean ? 1 : 3] += sample.error
            told[time.isMean ? 2 : 4] += 1
            if time.isMean { told[6] += sample.overlap }
        }
        return told
    }
}

extension Compute {
    /// The tokens `[B, L, C]`, zeros for the items that go without.
    func dropping(_ tokens: Tensor, _ dropped: [Bool]) -> Tensor {
        guard dropped.contains(true) else { return tokens }
        let length = tokens.shape[1]
        let factors = Tensor(
            dropped.flatMap { [Float](repeating: $0 ? 0 : 1, count: length) }, shape: [tokens.shape[0] * length])
        return reshape(
            multiply(reshape(tokens, [factors.count, tokens.shape[2]]), factors, broadcast: .column), tokens.shape)
    }
}
