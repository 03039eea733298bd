import COpenBLAS
import FixtureMeshes
import Foundation
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// Speed of the engine's products beside a bare sgemm on the same machine: a table on standard error, JSON lines on
/// standard output.
///
///     ssdf-bench-neural [--threads N] [--mesh FILE] [linear] [convolution] [attention]
@main struct NeuralBenchmark {
    var threads = 1
    var mesh = SharedData.mesh("stanford-bunny.obj")
    var parts: [String] = []

    static func main() throws {
        var benchmark = NeuralBenchmark()
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let argument = arguments.next() {
            switch argument {
            case "--threads": benchmark.threads = arguments.next().flatMap { Int($0) } ?? 1
            case "--mesh": benchmark.mesh = arguments.next()
            default: benchmark.parts.append(argument)
            }
        }
        try benchmark.run()
    }

    private func wants(_ part: String) -> Bool { parts.isEmpty || parts.contains(part) }

    private func run() throws {
        note("products by \(MatrixProduct.shared.description), \(threads) threads")
        if wants("linear") { linear() }
        if wants("convolution") { try convolution() }
        if wants("attention") { attention() }
    }

    // MARK: Measuring

    /// Least seconds of several runs, at least three and at least half a second of them.
    private func best(_ body: () -> Void) -> Double {
        var (least, total, runs) = (Double.infinity, 0.0, 0)
        while runs < 3 || total < 0.5 {
            let start = DispatchTime.now().uptimeNanoseconds
            body()
            let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
            least = min(least, seconds)
            total += seconds
            runs += 1
        }
        return least
    }

    /// GFLOP/s of a bare single-threaded cblas_sgemm, x·Wᵀ.
    private func bareProduct(_ m: Int, _ n: Int, _ k: Int) -> Double {
        let (a, b) = (Tensor(repeating: 0.5, shape: [m, k]), Tensor(repeating: 0.25, shape: [n, k]))
        let c = Tensor(repeating: 0, shape: [m, n])
        let seconds = best {
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, Int32(m), Int32(n), Int32(k), 1, a.pointer, Int32(k),
                b.pointer, Int32(k), 0, c.pointer, Int32(n))
        }
        return 2 * Double(m * n * k) / seconds * 1e-9
    }

    private func note(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

    private func report(_ name: String, _ figures: [(String, Double)]) {
        let text = figures.map { "\($0.0) \(String(format: "%.4g", $0.1))" }.joined(separator: "  ")
        note("\(name.padding(toLength: 34, withPad: " ", startingAt: 0)) \(text)")
        let fields = figures.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ")
        print("{\"case\": \"\(name)\", \"threads\": \(threads), \(fields)}")
    }

    // MARK: Cases

    private func linear() {
        for (rows, inputs, outputs) in [
            (1374, 1024, 4096), (10_000, 1024, 1024), (4096, 512, 2048), (50_000, 512, 512),
        ] {
            let compute = Compute(threads: threads)
            let x = Tensor(repeating: 0.5, shape: [rows, inputs])
            let weight = Tensor(repeating: 0.25, shape: [outputs, inputs])
            let flops = 2 * Double(rows * inputs * outputs) * 1e-9
            let bare = bareProduct(rows, outputs, inputs)
            let seconds = best { _ = compute.linear(x, weight) }
            let rough = Compute(threads: threads, precision: .bf16)
            let roughSeconds = best { _ = rough.linear(x, weight) }
            report(
                "linear \(rows)×\(inputs)→\(outputs)",
                [
                    ("gflops", flops / seconds), ("sgemm", bare),
                    ("share", flops / seconds / bare / Double(threads)), ("bf16", flops / roughSeconds),
                ])
        }
    }

    private func convolution() throws {
        guard let mesh else { return note("no mesh: give --mesh FILE") }
        let peak = bareProduct(2048, 2048, 2048)
        let loaded = try loadMesh(path: mesh, threads: threads)
        for resolution in [128, 256, 512] {
            var options = VoxelizeOptions()
            options.resolution = resolution
            options.halfWidth = 1
            options.threads = 2
            options.sign = .none
            let volume = try voxelize(loaded.mesh, options: options)
            let rows = Buffer<SIMD4<Int32>>(uninitialized: volume.activeCount)
            volume.forEachActiveVoxel { row, voxel in rows.pointer[row] = SIMD4(0, voxel.x, voxel.y, voxel.z) }
            let coordinates = try CoordinateSet(rows)
            let mapSeconds = best {
                coordinates.forgetDerived()
                _ = coordinates.kernelMap(threads: threads)
            }
            let map = coordinates.kernelMap(threads: threads)
            for channels in [32, 64, 128] where channels * coordinates.count < 60_000_000 {
                let compute = Compute(threads: threads)
                let x = Tensor(repeating: 0.5, shape: [coordinates.count, channels])
                let kernel = Tensor(repeating: 0.01, shape: [27, channels, channels])
                let bias = Tensor(repeating: 0, shape: [channels])
                let flops = 2 * Double(map.pairCount * channels * channels) * 1e-9
                let seconds = best { _ = compute.convolve(x, kernel, bias: bias, map: map) }
                let available = peak * Double(threads)
                report(
                    "convolution \(resolution)³ \(channels) channels",
                    [
                        ("rows", Double(coordinates.count)),
                        ("neighbours", Double(map.pairCount) / Double(coordinates.count)),
                        ("gflops", flops / seconds), ("peak", peak), ("share", flops / seconds / available),
                        ("map_ms", mapSeconds * 1e3),
                        ("share_with_map", flops / (seconds + mapSeconds) / available),
                    ])
            }
        }
    }

    private func attention() {
        let peak = bareProduct(2048, 2048, 2048)
        let cases: [(name: String, tokens: Int, keys: Int, segment: Int, heads: Int, keyHeads: Int, dimension: Int)] = [
            ("dense 4096 × 4096, 16 heads × 64", 4096, 4096, 4096, 16, 16, 64),
            ("cross 4096 × 1374, 16 heads × 64", 4096, 1374, 4096, 16, 16, 64),
            ("windows of 64, 8 heads × 64", 65_536, 65_536, 64, 8, 8, 64),
            ("windows of 128, 32 heads × 32", 16_384, 16_384, 128, 32, 2, 32),
        ]
        for item in cases {
            let compute = Compute(threads: threads)
            let q = Tensor(repeating: 0.1, shape: [item.tokens, item.heads, item.dimension])
            let k = Tensor(repeating: 0.1, shape: [item.keys, item.keyHeads, item.dimension])
            var segments: [AttentionPlan.Segment] = []
            for start in stride(from: 0, to: item.tokens, by: item.segment) {
                let range = start..<min(start + item.segment, item.tokens)
                segments.append(.init(queries: range, keys: item.segment == item.tokens ? 0..<item.keys : range))
            }
            let plan = AttentionPlan(segments: segments, queryCount: item.tokens, keyCount: item.keys)
            let flops = 4 * Double(plan.scoreCount * item.heads * item.dimension) * 1e-9
            let seconds = best { _ = compute.attention(q, k, k, plan: plan) }
            report(
                "attention \(item.name)",
                [
                    ("ms", seconds * 1e3), ("gflops", flops / seconds),
                    ("share", flops / seconds / peak / Double(threads)),
                ])
        }
    }
}
