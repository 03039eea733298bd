import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// Encoder and decoder of a sparse SDF auto-encoder, with the parameter names of a released one.
package struct AutoencoderNetwork: Sendable {
    package let encoder: SparseSDFEncoder
    package let decoder: SparseSDFDecoder

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
        decoder.upsampled(decoder.transform(latents, compute), compute).values.features
    }

    /// A sample through encoder and decoder, latents at their means.
    package func roundTrip(_ sample: AutoencoderSample, _ compute: Compute) -> Tensor {
        let h = encoder(sample.input, compute)
        return decoded(h.with(DiagonalGaussian(h.features, compute).mean), compute)
    }
}

/// What a step of training found, means over the batch.
package struct AutoencoderStep: Sendable {
    package var step = 0
    package var loss = 0.0
    /// Mean difference at the voxels of the input, in half widths of the band.
    package var input = 0.0
    /// The same at the voxels that decoding makes beside them.
    package var extra = 0.0
    package var divergence = 0.0
    package var gradientNorm = 0.0
    package var rate = 0.0
    /// Latent tokens of the batch.
    package var tokens = 0
}

/// Trains a sparse SDF auto-encoder on procedural shapes.
///
/// The loss of a sample is the mean absolute difference over its input voxels, plus that over the other voxels which
/// decoding makes, whose truth is known too, plus the latents' divergence. A step depends on the configuration, the
/// state and its number alone.
///
/// Source: Wu et al., "Direct3D-S2: Gigascale 3D Generation Made Easy with Spatial Sparse Attention", 2025, §3.1.
package final class AutoencoderTrainer {
    package let config: AutoencoderTrainingConfig
    package let model: SparseSDFVAEConfig
    package let state: TrainingState
    private let gradients: BatchGradients<AutoencoderNetwork>
    private let schedule: LearningRateSchedule
    private let shapes: ProceduralShapes

    /// - Throws: `badData` when the widths do not fit together.
    package init(
        _ config: AutoencoderTrainingConfig, model: SparseSDFVAEConfig, fingerprint: String, threads: Int
    ) throws(Failure) {
        self.config = config
        self.model = model
        gradients = try BatchGradients(
            batch: config.batch, threads: threads, source: .random(seed: UInt64(config.seed))
        ) { source throws(Failure) in try AutoencoderNetwork(model, source) }
        var options = AdamW.Options()
        options.beta1 = Float(config.beta1)
        options.beta2 = Float(config.beta2)
        options.weightDecay = Float(config.weightDecay)
        state = TrainingState(
            parameters: gradients.parameters, options: options, decay: config.average, fingerprint: fingerprint)
        schedule = LearningRateSchedule(
            peak: config.learningRate, warmup: config.warmup, total: config.steps,
            last: config.learningRate * config.lastRate)
        shapes = ProceduralShapes(seed: UInt64(config.seed))
    }

    package var parameterCount: Int { gradients.parameters.reduce(0) { $0 + $1.value.count } }

    private struct Told: Sendable {
        var loss: Double
        var input: Double
        var extra: Double
        var divergence: Double
    }

    /// Takes the next step.
    package func advance() throws -> AutoencoderStep {
        let step = state.step
        let samples = try batchSamples(step: step)
        // The long ones first, so that no thread is left with one at the end.
        let order = samples.indices.sorted {
            (samples[$0].brickCount, $1) > (samples[$1].brickCount, $0)
        }
        let (config, batch) = (config, config.batch)
        let told = try gradients.run(order: order) { index, network, compute in
            let sample = samples[index]
            let h = network.encoder(sample.input, compute)
            precondition(h.count == sample.brickCount, "a latent a brick")
            let posterior = DiagonalGaussian(h.features, compute)
            let noise = Self.noise(
                posterior.mean.shape, seed: UInt64(config.seed), stream: UInt64(step * batch + index) | 1 << 61)
            let values = network.decoded(h.with(posterior.sample(noise: noise, compute)), compute)
            let difference = compute.absoluteError(values, sample.target, weights: sample.weights)
            let divergence = compute.gaussianDivergence(mean: posterior.mean, logVariance: posterior.logVariance)
            let loss = compute.add(difference, divergence, scale: Float(config.divergence))
            let input = Self.inputError(values, sample)
            return (
                loss,
                Told(
                    loss: Double(loss.pointer[0]), input: input, extra: Double(difference.pointer[0]) - input,
                    divergence: Double(divergence.pointer[0]))
            )
        }
        var result = AutoencoderStep()
        result.step = step + 1
        for part in told {
            result.loss += part.loss / Double(batch)
            result.input += part.input / Double(batch)
            result.extra += part.extra / Double(batch)
            result.divergence += part.divergence / Double(batch)
        }
        result.tokens = samples.reduce(0) { $0 + $1.brickCount }
        result.rate = schedule.rate(at: step)
        result.gradientNorm = state.optimizer.gradientNorm(gradients.compute)
        state.optimizer.step(
            rate: Float(result.rate),
            gradientScale: AdamW.clipScale(norm: result.gradientNorm, limit: config.clip), gradients.compute)
        state.average.update(from: gradients.weights, gradients.compute)
        return result
    }

    /// The samples of a step: shapes numbered through, each seen once.
    private func batchSamples(step: Int) throws -> [AutoencoderSample] {
        let (config, shapes, resolution) = (config, shapes, 8 * model.resolution)
        let isCropped = config.crop > 0 && Double(step) < config.cropShare * Double(config.steps)
        let results = parallelMap(config.batch, threads: gradients.threads) { index in
            Result<AutoencoderSample, any Error> {
                let number = step * config.batch + index
                var generator = Philox(seed: UInt64(config.seed), stream: UInt64(number) | 1 << 60)
                let isRotated = generator.uniform() < config.rotated
                let (_, shape) = isRotated ? shapes.rotatedShape(number, .training) : shapes.shape(number, .training)
                let band = BandSamples(shape, resolution: resolution)
                guard isCropped else { return try AutoencoderSample(band, sharpEdges: config.sharpEdges) }
                // Around a brick of the shape, so that no crop is empty.
                let center = band.bricks[Int(generator.uniform() * Double(band.bricks.count))]
                let half = Int32(config.crop / 2)
                let low = BrickCoordinate(center.x - half, center.y - half, center.z - half)
                return try AutoencoderSample(
                    band.cropped(low: low, side: config.crop), sharpEdges: config.sharpEdges)
            }
        }
        return try results.map { try $0.get() }
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
