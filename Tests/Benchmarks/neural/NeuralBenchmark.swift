import BareProducts
import FixtureMeshes
import Foundation
import SSDFCore
import SSDFTensor

/// Speed of the engine's products beside bare products of the libraries on the same machine: a table on standard error, JSON lines on
/// standard output.
///
///     ssdf-bench-neural [--threads N] [--mesh FILE] [--sizes N,N,…] [--voxels FILE] [PART…]
///
/// Parts: linear, convolution, attention, ssa; all without any. `--voxels` writes the voxels of the largest convolution
/// up to 256³ for a peer: int32 x, y, z.
@main struct NeuralBenchmark {
    var threads = 1
    var mesh = SharedData.mesh("stanford-bunny.obj")
    var sizes = [8192, 16384, 32768, 65536, 131_072]
    var voxels: String?
    var parts: [String] = []

    static func main() throws {
        var benchmark = NeuralBenchmark()
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let argument = arguments.next() {
            switch argument {
            case "--threads": benchmark.threads = arguments.next().flatMap { Int($0) } ?? 1
            case "--mesh": benchmark.mesh = arguments.next()
            case "--voxels": benchmark.voxels = arguments.next()
            case "--sizes":
                benchmark.sizes = (arguments.next() ?? "").split(separator: ",").compactMap { Int($0) }
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
        if wants("ssa") { try sparseAttention() }
    }

    // MARK: Measuring

    /// Least seconds of each body. They take turns, so that a machine that slows down slows all of them; at least
    /// three turns and 0.6 s each, but none is begun after 8 s.
    func best(_ bodies: (() -> Void)...) -> [Double] {
        var least = [Double](repeating: .infinity, count: bodies.count)
        var (total, turns) = (0.0, 0)
        while total < 8, turns < 3 || total < 0.6 * Double(bodies.count) {
            for (index, body) in bodies.enumerated() {
                let seconds = Self.seconds(body)
                least[index] = min(least[index], seconds)
                total += seconds
            }
            turns += 1
        }
        return least
    }

    static func seconds(_ body: () -> Void) -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        body()
        return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }

    /// The products that stand for the machine's peak on as many threads, and their 10⁹ floating-point operations.
    func peak() -> (body: () -> Void, work: Double) {
        let peak = BarePeak(threads: threads)
        return (peak.run, peak.work * 1e-9)
    }

    func note(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

    func report(_ part: String, _ name: String, _ figures: [(String, Double)]) {
        let text = figures.map { "\($0.0) \(String(format: "%.4g", $0.1))" }.joined(separator: "  ")
        note("\(name.padding(toLength: 34, withPad: " ", startingAt: 0)) \(text)")
        let fields = figures.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ")
        print("{\"part\": \"\(part)\", \"case\": \"\(name)\", \"threads\": \(threads), \(fields)}")
    }
}
