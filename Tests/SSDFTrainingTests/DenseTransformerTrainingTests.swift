import Foundation
import RandomModels
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining
import Testing

@Suite struct DenseTransformerTrainingTests {
    static let yaml =
        TinyModel.imageEncoder + TinyModel.cellTransformer + """
            training:
              dense_dit: {steps: 60, batch: 8, group: 2, learning_rate: 0.003, warmup: 4, mean: 0.6, shapes: 6, views: 1,
                seed: 4}
            """

    private func trainer(
        threads: Int, accumulation: Int = 1, steps: Int = 60, rate: Double = 0.003
    ) throws -> DenseTransformerTrainer {
        let yaml = Self.yaml.replacingOccurrences(of: "steps: 60", with: "steps: \(steps)").replacingOccurrences(
            of: "batch: 8", with: "batch: \(8 / accumulation), accumulation: \(accumulation)"
        )
        .replacingOccurrences(of: "learning_rate: 0.003", with: "learning_rate: \(rate)")
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

    /// Mirrored shapes come into the steps: the same pictures make another run.
    @Test func mirroredShapesAreLearned() throws {
        let yaml = Self.yaml.replacingOccurrences(of: "shapes: 6,", with: "shapes: 6, mirrored: true,")
        let trainer = try DenseTransformerTrainer(TrainingFile(yaml: yaml), threads: 2)
        try trainer.prepare { _, _ in }
        #expect(trainer.recipe.mirrored && trainer.recipe.count == 12)
        let plain = try self.trainer(threads: 2)
        for _ in 0..<2 { #expect(try trainer.advance().loss != plain.advance().loss) }
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

    /// Six shapes are learned by heart: the cells of the mean are theirs, nearly all.
    @Test func lossFallsOnAFewShapes() throws {
        let trainer = try trainer(threads: 2, steps: 1500, rate: 0.004)
        let first = try trainer.advance()
        var last: [StepRecord] = []
        while trainer.state.step < trainer.steps {
            let record = try trainer.advance()
            if record.step > trainer.steps - 20 { last.append(record) }
        }
        // Which samples train the mean is drawn: a step may have none.
        func mean(_ name: String) -> Double {
            let values = last.compactMap { $0[name] }
            return values.reduce(0, +) / Double(values.count)
        }
        #expect(mean("iou") > 0.9 && mean("mean") < 0.06 * first["mean"]!, "\(first) \(last)")
        #expect(mean("flow") < 0.5 * first["flow"]! && mean("auxiliary") < 0.01, "\(first) \(last)")
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
            order: SampleOrder(count: 6, seed: 1), config: config, encoder: trainer.encoder, compute)
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

    /// What the transformer learns of a shape is what the dense stage decodes: scaled back, the decoder makes of it the
    /// logits that the whole auto-encoder makes of the cells.
    @Test func latentsAreWhatTheStageDecodes() throws {
        let folder = "/tmp/ssdf-latents-\(UInt64.random(in: 0...UInt64.max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let scaled = TinyModel.structure.replacingOccurrences(
            of: "middle_decoder: 1}", with: "middle_decoder: 1, latents_scale: 2.5, latents_shift: 0.25}")
        try RandomModel(yaml: scaled).write(to: folder)
        let model = try ModelDirectory(path: folder)
        let file = try TrainingFile(
            yaml: TinyModel.imageEncoder + TinyModel.structure + TinyModel.latentTransformer
                + "training: {dense_dit: {steps: 2, batch: 2, group: 1, shapes: 3, views: 1}}")
        let trainer = try DenseTransformerTrainer(file, folder: folder, threads: 2)
        try trainer.prepare { _, _ in }
        let structure = try #require(try FrozenStructure(file, trainer.transformer, folder: folder))
        let compute = Compute(threads: 1)
        let pictures = try PictureSet(trainer.recipe, threads: 1) { _, _ in }
        let grids = LatentGrids(pictures, structure, threads: 2) { _, _ in }
        #expect(grids.side == 8 && grids.channels == 4 && structure.cellSide == 16)
        let network = try StructureNetwork(
            structure.config, ParameterSource(try model.open("dense_vae")))
        for shape in 0..<3 {
            let latents = compute.empty([1, 4, 8, 8, 8])
            grids.write(shape, of: pictures, to: latents.pointer)
            let input = compute.affine(latents, scale: 1 / 2.5, shift: 0.25)
            let decoded = network.decoder(compute.channelsLast(input), compute)
            let whole = network.roundTrip(occupancies([pictures.bricks(shape)], side: 16, compute), compute)
            #expect(decoded.count == 16 * 16 * 16)
            for (a, b) in zip(decoded.elements, whole.elements) { #expect(abs(a - b) < 1e-4) }
        }
        let record = try trainer.advance()
        #expect(record.loss.isFinite && record["iou"] == nil)
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
