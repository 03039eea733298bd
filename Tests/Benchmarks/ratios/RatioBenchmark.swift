import COneDNN
import FixtureMeshes
import Foundation
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How fast the engine is beside work that no change of ours can make faster or slower: a regression shows in these ratios
/// on a machine whose speed changes from one minute to the next.
///
///     ratio-benchmark FILE            fails when a ratio is more than a quarter below the one recorded for this processor
///     ratio-benchmark FILE --record   measures for a minute and records
///
/// FILE holds an object for each processor: its name and instruction set, and its ratios. A processor that it does not know
/// is measured for a few rounds and passes. One thread, and its processor time alone. All pieces of work take turns; the
/// least time of each counts, and rounds go on until every ratio is good enough or a minute is over: what disturbs a round
/// makes it slower, never faster.
@main struct RatioBenchmark {
    /// A piece of work and what it is compared with.
    struct Piece {
        var name: String
        var yardstick: Yardstick
        var body: () throws -> Void
    }

    enum Yardstick: CaseIterable {
        /// Sorting numbers: comparisons that cannot be foreseen, and memory.
        case sort
        /// A bare product of matrices by oneDNN.
        case product
    }

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let path = arguments.first, arguments.count == 1 || arguments == [path, "--record"] else {
            FileHandle.standardError.write(Data("usage: ratio-benchmark FILE [--record]\n".utf8))
            exit(64)
        }
        let isRecording = arguments.count == 2
        var known = try records(path)
        let expected = isRecording ? nil : known[machine]
        let ratios = try measure(until: expected, seconds: isRecording || expected != nil ? 60 : 10)
        if isRecording {
            known[machine] = ratios
            try write(known, to: path)
            print("ratios: recorded \(ratios.count) for \(machine)")
        } else if let expected {
            exit(tell(ratios, beside: expected))
        } else {
            print("ratios: none are recorded for \(machine); measured \(text(ratios))")
        }
    }

    /// Prints what is slower than it was; returns the exit status.
    private static func tell(_ ratios: [String: Double], beside expected: [String: Double]) -> Int32 {
        let slower = expected.keys.sorted().filter { name in (ratios[name] ?? 0) < 0.75 * expected[name]! }
        for name in slower {
            print(
                "ratios: \(name) is \(rounded(ratios[name] ?? 0, digits: 3)), expected at least three quarters of \(rounded(expected[name]!, digits: 3))"
            )
        }
        if slower.isEmpty { print("ratios: all \(expected.count) hold: \(text(ratios))") }
        return slower.isEmpty ? 0 : 1
    }

    private static func text(_ ratios: [String: Double]) -> String {
        ratios.sorted { $0.key < $1.key }.map { "\($0.key) \(rounded($0.value, digits: 3))" }.joined(separator: ", ")
    }

    /// The processor's name and the instruction set in use.
    static var machine: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") } ?? ": unknown"
        return line.split(separator: ":")[1].trimmingCharacters(in: .whitespaces) + ", " + instructionSet
    }

    private static func records(_ path: String) throws -> [String: [String: Double]] {
        guard FileManager.default.fileExists(atPath: path) else { return [:] }
        return try JSONDecoder().decode(
            [String: [String: Double]].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private static func write(_ records: [String: [String: Double]], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let rounded = records.mapValues { $0.mapValues { ($0 * 1000).rounded() / 1000 } }
        try (encoder.encode(rounded) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path))
    }

    /// Ratios of least times, a yardstick's over a piece's; rounds end when all reach three quarters of what is expected.
    private static func measure(until expected: [String: Double]?, seconds limit: Double) throws -> [String: Double] {
        let pieces = try pieces()
        var least = [Double](repeating: .infinity, count: pieces.count)
        var yardsticks: [Yardstick: Double] = [:]
        let bodies = Dictionary(uniqueKeysWithValues: Yardstick.allCases.map { ($0, body(of: $0)) })
        let start = ContinuousClock.now
        var rounds = 0
        while true {
            for (yardstick, body) in bodies {
                yardsticks[yardstick] = min(yardsticks[yardstick] ?? .infinity, try seconds(body))
            }
            for (index, piece) in pieces.enumerated() { least[index] = min(least[index], try seconds(piece.body)) }
            rounds += 1
            var ratios: [String: Double] = [:]
            for (piece, time) in zip(pieces, least) { ratios[piece.name] = yardsticks[piece.yardstick]! / time }
            let isGood = expected.map { $0.allSatisfy { (ratios[$0.key] ?? 0) >= 0.75 * $0.value } } ?? false
            if rounds >= 5, isGood || (ContinuousClock.now - start) / .seconds(1) > limit { return ratios }
        }
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = processorSeconds()
        try body()
        return processorSeconds() - start
    }

    /// Of this thread, so that the time other programs take does not count.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func body(of yardstick: Yardstick) -> () throws -> Void {
        switch yardstick {
        case .sort:
            var random = Philox(seed: 3)
            let numbers = (0..<20_000).map { _ in random.next() }
            return { precondition(numbers.sorted()[0] <= numbers[0]) }
        case .product:
            let side: dnnl_dim_t = 512
            let (a, b) = (Tensor(repeating: 0.5, shape: [512, 512]), Tensor(repeating: 0.25, shape: [512, 512]))
            let c = Tensor(repeating: 0, shape: [512, 512])
            return {
                let no = CChar(UInt8(ascii: "N"))
                for _ in 0..<4 {
                    let status = dnnl_sgemm(
                        no, no, side, side, side, 1, a.pointer, side, b.pointer, side, 0, c.pointer, side)
                    precondition(status == dnnl_success)
                }
            }
        }
    }

    private static func pieces() throws -> [Piece] {
        // As in the engine, oneDNN keeps to the calling thread.
        _ = MatrixProduct.shared
        return try geometry() + layers()
    }

    private static func geometry() throws -> [Piece] {
        let ball = TriangleMesh.icosphere(radius: 0.8, frequency: 40)
        var options = VoxelizeOptions()
        options.resolution = 128
        options.threads = 1
        let volume = try voxelize(ball, options: options)
        let surface = try extractSurface(volume, options: ExtractOptions(method: .mc, threads: 1))
        var (file, obj, ply): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        try writeVolume(volume, options: VolumeWriteOptions()) { piece throws(Failure) in file += piece }
        try writeMesh(surface, format: .obj, threads: 1) { piece throws(Failure) in obj += piece }
        try writeMesh(surface, format: .ply, threads: 1) { piece throws(Failure) in ply += piece }
        let kept = Shelf(volume)
        return [
            Piece(name: "voxelize", yardstick: .sort) { [options] in _ = try voxelize(ball, options: options) },
            Piece(name: "extract mc", yardstick: .sort) {
                _ = try extractSurface(kept.volume, options: ExtractOptions(method: .mc, threads: 1))
            },
            Piece(name: "extract dc", yardstick: .sort) {
                _ = try extractSurface(kept.volume, options: ExtractOptions(method: .dc, threads: 1))
            },
            Piece(name: "write ssdf", yardstick: .sort) {
                var count = 0
                try writeVolume(kept.volume, options: VolumeWriteOptions()) { piece throws(Failure) in
                    count += piece.count
                }
            },
            Piece(name: "read ssdf", yardstick: .sort) { [file] in
                try file.withUnsafeBytes { bytes in
                    let container = try VolumeFile(FileBytes(copying: bytes, name: "memory"))
                    _ = try container.read(container.grids[0], threads: 1)
                }
            },
            Piece(name: "read obj", yardstick: .sort) { [obj] in
                _ = try obj.withUnsafeBytes { try parseMesh($0, formatHint: "obj", threads: 1) }
            },
            Piece(name: "read ply", yardstick: .sort) { [ply] in
                for _ in 0..<8 { _ = try ply.withUnsafeBytes { try parseMesh($0, formatHint: "ply", threads: 1) } }
            },
            Piece(name: "simplify", yardstick: .sort) {
                _ = try simplify(surface, options: SimplifyOptions(target: .ratio(0.2)))
            },
            Piece(name: "isotropic", yardstick: .sort) {
                _ = try remeshIsotropic(ball, options: IsotropicOptions(edgeLength: 0.05))
            },
        ]
    }

    private static func layers() throws -> [Piece] {
        let compute = Compute(threads: 1)
        let x = Tensor(repeating: 0.5, shape: [1024, 512])
        let weight = Tensor(repeating: 0.25, shape: [512, 512])
        var cells: [SIMD4<Int32>] = []
        for i in 0..<40 {
            for j in 0..<40 {
                for k in 0..<40 where abs((i - 20) * (i - 20) + (j - 20) * (j - 20) + (k - 20) * (k - 20) - 300) < 40 {
                    cells.append(SIMD4(0, Int32(i), Int32(j), Int32(k)))
                }
            }
        }
        let coordinates = try CoordinateSet(Buffer(cells))
        let map = coordinates.kernelMap(threads: 1)
        let features = Tensor(repeating: 0.5, shape: [coordinates.count, 64])
        let kernel = Tensor(repeating: 0.01, shape: [27, 64, 64])
        let bias = Tensor(repeating: 0, shape: [64])
        let tokens = 512
        let queries = Tensor(repeating: 0.1, shape: [tokens, 8, 64])
        let plan = AttentionPlan(
            segments: [.init(queries: 0..<tokens, keys: 0..<tokens)], queryCount: tokens, keyCount: tokens)
        return [
            Piece(name: "linear", yardstick: .product) { _ = compute.linear(x, weight) },
            Piece(name: "convolution", yardstick: .product) {
                _ = compute.convolve(features, kernel, bias: bias, map: map)
            },
            Piece(name: "attention", yardstick: .product) {
                _ = compute.attention(queries, queries, queries, plan: plan)
            },
        ]
    }
}

/// Keeps a volume where closures can borrow it.
private final class Shelf {
    let volume: SparseVolume
    init(_ volume: consuming SparseVolume) { self.volume = volume }
}
