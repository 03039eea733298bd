import Foundation
import RandomModels
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining
import SSDFVolume
import Testing

@Suite struct SparseTransformerTrainingTests {
    private static let yaml =
        TinyModel.imageEncoder + TinyModel.autoencoder("sparse_vae_64", cells: 8)
        + TinyModel.sparseTransformer(cells: 8, blocks: 2, block: 4) + """
            training:
              sparse_dit: {steps: 40, batch: 4, learning_rate: 0.003, warmup: 4, mean: 0.6, shapes: 3, views: 1, seed: 4}
            """

    /// A model folder with an untrained auto-encoder and image encoder, which are frozen; removed afterwards.
    private func withFolder<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
        let path = "/tmp/ssdf-sparse-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try TrainingFile(yaml: Self.yaml)
        try file.components.yaml().write(toFile: "\(path)/config.yaml", atomically: true, encoding: .utf8)
        for component in file.model.components.prefix(2) {
            var tensors: [String: Tensor] = [:]
            let source = ParameterSource.random(seed: 6)
            for expected in component.config.expectedTensors where !expected.isOptional {
                tensors[expected.name] = try source.parameter(expected.name, expected.shape).value
            }
            var bytes: [UInt8] = []
            try writeTensors(tensors, type: .f32, metadata: [:]) { piece throws(Failure) in bytes += piece }
            try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(component.name).safetensors"))
        }
        return try body(path)
    }

    private func trainer(_ folder: String, threads: Int, yaml: String = yaml) throws -> SparseTransformerTrainer {
        let trainer = try SparseTransformerTrainer(TrainingFile(yaml: yaml), folder: folder, threads: threads)
        try trainer.prepare { _, _ in }
        return trainer
    }

    @Test func threadsDoNotChangeTheRun() throws {
        try withFolder { folder in
            let (one, three) = (try trainer(folder, threads: 1), try trainer(folder, threads: 3))
            for _ in 0..<2 { #expect(try one.advance() == three.advance()) }
            #expect(try one.state.bytes() == three.state.bytes())
        }
    }

    @Test func resumedRunEqualsOneThatWasNotStopped() throws {
        try withFolder { folder in
            let path = "\(folder)/checkpoint"
            let whole = try trainer(folder, threads: 2)
            for step in 0..<4 {
                if step == 2 { try Data(whole.state.bytes()).write(to: URL(fileURLWithPath: path)) }
                _ = try whole.advance()
            }
            let resumed = try trainer(folder, threads: 2)
            try resumed.state.read(path: path)
            for _ in 2..<4 { _ = try resumed.advance() }
            #expect(try whole.state.bytes() == resumed.state.bytes())
        }
    }

    /// Latents come from their file the second time, and those of another source do not.
    @Test func latentsSurviveTheirFile() throws {
        try withFolder { folder in
            let path = "\(folder)/latents"
            var places: [UInt32] = []
            for place in 0..<7 { places.append(UInt32(place << 20 | place)) }
            let values = (0..<21).map { Float($0) / 3 }
            let set = LatentSet(channels: 3, starts: [0, 2, 7], places: Buffer(places), values: Buffer(values))
            var bytes: [UInt8] = []
            try set.write(source: "one") { raw throws(Failure) in bytes += raw }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let read = try #require(LatentSet(source: "one", path: path))
            #expect(read.channels == 3 && read.starts == set.starts && read.places.array == places)
            #expect(read.values.array == values && read.mean == set.mean && read.deviation == set.deviation)
            #expect(LatentSet(source: "two", path: path) == nil)
            for wrong in [Array(bytes.dropLast()), bytes + [0], Array(bytes.prefix(400))] {
                try Data(wrong).write(to: URL(fileURLWithPath: path))
                #expect(LatentSet(source: "one", path: path) == nil)
            }
            // Starts that go back.
            bytes[512 + 8] = 7
            bytes[512 + 16] = 2
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect(LatentSet(source: "one", path: path) == nil)
        }
    }

    @Test func lossFallsOnAFewShapes() throws {
        try withFolder { folder in
            let trainer = try trainer(folder, threads: 2)
            var losses: [Double] = []
            while trainer.state.step < trainer.steps { losses.append(try trainer.advance().loss) }
            let (start, end) = (losses[0..<5].reduce(0, +), losses[35..<40].reduce(0, +))
            #expect(end < 0.8 * start, "\(losses)")
        }
    }

    /// What the auto-encoder's section says of its latents brings them to mean 0 and deviation 1.
    @Test func latentsAreMeasured() throws {
        try withFolder { folder in
            let trainer = try trainer(folder, threads: 2)
            let section = trainer.components.first { $0.name == "sparse_vae_64" }!
            #expect(section.prefix == nil)
            let text = ConfigNode(value: .map([("sparse_vae_64", section.node)]), line: 0).yaml()
            guard case .sparseVAE(let config) = try ModelConfig(yaml: text)["sparse_vae_64"] else {
                Issue.record("no auto-encoder in \(text)")
                return
            }
            let model = try ModelDirectory(path: folder)
            let network = try AutoencoderNetwork(config, ParameterSource(try model.open("sparse_vae_64")))
            let compute = Compute(threads: 1)
            var values: [Double] = []
            for index in 0..<3 {
                let band = BandSamples(ProceduralShapes(seed: 4).shape(index, .training).shape, resolution: 64)
                let h = network.encoder(try AutoencoderSample(band).input, compute)
                let mean = DiagonalGaussian(h.features, compute).mean
                values += mean.elements.map { (Double($0) - config.latentsShift) * config.latentsScale }
            }
            let mean = values.reduce(0, +) / Double(values.count)
            let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
            #expect(abs(mean) < 1e-4 && abs(square - 1) < 1e-3, "\(mean) \(square)")
        }
    }

    @Test func mirroredShapesAreNotForThisStage() throws {
        try withFolder { folder in
            let yaml = Self.yaml.replacingOccurrences(of: "sparse_dit: {", with: "sparse_dit: {mirrored: true, ")
            #expect(yaml != Self.yaml)
            #expect {
                _ = try SparseTransformerTrainer(TrainingFile(yaml: yaml), folder: folder, threads: 1)
            } throws: { "\($0)".contains("training.sparse_dit.mirrored") }
        }
    }

    @Test func aFolderWithoutItsPartsIsRefused() throws {
        try withFolder { folder in
            try FileManager.default.removeItem(atPath: "\(folder)/sparse_vae_64.safetensors")
            #expect {
                _ = try SparseTransformerTrainer(TrainingFile(yaml: Self.yaml), folder: folder, threads: 1)
            } throws: { "\($0)".contains("sparse_vae_64.safetensors") }
        }
    }
}
