import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// Trains the dense structure auto-encoder: which cells of the cube hold the surface, to a small dense volume and back.
///
/// The loss is the mean cross-entropy over the cells, and the latents' divergence. At the end the latents' mean and
/// deviation are measured, which the dense transformer's configuration needs. A step depends on the configuration, the
/// state and its number alone.
///
/// Source: Wu et al., "Direct3D-S2", 2025, §3.3 (its first stage); Kingma & Welling, "Auto-Encoding Variational Bayes",
/// 2014.
package final class StructureTrainer: Trainer {
    /// How it is trained.
    package let config: StructureTrainingConfig
    /// The network's sizes.
    package let model: DenseShapeVAEConfig
    /// What the next step depends on besides the configuration.
    package let state: TrainingState
    /// Cells along the cube's side.
    package let side: Int
    private let component: (name: String, node: ConfigNode)
    private let gradients: BatchGradients<StructureNetwork>
    private let shapes: any ShapeSource

    /// The name of the log and the checkpoint.
    package var name: String { "structure" }
    /// Steps of the whole run.
    package var steps: Int { config.optimization.steps }

    /// - Parameter source: of the shapes; nil for procedural ones.
    /// - Throws: `badData` when the configuration has no dense auto-encoder, its levels do not fit each other or the
    ///   resolution, or the source has no shapes of eight voxels a cell; `unavailable` when memory does not suffice.
    package init(
        _ file: TrainingFile, threads: Int, source: (any ShapeSource)? = nil,
        reduction: any GradientReduction = SingleProcess(), memory: MemoryAdmission = .none
    ) throws(Failure) {
        var section = try file.section("structure")
        let config = try StructureTrainingConfig(&section)
        let found = try file.component("DenseShapeVAE") {
            if case .denseVAE(let config) = $0 { config } else { nil }
        }
        let model = found.config
        self.config = config
        self.model = model
        component = (found.name, file.components[found.name]!)
        side = try Self.side(config, found.name, model, file)
        shapes = source ?? ProceduralShapes(seed: UInt64(config.optimization.seed))
        try shapes.check(resolution: 8 * side)
        try memory.admit(Self.estimatedBytes(config, model, shapes, side: side, threads: threads))
        gradients = try BatchGradients(
            groups: config.groups, accumulation: config.optimization.accumulation, threads: threads,
            reduction: reduction, source: .random(seed: UInt64(config.optimization.seed))
        ) { source throws(Failure) in try StructureNetwork(model, source) }
        gradients.recomputesSegments = config.optimization.checkpointing
        state = TrainingState(
            gradients, config.optimization, fingerprint: file.fingerprint(of: "structure", data: shapes.identity))
    }

    /// Cells along the side that the parts of the configuration agree on.
    private static func side(
        _ config: StructureTrainingConfig, _ name: String, _ model: DenseShapeVAEConfig, _ file: TrainingFile
    ) throws(Failure) -> Int {
        let levels = model.encoderChannels.count
        guard model.decoderChannels.count == levels, model.inChannels == 1, model.outChannels == 1 else {
            throw .badData(
                place: "\(name).params",
                "\(levels) levels down from \(model.inChannels) channels and \(model.decoderChannels.count) up to \(model.outChannels)",
                expected: "as many levels up as down, and 1 channel at both ends")
        }
        var side = config.resolution
        for component in file.model.components where side == 0 {
            if case .denseDiT(let transformer) = component.config { side = transformer.resolution << (levels - 1) }
        }
        if side == 0 { side = 64 }
        guard side % (1 << (levels - 1)) == 0 else {
            throw .badData(
                place: "training.structure.resolution", "\(side)",
                expected: "a multiple of \(1 << (levels - 1)), for \(levels) levels")
        }
        return side
    }

    /// The auto-encoder with the scale of its latents: (latent − shift) · scale has mean 0 and deviation 1.
    package var components: [TrainedComponent] {
        get throws {
            let (mean, deviation) = try measuredLatents()
            var node = component.node
            let params = (node["params"] ?? ConfigNode(value: .map([]), line: 0))
                .setting("latents_shift", to: ConfigNode(value: .double(mean), line: 0))
                .setting("latents_scale", to: ConfigNode(value: .double(1 / deviation), line: 0))
            node = node.setting("params", to: params)
            return [TrainedComponent(name: component.name, node: node, prefix: "")]
        }
    }

    /// Mean and deviation of the averaged weights' latents at their means, over the first shapes of the run.
    private func measuredLatents() throws -> (mean: Double, deviation: Double) {
        var tensors: [String: Tensor] = [:]
        for (name, tensor) in state.averages { tensors[name] = tensor }
        let network = try StructureNetwork(model, ParameterSource(tensors: tensors))
        let (shapes, side) = (shapes, side)
        let sums = parallelMap(config.measured, threads: gradients.threads) { index in
            Result<(sum: Double, squares: Double, count: Double), any Error> {
                let compute = Compute(threads: 1)
                let cells = try shapes.cells(index, resolution: 8 * side)
                let (posterior, _) = network.posterior(occupancies([cells], side: side, compute), compute)
                var (sum, squares) = (0.0, 0.0)
                for value in posterior.mean.elements {
                    sum += Double(value)
                    squares += Double(value) * Double(value)
                }
                return (sum, squares, Double(posterior.mean.count))
            }
        }
        var (sum, squares, count) = (0.0, 0.0, 0.0)
        for result in sums {
            let part = try result.get()
            (sum, squares, count) = (sum + part.sum, squares + part.squares, count + part.count)
        }
        let mean = sum / count
        return (mean, max(squares / count - mean * mean, 1e-12).squareRoot())
    }

    /// Takes the next step.
    package func advance() throws -> StepRecord {
        let step = state.step
        let (config, side) = (config, side)
        let seed = UInt64(config.optimization.seed)
        var told: [[Double]] = []
        for (microBatch, first, _) in gradients.microBatches(ofStep: step, config.optimization) {
            let samples = try gradients.reduction.together { try batchCells(first: first) }
            told += try gradients.add(microBatch: microBatch) { group, network, compute in
                let range = group * config.group..<(group + 1) * config.group
                let occupancy = occupancies(Array(samples[range]), side: side, compute)
                let (posterior, shape) = network.posterior(occupancy, compute)
                let noise = compute.empty(posterior.mean.shape)
                let perSample = noise.count / config.group
                for (item, number) in range.enumerated() {
                    GaussianNoise(seed: seed, stream: UInt64(first + number) | 1 << 61).fill(
                        UnsafeMutableBufferPointer(start: noise.pointer + item * perSample, count: perSample),
                        threads: 1)
                }
                let latents = posterior.sample(noise: noise, compute)
                let logits = network.decoder(compute.reshape(latents, shape), compute)
                let error = compute.crossEntropy(logits: logits, occupancy)
                let divergence = compute.gaussianDivergence(
                    mean: posterior.mean, logVariance: posterior.logVariance)
                let loss = compute.add(error, divergence, scale: Float(config.divergence))
                let told = [
                    Double(loss.pointer[0]), Double(error.pointer[0]), Double(divergence.pointer[0]),
                    overlap(logits, occupancy, items: config.group),
                ]
                return (loss, { told })
            }
        }
        gradients.finish()
        var result = StepRecord()
        result.step = step + 1
        func mean(_ index: Int) -> Double { told.reduce(0) { $0 + $1[index] } / Double(told.count) }
        result.loss = mean(0)
        result.parts = [
            .init("cross_entropy", mean(1)), .init("divergence", mean(2)), .init("iou", mean(3)),
        ]
        (result.gradientNorm, result.rate) = state.advance(config.optimization, gradients.compute)
        return result
    }

    /// The cells of a micro-batch's shapes: shapes numbered through.
    private func batchCells(first: Int) throws -> [[BrickCoordinate]] {
        let (shapes, side) = (shapes, side)
        let results = parallelMap(config.optimization.batch, threads: gradients.threads) { index in
            Result<[BrickCoordinate], any Error> { try shapes.cells(first + index, resolution: 8 * side) }
        }
        return try results.map { try $0.get() }
    }

    /// The most bytes that the tensors of a group held at one time.
    package var peakSampleBytes: Int { gradients.peakBytes }

    /// About how much memory training takes; how many rows a tape keeps of a block was measured.
    private static func estimatedBytes(
        _ config: StructureTrainingConfig, _ model: DenseShapeVAEConfig, _ shapes: any ShapeSource, side: Int,
        threads: Int
    ) -> Int {
        let cells = Double(side * side * side * config.group)
        // Rows that the tape keeps: of a residual block, six; between the levels, two of the finer side.
        var rows = 0.0
        for (level, width) in model.encoderChannels.enumerated() {
            let isLast = level == model.encoderChannels.count - 1
            let blocks = model.encoderResBlocks + (isLast ? model.encoderMiddleBlocks : 0)
            rows += Double(width) * cells / Double(1 << (3 * level)) * Double(6 * blocks + 3)
        }
        for (level, width) in model.decoderChannels.reversed().enumerated() {
            let isLast = level == model.decoderChannels.count - 1
            let blocks = model.decoderResBlocks + (isLast ? model.decoderMiddleBlocks : 0)
            rows += Double(width) * cells / Double(1 << (3 * level)) * Double(6 * blocks + 6)
        }
        if config.optimization.checkpointing {
            // One row a block, and the whole of the largest block.
            rows = rows / 6 + cells * Double(max(model.encoderChannels[0], model.decoderChannels.last!)) * 7.5
        }
        let training = trainingBytes(
            parameters: ComponentConfig.denseVAE(model).parameterCount, groups: config.groups, tape: 4 * rows,
            config.optimization, threads: threads)
        // The shapes of a batch are found before its first tape.
        let finding = min(threads, config.optimization.batch) * shapes.cellBytes(resolution: 8 * side)
        return training + max(0, finding - Int(4 * rows) * min(threads, config.groups))
    }
}

/// Intersection over union of the cells that logits above 0 stand for, the mean over the items.
func overlap(_ logits: Tensor, _ occupancy: Tensor, items: Int) -> Double {
    let size = logits.count / items
    var total = 0.0
    for item in 0..<items {
        var (both, either) = (0, 0)
        for index in item * size..<(item + 1) * size {
            let (found, truth) = (logits.pointer[index] > 0, occupancy.pointer[index] > 0)
            if found && truth { both += 1 }
            if found || truth { either += 1 }
        }
        total += either > 0 ? Double(both) / Double(either) : 1
    }
    return total / Double(items)
}
