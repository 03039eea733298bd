import Foundation
import RandomModels
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining
import SSDFVolume
import Testing

@Suite struct AutoencoderTrainingTests {
    static let yaml =
        TinyModel.autoencoder(cells: 4) + """
            training:
              vae: {steps: 12, batch: 3, learning_rate: 0.003, warmup: 2, crop: 3, crop_share: 0.5, sharp_edges: 1, seed: 4}
            """

    private func trainer(threads: Int) throws -> AutoencoderTrainer {
        try AutoencoderTrainer(TrainingFile(yaml: Self.yaml), threads: threads)
    }

    @Test func threadsDoNotChangeTheRun() throws {
        let (one, four) = (try trainer(threads: 1), try trainer(threads: 4))
        for _ in 0..<3 {
            let (a, b) = (try one.advance(), try four.advance())
            #expect(a.loss == b.loss && a.gradientNorm == b.gradientNorm)
        }
        #expect(try one.state.bytes() == four.state.bytes())
    }

    @Test func resumedRunEqualsOneThatWasNotStopped() throws {
        let path = "/tmp/ssdf-training-\(UInt64.random(in: 0...UInt64.max)).checkpoint"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let whole = try trainer(threads: 2)
        for step in 0..<6 {
            if step == 3 { try Data(whole.state.bytes()).write(to: URL(fileURLWithPath: path)) }
            _ = try whole.advance()
        }
        let resumed = try trainer(threads: 2)
        try resumed.state.read(path: path)
        #expect(resumed.state.step == 3)
        for _ in 3..<6 { _ = try resumed.advance() }
        #expect(try whole.state.bytes() == resumed.state.bytes())
    }

    @Test func checkpointOfAnotherConfigurationIsRefused() throws {
        let path = "/tmp/ssdf-training-\(UInt64.random(in: 0...UInt64.max)).checkpoint"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(trainer(threads: 1).state.bytes()).write(to: URL(fileURLWithPath: path))
        let yaml = Self.yaml.replacingOccurrences(of: "seed: 4", with: "seed: 5")
        let other = try AutoencoderTrainer(TrainingFile(yaml: yaml), threads: 1)
        #expect(throws: Failure.self) { try other.state.read(path: path) }
    }

    /// Running blocks twice changes no byte of the result, and takes less memory.
    @Test func checkpointingSavesMemoryAndChangesNothing() throws {
        let whole = Self.yaml.replacingOccurrences(of: "crop: 3", with: "crop: 0")
        let plain = try AutoencoderTrainer(TrainingFile(yaml: whole), threads: 1)
        let saving = try AutoencoderTrainer(
            TrainingFile(yaml: whole.replacingOccurrences(of: "seed: 4", with: "seed: 4, checkpointing: true")),
            threads: 1)
        for _ in 0..<2 { #expect(try plain.advance() == saving.advance()) }
        for (a, b) in zip(plain.state.parameters, saving.state.parameters) {
            #expect(a.value.array == b.value.array, "\(a.name)")
        }
        #expect(
            Double(saving.peakSampleBytes) < 0.7 * Double(plain.peakSampleBytes),
            "\(saving.peakSampleBytes) of \(plain.peakSampleBytes)")
    }

    @Test func lossFalls() throws {
        let trainer = try trainer(threads: 2)
        var losses: [Double] = []
        for _ in 0..<12 { losses.append(try trainer.advance().loss) }
        let (start, end) = (losses[0..<3].reduce(0, +), losses[9..<12].reduce(0, +))
        #expect(end < 0.9 * start, "\(losses)")
    }

    @Test func unknownKeysAreNamed() {
        let text = Self.yaml.replacingOccurrences(of: "batch: 3", with: "batches: 3")
        #expect {
            _ = try AutoencoderTrainer(TrainingFile(yaml: text), threads: 1)
        } throws: { "\($0)".contains("training.vae.batches") }
    }

    /// Recording takes another way through the decoder than inference: over the parents instead of the children.
    @Test func recordedForwardEqualsPlainForward() throws {
        let network = try AutoencoderNetwork(trainer(threads: 1).model, .random(seed: 3))
        let band = BandSamples(ProceduralShapes(seed: 1).shape(2, .training).shape, resolution: 32)
        let sample = try AutoencoderSample(band)
        let compute = Compute(threads: 1)
        let plain = network.roundTrip(sample, compute)
        var recorded: Tensor?
        _ = compute.differentiate {
            let values = network.roundTrip(sample, compute)
            recorded = values
            return compute.sum(values)
        }
        let worst = zip(plain.elements, recorded!.elements).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(worst < 2e-5)
    }

    /// The gradient of the whole loss against central differences along random directions of all weights at once.
    @Test func gradientOfTheNetworkAgreesWithDifferences() throws {
        let source = ParameterSource.random(seed: 8)
        let network = try AutoencoderNetwork(trainer(threads: 1).model, source)
        let parameters = source.registry.parameters
        let sample = try AutoencoderSample(
            BandSamples(ProceduralShapes(seed: 2).shape(5, .training).shape, resolution: 32), sharpEdges: 1)
        let compute = Compute(threads: 2)
        // Squared, so that differences see no kinks.
        func loss() -> Tensor {
            compute.squaredError(network.roundTrip(sample, compute), sample.target, weights: sample.weights)
        }
        _ = compute.differentiate { loss() }
        for (number, group) in ["encoder", "decoder"].enumerated() {
            let chosen = parameters.filter { $0.name.hasPrefix(group) }
            var generator = Philox(seed: 70 + UInt64(number))
            let directions = chosen.map { parameter in
                (0..<parameter.value.count).map { _ in Float(generator.uniform() * 2 - 1) }
            }
            func shifted(_ amount: Float) -> Double {
                for (parameter, direction) in zip(chosen, directions) {
                    for index in direction.indices { parameter.value.pointer[index] += amount * direction[index] }
                }
                defer {
                    for (parameter, direction) in zip(chosen, directions) {
                        for index in direction.indices { parameter.value.pointer[index] -= amount * direction[index] }
                    }
                }
                return Double(loss().pointer[0])
            }
            let step: Float = 2e-3
            let numeric = (shifted(step) - shifted(-step)) / Double(2 * step)
            var recorded = 0.0
            for (parameter, direction) in zip(chosen, directions) {
                guard let gradient = parameter.gradient else { continue }
                for index in direction.indices { recorded += Double(gradient.pointer[index] * direction[index]) }
            }
            #expect(abs(numeric - recorded) <= 0.02 * abs(numeric) + 1e-4, "\(group): \(numeric) and \(recorded)")
        }
    }
}
