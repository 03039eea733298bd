import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// Encoder and decoder of a sparse SDF auto-encoder, with the parameter names of a released one.
package struct AutoencoderNetwork: Sendable {
    /// From voxels to the latents' distribution.
    package let encoder: SparseSDFEncoder
    /// From latents to voxels.
    package let decoder: SparseSDFDecoder

    /// - Throws: what the source throws.
    package init(_ config: SparseSDFVAEConfig, _ source: ParameterSource) throws(Failure) {
        encoder = try SparseSDFEncoder(
            source.scoped("encoder"), channels: config.encoderChannels, latentChannels: config.embedDim,
            blocks: config.encoderBlocks, heads: config.encoderHeads, groups: config.normGroups)
        decoder = try SparseSDFDecoder(
            source.scoped("decoder"), channels: config.decoderChannels, latentChannels: config.embedDim,
            blocks: config.decoderBlocks, heads: config.decoderHeads, resolution: config.resolution)
    }

    /// The voxels of the decoded latents, `[bricks · 512, 1]`.
    func decoded(_ latents: SparseTensor, _ compute: Compute) -> Tensor {
        decoder.values(decoder.transform(latents, compute), compute).features
    }

    /// A sample through encoder and decoder, latents at their means.
    package func roundTrip(_ sample: AutoencoderSample, _ compute: Compute) -> Tensor {
        let h = encoder(sample.input, compute)
        return decoded(h.with(DiagonalGaussian(h.features, compute).mean), compute)
    }
}

/// Trains a sparse SDF auto-encoder.
///
/// The loss of a sample is the mean absolute difference over its input voxels, plus that over the other voxels which
/// decoding makes, whose truth is known too, plus the latents' divergence. A step depends on the configuration, the
/// state and its number alone.
///
/// Source: Wu et al., "Direct3D-S2: Gigascale 3D Generation Made Easy with Spatial Sparse Attention", 2025, §3.1.
package final class AutoencoderTrainer: Trainer {
    /// How it is trained.
    package let config: AutoencoderTrainingConfig
    /// The network's sizes.
    package let model: SparseSDFVAEConfig
    /// What the next step depends on besides the configuration.
    package let state: TrainingState
    private let component: (name: String, node: ConfigNode)
    private let resolutions: [Int]
    private let gradients: BatchGradients<AutoencoderNetwork>
    private let shapes: any ShapeSource

    /// The name of the log and the checkpoint.
    package var name: String { "vae" }
    /// Steps of the whole run.
    package var steps: Int { config.optimization.steps }

    /// - Parameter source: of the shapes; nil for procedural ones.
    /// - Throws: `badData` when the configuration has no sparse auto-encoder, its widths do not fit together, or the source
    ///   has not all the resolutions; `unavailable` when memory does not suffice.
    package init(
        _ file: TrainingFile, threads: Int, source: (any ShapeSource)? = nil,
        reduction: any GradientReduction = SingleProcess(), memory: MemoryAdmission = .none
    ) throws(Failure) {
        var section = try file.section("vae")
        let config = try AutoencoderTrainingConfig(&section)
        let found = try file.component("SparseSDFVAE") {
            if case .sparseVAE(let config) = $0 { config } else { nil }
        }
        let model = found.config
        self.config = config
        self.model = model
        component = (found.name, file.components[found.name]!)
        shapes = source ?? ProceduralShapes(seed: UInt64(config.optimization.seed))
        resolutions = config.resolutions.isEmpty ? [8 * model.resolution] : config.resolutions
        for resolution in resolutions { try shapes.check(resolution: resolution) }
        try memory.admit(Self.estimatedBytes(config, model, shapes, resolutions, threads: threads))
        gradients = try BatchGradients(
            groups: config.optimization.batch, accumulation: config.optimization.accumulation, threads: threads,
            reduction: reduction, source: .random(seed: UInt64(config.optimization.seed))
        ) { source throws(Failure) in try AutoencoderNetwork(model, source) }
        state = TrainingState(
            gradients, config.optimization, fingerprint: file.fingerprint(of: "vae", data: shapes.identity))
        gradients.recomputesSegments = config.optimization.checkpointing
    }

    /// The most bytes that the tensors of a sample held at one time.
    package var peakSampleBytes: Int { gradients.peakBytes }

    /// The auto-encoder, as it is now.
    package var components: [TrainedComponent] {
        [TrainedComponent(name: component.name, node: component.node, prefix: "")]
    }

    /// Takes the next step.
    package func advance() throws -> StepRecord {
        let step = state.step
        let config = config
        var told: [[Double]] = []
        for (microBatch, first, _) in gradients.microBatches(ofStep: step, config.optimization) {
            let batch = try gradients.reduction.together { try batchSamples(first: first, step: step) }
            told += try gradients.add(microBatch: microBatch, order: batch.longestFirst) { index, network, compute in
                let sample = batch.take(index)
                let h = network.encoder(sample.input, compute)
                precondition(h.count == sample.brickCount, "a latent a brick")
                let posterior = DiagonalGaussian(h.features, compute)
                let noise = Self.noise(
                    posterior.mean.shape, seed: UInt64(config.optimization.seed),
                    stream: UInt64(first + index) | 1 << 61)
                let values = network.decoded(h.with(posterior.sample(noise: noise, compute)), compute)
                let difference = compute.absoluteError(values, sample.target, weights: sample.weights)
                let divergence = compute.gaussianDivergence(
                    mean: posterior.mean, logVariance: posterior.logVariance)
                let loss = compute.add(difference, divergence, scale: Float(config.divergence))
                let input = Self.inputError(values, sample)
                let told = [
                    Double(loss.pointer[0]), input, Double(difference.pointer[0]) - input,
                    Double(divergence.pointer[0]), Double(sample.brickCount),
                ]
                return (loss, { told })
            }
        }
        gradients.finish()
        var result = StepRecord()
        result.step = step + 1
        func sum(_ index: Int) -> Double { told.reduce(0) { $0 + $1[index] } }
        let count = Double(told.count)
        result.loss = sum(0) / count
        // Mean differences in half widths of the band: at the voxels of the input, and at those that decoding makes
        // beside them.
        result.parts = [
            .init("input", sum(1) / count), .init("extra", sum(2) / count), .init("divergence", sum(3) / count),
            .init("tokens", sum(4)),
        ]
        (result.gradientNorm, result.rate) = state.advance(config.optimization, gradients.compute)
        return result
    }

    /// The samples of a micro-batch: shapes numbered through, each seen once.
    private func batchSamples(first: Int, step: Int) throws -> AutoencoderBatch {
        let (config, shapes, resolutions) = (config, shapes, resolutions)
        let isCropped = config.crop > 0 && Double(step) < config.cropShare * Double(config.optimization.steps)
        let results = parallelMap(config.optimization.batch, threads: gradients.threads) { index in
            Result<AutoencoderSample, any Error> {
                let number = first + index
                var generator = Philox(seed: UInt64(config.optimization.seed), stream: UInt64(number) | 1 << 60)
                let isRotated = generator.uniform() < config.rotated
                let choice = resolutions.count > 1 ? Int(generator.uniform() * Double(resolutions.count)) : 0
                let band = try shapes.band(number, resolution: resolutions[choice], isRotated: isRotated)
                guard isCropped else { return try AutoencoderSample(band, sharpEdges: config.sharpEdges) }
                // Around a brick of the shape, so that no crop is empty.
                let center = band.bricks[Int(generator.uniform() * Double(band.bricks.count))]
                let half = Int32(config.crop / 2)
                let low = BrickCoordinate(center.x - half, center.y - half, center.z - half)
                return try AutoencoderSample(
                    band.cropped(low: low, side: config.crop), sharpEdges: config.sharpEdges)
            }
        }
        return AutoencoderBatch(try results.map { try $0.get() })
    }

    /// Weighted mean difference over the input's voxels.
    private static func inputError(_ values: Tensor, _ sample: AutoencoderSample) -> Double {
        var total = 0.0
        let (x, t, w) = (values.pointer, sample.target.pointer, sample.weights.pointer)
        for index in 0..<values.count where abs(t[index]) < 1 { total += Double(w[index] * abs(x[index] - t[index])) }
        return total
    }

    /// Unit normal numbers.
    private static func noise(_ shape: [Int], seed: UInt64, stream: UInt64) -> Tensor {
        let tensor = Tensor(repeating: 0, shape: shape)
        GaussianNoise(seed: seed, stream: stream).fill(
            UnsafeMutableBufferPointer(start: tensor.pointer, count: tensor.count), threads: 1)
        return tensor
    }
}
