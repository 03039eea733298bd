import BareProducts
import Dispatch
import Foundation
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining
import SSDFVolume

/// Steps of training the two transformers of a configuration, beside their forward passes and the machine's bare products:
/// JSON lines on standard output.
///
///     training-benchmark YAML [--threads N[,N…]] [--steps N] [--stage dense|sparse]
@main struct TrainingBenchmark {
    static func main() throws {
        var path = "Fixtures/training/small-model.yaml"
        var threads = [availableProcessors()]
        var steps = 5
        var stages = ["dense", "sparse"]
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let argument = arguments.next() {
            switch argument {
            case "--threads": threads = (arguments.next() ?? "").split(separator: ",").compactMap { Int($0) }
            case "--steps": steps = arguments.next().flatMap { Int($0) } ?? steps
            case "--stage": stages = arguments.next().map { [$0] } ?? stages
            default: path = argument
            }
        }
        let file = try TrainingFile(yaml: String(contentsOfFile: path, encoding: .utf8))
        for count in threads {
            let peak = BarePeak(threads: count).measured()
            if stages.contains("dense") { try dense(file, threads: count, steps: steps, peak: peak) }
            if stages.contains("sparse") { try sparse(file, threads: count, steps: steps, peak: peak) }
        }
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        try body()
        return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }

    private static func pictures(_ shapes: Int, _ side: Int) throws -> PictureSet {
        try PictureSet(
            PictureSet.Recipe(seed: 1, shapes: shapes, views: 1, side: side, resolution: 128),
            threads: availableProcessors()
        ) { _, _ in }
    }

    /// The dense stage with its image encoder, as it is trained: four samples a thread and step.
    private static func dense(_ file: TrainingFile, threads: Int, steps: Int, peak: Double) throws {
        let transformer = try file.component("DenseDiT") { if case .denseDiT(let config) = $0 { config } else { nil } }
            .config
        let encoder = try file.component("DinoEncoder") {
            if case .imageEncoder(let config) = $0 { config } else { nil }
        }.config
        var config = DenseTransformerTrainer.defaults
        config.views = 1
        config.shapes = 16
        let set = try pictures(config.shapes, encoder.size)
        let (groups, group) = (2 * threads, config.group)
        let gradients = try BatchGradients(groups: groups, threads: threads, source: .diffusion(seed: 1)) {
            source throws(Failure) in
            try DenseStageNetwork(source, encoder: encoder, transformer: transformer, hasHead: true)
        }
        let state = TrainingState(gradients, config.optimization, fingerprint: "")
        let places = (0..<transformer.tokenCount * transformer.patchVolume).map { Int32($0) }
        let order = SampleOrder(count: config.shapes, seed: 1)
        let shared = Unchecked((set, places))
        let settings = config
        func step() throws {
            _ = try gradients.add(microBatch: 0) { index, network, compute in
                let (set, places) = shared.value
                let sample = DenseSamples(
                    pictures: set, targets: CellGrid(side: transformer.resolution), places: places,
                    numbers: index * group..<(index + 1) * group, order: order, config: settings,
                    encoder: encoder, compute)
                return network.loss(sample, settings, transformer, compute)
            }
            gradients.finish()
            _ = state.advance(settings.optimization, gradients.compute)
        }
        try step()
        let best = try (0..<steps).map { _ in try seconds(step) }.min()!
        let samples = Double(groups * group)
        report(
            "dense", threads, samples / best,
            operations: 3 * operations(encoder) + 3 * operations(transformer, encoder),
            peak)
    }

    /// The sparse stage with a frozen image encoder: a step beside the forward passes of the same samples.
    private static func sparse(_ file: TrainingFile, threads: Int, steps: Int, peak: Double) throws {
        let transformer = try file.component("SparseDiT") {
            if case .sparseDiT(let config) = $0 { config } else { nil }
        }.config
        let encoder = try file.component("DinoEncoder") {
            if case .imageEncoder(let config) = $0 { config } else { nil }
        }.config
        var config = SparseTransformerTrainer.defaults
        config.views = 1
        config.shapes = 4 * threads
        let set = try pictures(config.shapes, encoder.size)
        let latents = try latents(config.shapes, channels: transformer.inChannels)
        let frozen = try ImageEncoder(.diffusion(seed: 2), encoder)
        let groups = config.shapes
        let gradients = try BatchGradients(groups: groups, threads: threads, source: .diffusion(seed: 1)) {
            source throws(Failure) in
            try SparseStageNetwork(source, encoder: nil, transformer: transformer)
        }
        let state = TrainingState(gradients, config.optimization, fingerprint: "")
        let order = SampleOrder(count: config.shapes, seed: 1)
        let longestFirst = (0..<groups).sorted {
            latents.tokens(order.sample($0)) > latents.tokens(order.sample($1))
        }
        let settings = config
        @Sendable func sample(_ index: Int, _ compute: Compute) throws(Failure) -> SparseSamples {
            try SparseSamples(
                pictures: set, latents: latents, numbers: index..<index + 1, order: order, config: settings,
                encoder: encoder, compute)
        }
        func step() throws {
            _ = try gradients.add(microBatch: 0, order: longestFirst) { index, network, compute in
                try network.loss(sample(index, compute), frozen: frozen, compute)
            }
            gradients.finish()
            _ = state.advance(settings.optimization, gradients.compute)
        }
        let workers = Unchecked((0..<threads).map { _ in Compute(threads: 1) })
        let network = gradients.network
        func forward() {
            parallelFor(groups, threads: threads) { worker, range in
                let compute = workers.value[worker]
                for place in range {
                    _ = try! network.loss(sample(longestFirst[place], compute), frozen: frozen, compute)
                }
            }
        }
        try step()
        forward()
        // In turns, so that both see the same machine.
        let turns = try (0..<steps).map { _ in (try seconds(step), seconds(forward)) }
        let (best, plain) = (turns.map(\.0).min()!, turns.map(\.1).min()!)
        var work = 0.0
        for shape in 0..<groups {
            work += 3 * operations(transformer, tokens: latents.tokens(shape), encoder) + operations(encoder)
        }
        report(
            "sparse", threads, Double(groups) / best, operations: work / Double(groups), peak,
            more: ", \"tokens\": \(latents.starts[groups] / groups), \"forward_passes_a_step\": \(best / plain)")
    }

    private static func report(
        _ stage: String, _ threads: Int, _ samples: Double, operations: Double, _ peak: Double, more: String = ""
    ) {
        print(
            """
            {"stage": "\(stage)", "threads": \(threads), "samples_per_second": \(samples), \
            "operations_per_sample": \(operations), "operations_per_second": \(samples * operations), \
            "peak": \(peak), "share": \(samples * operations / peak)\(more)}
            """)
    }

    /// Normal numbers in the cells of procedural shapes.
    private static func latents(_ count: Int, channels: Int) throws -> LatentSet {
        var starts = [0]
        var places: [UInt32] = []
        for index in 0..<count {
            let cells = BandSamples.cells(of: ProceduralShapes(seed: 1).shape(index, .training).shape, resolution: 128)
            let rows = Buffer(cells.map { SIMD4<Int32>(0, $0.x, $0.y, $0.z) })
            let order = try CoordinateSet(rows).blockOrder(size: 8).coordinates
            for row in 0..<order.count {
                let place = order.rows.pointer[row]
                places.append(UInt32(place.y) << 20 | UInt32(place.z) << 10 | UInt32(place.w))
            }
            starts.append(places.count)
        }
        let values = Buffer<Float>(uninitialized: places.count * channels)
        GaussianNoise(seed: 1, stream: 1).fill(values.unsafeElements, threads: 1)
        return LatentSet(channels: channels, starts: starts, places: Buffer(places), values: values)
    }

    // Floating-point operations of a forward pass, two a product and sum, attention as if every token saw every other.

    private static func operations(_ config: DinoEncoderConfig) -> Double {
        let (patches, c) = (Double(config.gridSide * config.gridSide), Double(config.embedDim))
        let tokens = patches + Double(1 + config.registerTokens)
        let block = 24 * tokens * c * c + 4 * tokens * tokens * c
        return Double(config.depth) * block + 2 * patches * c * Double(3 * config.patchSize * config.patchSize)
    }

    private static func operations(_ config: DenseDiTConfig, _ encoder: DinoEncoderConfig) -> Double {
        let (n, c) = (Double(config.tokenCount), Double(config.modelChannels))
        let context = Double(encoder.gridSide * encoder.gridSide + 1 + encoder.registerTokens)
        let own = 8 * n * c * c + 4 * n * n * c
        let cross = 4 * n * c * c + 4 * context * c * Double(config.condChannels) + 4 * n * context * c
        let feedForward = 4 * n * c * Double(config.hiddenChannels)
        return Double(config.numBlocks) * (own + cross + feedForward) + 4 * n * c * Double(config.patchVolume)
    }

    private static func operations(_ config: SparseDiTConfig, tokens: Int, _ encoder: DinoEncoderConfig) -> Double {
        let (n, c, kv) = (Double(tokens), Double(config.modelChannels), Double(config.kvChannels))
        let context = Double(encoder.gridSide * encoder.gridSide + 1 + encoder.registerTokens)
        let own = 4 * n * c * c + 4 * n * c * kv + 4 * n * n * c
        let cross = 4 * n * c * c + 4 * context * c * Double(config.condChannels) + 4 * n * context * c
        let feedForward = 4 * n * c * Double(config.hiddenChannels)
        return Double(config.numBlocks) * (own + cross + feedForward)
    }
}
