import Foundation
import RandomModels
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining
import Testing

@Suite struct StructureTrainingTests {
    static let yaml =
        TinyModel.structure + """
            training:
              structure: {steps: 40, batch: 8, group: 2, resolution: 8, learning_rate: 0.005, warmup: 4, measured: 6,
                average: 0.5, seed: 2}
            """

    private func trainer(_ changes: [String: String] = [:], threads: Int = 2) throws -> StructureTrainer {
        let text = changes.reduce(Self.yaml) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
        return try StructureTrainer(TrainingFile(yaml: text), threads: threads)
    }

    private func weights(_ trainer: StructureTrainer) -> [[Float]] { trainer.state.parameters.map(\.value.array) }

    @Test func threadsDoNotChangeTheRun() throws {
        let (one, three) = (try trainer(threads: 1), try trainer(threads: 3))
        for _ in 0..<3 { #expect(try one.advance() == three.advance()) }
        #expect(weights(one) == weights(three))
    }

    /// Cells come to be told apart, and the latents' measured scale makes them units.
    @Test func learnsCellsAndMeasuresItsLatents() throws {
        let trainer = try trainer()
        let first = try trainer.advance()
        var last = first
        while trainer.state.step < trainer.steps { last = try trainer.advance() }
        #expect(last.loss < 0.7 * first.loss && last["iou"]! > 0.5, "\(first) \(last)")

        let component = try trainer.components[0]
        #expect(component.name == "dense_vae" && component.prefix == "")
        let text = ConfigNode(value: .map([("dense_vae", component.node)]), line: 0).yaml()
        guard case .denseVAE(let config) = try ModelConfig(ConfigNode(yaml: text))["dense_vae"] else {
            Issue.record("no auto-encoder in \(text)")
            return
        }
        var tensors: [String: Tensor] = [:]
        for (name, tensor) in trainer.state.averages { tensors[name] = tensor }
        let network = try StructureNetwork(config, ParameterSource(tensors: tensors))
        let compute = Compute(threads: 1)
        let shapes = ProceduralShapes(seed: 2)
        var values: [Double] = []
        for index in 0..<6 {
            let cells = occupancies([shapes.cells(index, resolution: 64)], side: 8, compute)
            let (posterior, shape) = network.posterior(cells, compute)
            #expect(shape == [1, 4, 4, 4, 4])
            values += posterior.mean.array.map { (Double($0) - config.latentsShift) * config.latentsScale }
        }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        #expect(abs(mean) < 1e-4 && abs(variance - 1) < 1e-3)
    }

    @Test func checkpointingSavesMemoryAndChangesNothing() throws {
        let changes = ["group: 2": "group: 4", "resolution: 8": "resolution: 16"]
        let plain = try trainer(changes, threads: 1)
        let saving = try trainer(
            changes.merging(["seed: 2": "seed: 2, checkpointing: true"]) { a, _ in a }, threads: 1)
        for _ in 0..<2 { #expect(try plain.advance() == saving.advance()) }
        #expect(weights(plain) == weights(saving))
        #expect(
            Double(saving.peakSampleBytes) < 0.7 * Double(plain.peakSampleBytes),
            "\(saving.peakSampleBytes) of \(plain.peakSampleBytes)")
    }

    /// Micro-batches see the samples of one large batch, and their gradients add up to its.
    @Test func accumulationEqualsALargerBatch() throws {
        let whole = try trainer()
        let parts = try trainer(["batch: 8": "batch: 4, accumulation: 2"])
        for _ in 0..<2 {
            let (a, b) = (try whole.advance(), try parts.advance())
            #expect(
                abs(a.loss - b.loss) < 1e-5 * a.loss && abs(a.gradientNorm - b.gradientNorm) < 1e-4 * a.gradientNorm)
        }
    }

    /// The gradient of the whole loss against central differences along random directions.
    @Test func gradientAgreesWithDifferences() throws {
        let trainer = try trainer()
        let source = ParameterSource.random(seed: 5)
        let network = try StructureNetwork(trainer.model, source)
        let compute = Compute(threads: 1)
        let cells = occupancies(
            (0..<2).map { ProceduralShapes(seed: 1).cells($0, resolution: 64) }, side: 8, compute)
        func loss() -> Tensor { compute.crossEntropy(logits: network.roundTrip(cells, compute), cells) }
        _ = compute.differentiate { loss() }
        for (number, part) in ["encoder", "decoder"].enumerated() {
            // The encoder's last layer also makes variances, which means do not depend on.
            let chosen = source.registry.parameters.filter { $0.name.hasPrefix(part) }
            #expect(chosen.allSatisfy { $0.gradient != nil }, "every parameter has a gradient")
            let slopes = directionalSlopes(chosen, seed: 60 + UInt64(number), step: 1e-3, loss: loss)
            #expect(
                abs(slopes.numeric - slopes.recorded) <= 0.01 * abs(slopes.numeric) + 2e-4, "\(part): \(slopes)")
        }
    }

    @Test(arguments: [
        ("resolution: 8", "resolution: 9", "training.structure.resolution"),
        ("[16, 8]", "[16]", "dense_vae.params"), ("group: 2", "group: 3", "training.structure.group"),
        ("measured: 6", "messured: 6", "training.structure.messured"),
    ]) func partsThatDoNotFitAreNamed(right: String, wrong: String, place: String) {
        #expect {
            _ = try trainer([right: wrong])
        } throws: { "\($0)".contains(place) }
    }

    /// The resolution of the dense transformer's latents decides where nothing is said.
    @Test func resolutionFollowsTheTransformer() throws {
        let transformer = """
            dense_dit:
              target: DenseDiT
              params: {resolution: 4, in_channels: 4, out_channels: 4, model_channels: 32, cond_channels: 32, num_blocks: 1,
                num_heads: 1}

            """
        let text = transformer + Self.yaml.replacingOccurrences(of: "resolution: 8, ", with: "")
        #expect(try StructureTrainer(TrainingFile(yaml: text), threads: 1).side == 8)
    }

    @Test func whatDoesNotFitIsRefusedBeforeItIsMade() throws {
        let text = Self.yaml.replacingOccurrences(of: "[8, 16]", with: "[8192, 8192]").replacingOccurrences(
            of: "[16, 8]", with: "[8192, 8192]")
        let start = ContinuousClock.now
        #expect {
            _ = try StructureTrainer(
                TrainingFile(yaml: text), threads: 1, memory: MemoryAdmission(limit: 8_000_000_000))
        } throws: { ($0 as? Failure)?.cause == .unavailable && "\($0)".contains("expected at most 8 GB") }
        #expect(ContinuousClock.now - start < .seconds(2))
    }
}
