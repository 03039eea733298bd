import BareProducts
import FixtureMeshes
import Foundation
import RandomModels
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// One forward pass of the sparse diffusion transformer at the released size (24 blocks of 1024 channels, 32 query and 2
/// key/value heads, 1374 image tokens, version 1.1) on surface cells of a real mesh, from a model folder on disk as the
/// tools read it: JSON on standard output.
///
///     diffusion-benchmark --model FOLDER       writes that model, random weights in half precision
///     diffusion-benchmark FOLDER [--tokens N] [--precision f32|bf16] [--threads N] [--blocks N] [--mesh FILE]
@main struct DiffusionBenchmark {
    var folder = ""
    var tokens = 10_000
    var precision = Precision.f32
    var threads = availableProcessors()
    /// Fewer blocks than the model has: for looking at where time goes.
    var blocks: Int?
    var mesh = SharedData.mesh("armadillo.obj")

    static func main() throws {
        var benchmark = DiffusionBenchmark()
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let argument = arguments.next() {
            switch argument {
            case "--model":
                guard let folder = arguments.next() else { return usage() }
                return try RandomModel(yaml: RandomModel.releasedTransformer, type: .f16).write(to: folder)
            case "--tokens": benchmark.tokens = arguments.next().flatMap { Int($0) } ?? 10_000
            case "--precision": benchmark.precision = arguments.next().flatMap { Precision(rawValue: $0) } ?? .f32
            case "--threads": benchmark.threads = arguments.next().flatMap { Int($0) } ?? 1
            case "--blocks": benchmark.blocks = arguments.next().flatMap { Int($0) }
            case "--mesh": benchmark.mesh = arguments.next()
            default: benchmark.folder = argument
            }
        }
        guard !benchmark.folder.isEmpty, let mesh = benchmark.mesh else { return usage() }
        try benchmark.run(mesh)
    }

    private static func usage() {
        let text = """
            usage: diffusion-benchmark --model FOLDER
                   diffusion-benchmark FOLDER [--tokens N] [--precision f32|bf16] [--threads N] [--blocks N] [--mesh FILE]

            """
        FileHandle.standardError.write(Data(text.utf8))
        exit(64)
    }

    private func run(_ mesh: String) throws {
        let coordinates = try cells(of: loadMesh(path: mesh, threads: threads).mesh)
        let model = try ModelDirectory(path: folder)
        let weights = try model.open("sparse_dit_512")
        guard case .sparseDiT(var config) = weights.config else { return }
        if let blocks { config.numBlocks = min(blocks, config.numBlocks) }
        let network = try SparseDiffusionTransformer(ParameterSource(weights), .init(config))
        let compute = Compute(threads: threads, precision: precision)
        let x = SparseTensor(features: noise([tokens, config.inChannels], stream: 1), coordinates: coordinates)
        let image = noise([1, 1374, config.condChannels], stream: 2)
        var seconds: [Double] = []
        for turn in 0..<(tokens > 30_000 ? 2 : 3) {
            let start = DispatchTime.now().uptimeNanoseconds
            _ = try network(x, t: [500], .dense(image), compute)
            // The first pass also packs the weights, sorts windows and takes its memory; the others of a run do not.
            if turn > 0 { seconds.append(Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9) }
        }
        let memory = peakMemory()
        let foreseen = config.cost(coordinates, context: 1374, precision).bytes
        let operations = try operations(config, coordinates)
        let best = seconds.min()!
        let peak = BarePeak(threads: threads, precision: precision).measured()
        print(
            """
            {"tokens": \(tokens), "precision": "\(precision.rawValue)", "threads": \(threads), "seconds": \(best), \
            "operations": \(operations), "peak": \(peak), "share": \(operations / best / peak), \
            "memory": \(memory), "foreseen": \(foreseen)}
            """)
    }

    /// Floating-point operations of the layers as they are defined: two a product and sum.
    private func operations(_ config: SparseDiTConfig, _ coordinates: CoordinateSet) throws -> Double {
        let (n, c, kv) = (Double(tokens), Double(config.modelChannels), Double(config.kvChannels))
        let length = 1374.0
        // What random weights choose: the blocks of the first layer stand for those of all.
        var options = SparseDiffusionTransformer.Options(config).attention
        options.windowShift = 0
        let layer = try SpatialSparseAttention(.random(seed: 3), options)
        let compute = Compute(threads: threads)
        let x = SparseTensor(features: noise([tokens, config.modelChannels], stream: 3), coordinates: coordinates)
        let trace = try layer.traced(x, compute).trace
        let scores =
            (trace.plan.layout.cellPlan.scoreCount + trace.plan.windows.scoreCount) * config.numHeads
            + trace.core.selection.scoreCount(group: config.numHeads / config.numKVHeads)
        let sparse =
            4 * n * c * c + 4 * n * c * kv + 6 * n * c + 4 * n * kv * kv + 4 * Double(scores) * c
            / Double(config.numHeads)
        let cross = 4 * n * c * c + 4 * length * c * c + 4 * n * length * c
        let feedForward = 4 * n * c * Double(config.hiddenChannels)
        let ends = 4 * n * c * Double(config.inChannels)
        return Double(config.numBlocks) * (sparse + cross + feedForward + 12 * c * c) + ends
    }

    /// That many cells of a grid as fine as it takes, in the order of blocks.
    private func cells(of mesh: TriangleMesh) throws -> CoordinateSet {
        var resolution = 16
        var rows: [SIMD4<Int32>] = []
        while rows.count < tokens {
            var options = VoxelizeOptions()
            (options.resolution, options.halfWidth, options.sign) = (resolution, 1, .none)
            options.threads = threads
            let volume = try voxelize(mesh, options: options)
            rows = []
            volume.forEachActiveVoxel { _, voxel in rows.append(SIMD4(0, voxel.x, voxel.y, voxel.z)) }
            let growth = (Double(tokens) / Double(max(rows.count, 1))).squareRoot()
            resolution = max(resolution + 1, Int(Double(resolution) * min(growth, 4)))
        }
        return try CoordinateSet(Buffer(Array(rows.prefix(tokens)))).blockOrder(size: 8).coordinates
    }

    private func noise(_ shape: [Int], stream: UInt64) -> Tensor {
        let x = Tensor(repeating: 0, shape: shape)
        GaussianNoise(seed: 1, stream: stream).fill(
            UnsafeMutableBufferPointer(start: x.pointer, count: x.count), threads: threads)
        return x
    }
}
