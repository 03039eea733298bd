import Foundation
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining
import Testing

@Suite struct DenseTransformerTrainingTests {
    static let yaml = """
        dense_image_encoder:
          target: DinoEncoder
          params: {version: dinov2_vits14_reg, embed_dim: 32, depth: 1, num_heads: 2, num_register_tokens: 2,
            patch_size: 8, img_size: 32, size: 32}
        dense_dit:
          target: DenseDiT
          params: {resolution: 16, in_channels: 1, out_channels: 1, model_channels: 32, cond_channels: 32,
            num_blocks: 2, num_heads: 2, patch_size: 4, share_mod: true, qk_rms_norm: true, qk_rms_norm_cross: true,
            latent_shape: [1, 16, 16, 16]}
        dense_scheduler:
          target: FlowMatchEulerDiscreteScheduler
          params: {num_train_timesteps: 1000, shift: 3}
        training:
          dense_dit: {steps: 60, batch: 8, group: 2, learning_rate: 0.003, warmup: 4, mean: 0.6, shapes: 6, views: 1,
            seed: 4}
        """

    private func trainer(
        threads: Int, accumulation: Int = 1, steps: Int = 60
    ) throws -> DenseTransformerTrainer {
        let yaml = Self.yaml.replacingOccurrences(of: "steps: 60", with: "steps: \(steps)").replacingOccurrences(
            of: "batch: 8", with: "batch: \(8 / accumulation), accumulation: \(accumulation)")
        let trainer = try DenseTransformerTrainer(TrainingFile(yaml: yaml), threads: threads)
        try trainer.prepare { _, _ in }
        return trainer
    }

    @Test func threadsDoNotChangeTheRun() throws {
        let (one, three) = (try trainer(threads: 1), try trainer(threads: 3))
        for _ in 0..<3 { #expect(try one.advance() == three.advance()) }
        #expect(try one.state.bytes() == three.state.bytes())
    }

    @Test func resumedRunEqualsOneThatWasNotStopped() throws {
        let path = "/tmp/ssdf-training-\(UInt64.random(in: 0...UInt64.max)).checkpoint"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let whole = try trainer(threads: 2)
        for step in 0..<4 {
            if step == 2 { try Data(whole.state.bytes()).write(to: URL(fileURLWithPath: path)) }
            _ = try whole.advance()
        }
        let resumed = try trainer(threads: 2)
        try resumed.state.read(path: path)
        for _ in 2..<4 { _ = try resumed.advance() }
        #expect(try whole.state.bytes() == resumed.state.bytes())
    }

    /// Micro-batches see the samples of one large batch, and their gradients add up to its.
    @Test func accumulationEqualsALargerBatch() throws {
        let (whole, parts) = (try trainer(threads: 2), try trainer(threads: 2, accumulation: 2))
        for _ in 0..<2 {
            let (a, b) = (try whole.advance(), try parts.advance())
            #expect(
                abs(a.loss - b.loss) < 1e-5 * a.loss && abs(a.gradientNorm - b.gradientNorm) < 1e-4 * a.gradientNorm)
        }
    }

    /// Six shapes are learned by heart: the cells of the mean are theirs.
    @Test func lossFallsOnAFewShapes() throws {
        let trainer = try trainer(threads: 2, steps: 240)
        let first = try trainer.advance()
        var last = first
        while trainer.state.step < trainer.steps { last = try trainer.advance() }
        #expect(last.loss < 0.6 * first.loss, "\(first) \(last)")
        #expect(last["iou"]! > 1.5 * first["iou"]!, "\(first) \(last)")
    }

    /// The gradient of the whole loss against central differences along random directions, for each network.
    @Test func gradientAgreesWithDifferences() throws {
        let file = try TrainingFile(yaml: Self.yaml)
        let trainer = try trainer(threads: 1)
        let config = trainer.config
        let source = ParameterSource.diffusion(seed: 3)
        let network = try DenseStageNetwork(
            source, encoder: trainer.encoder, transformer: trainer.transformer, hasHead: true)
        #expect(file.model.components.count == 3)
        let compute = Compute(threads: 1)
        let pictures = try PictureSet(trainer.recipe, threads: 1) { _, _ in }
        let sample = DenseSamples(
            pictures: pictures, targets: CellGrid(side: 16), places: trainer.places, numbers: 0..<4,
            order: SampleOrder(count: 6, seed: 1), config: config, imageSide: 32, compute)
        #expect(Set(sample.times.map(\.isMean)).count == 2, "both kinds of samples are among these")
        func loss() -> Tensor { network.loss(sample, config, trainer.transformer, compute).0 }
        _ = compute.differentiate { loss() }
        for (number, part) in ["encoder", "transformer", "head"].enumerated() {
            let chosen = source.registry.parameters.filter { $0.name.hasPrefix(part) }
            #expect(chosen.allSatisfy { $0.gradient != nil }, "every parameter has a gradient")
            let slopes = directionalSlopes(chosen, seed: 40 + UInt64(number), step: 1e-3, loss: loss)
            #expect(
                abs(slopes.numeric - slopes.recorded) <= 0.01 * abs(slopes.numeric) + 5e-4, "\(part): \(slopes)")
        }
    }

    @Test func partsThatDoNotFitAreNamed() throws {
        for (wrong, right, place) in [
            ("cond_channels: 16", "cond_channels: 32", "dense_dit.params.cond_channels"),
            ("group: 3", "group: 2", "training.dense_dit.group"),
            ("lerning_rate: 0.003", "learning_rate: 0.003", "training.dense_dit.lerning_rate"),
            ("mean: 1.5", "mean: 0.6", "training.dense_dit.mean"),
        ] {
            let text = Self.yaml.replacingOccurrences(of: right, with: wrong)
            #expect {
                _ = try DenseTransformerTrainer(TrainingFile(yaml: text), threads: 1)
            } throws: { "\($0)".contains(place) }
        }
    }
}
