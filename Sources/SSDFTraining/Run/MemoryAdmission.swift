import SSDFCore
import SSDFNeural
import SSDFTensor

/// Refuses training that cannot fit in memory before anything large is made.
package final class MemoryAdmission {
    /// Bytes that training may take.
    package let limit: Int
    /// Bytes that the training admitted last takes, about.
    package private(set) var needed = 0

    /// - Parameter limit: bytes that training may take.
    package init(limit: Int) { self.limit = limit }

    /// No limit but the machine's, found out the hard way.
    package static var none: MemoryAdmission { MemoryAdmission(limit: .max) }

    /// - Throws: `unavailable` when training takes more than there is.
    package func admit(_ bytes: Int) throws(Failure) {
        needed = bytes
        guard bytes <= limit else {
            throw Failure(
                .unavailable,
                "training needs about \(byteText(bytes)) of memory, expected at most \(byteText(limit)); a smaller batch, "
                    + "crop or group needs less, and so does checkpointing")
        }
    }
}

/// What training takes whatever the network: weights, their gradient, two moments, the average and a copy for each group
/// of samples' gradients; what a tape holds on each thread that has a group; the program.
///
/// How many rows a tape keeps of a block of each network was measured; with what is counted here, the peak lies within a
/// quarter of the estimate.
/// - Parameters:
///   - parameters: numbers in the weights.
///   - groups: of a micro-batch.
///   - tape: bytes of a group's tape.
package func trainingBytes(
    parameters: Int, groups: Int, tape: Double, _ optimization: OptimizationConfig, threads: Int
) -> Int {
    let copies = (optimization.accumulation > 1 ? 7 : 6) + groups
    let tapes = tape * Double(min(threads, groups))
    return Int(min(4 * Double(parameters) * Double(copies) + tapes + Double(40 << 20), 0x1p60))
}

/// Bytes of a tape.
/// - Parameters:
///   - blocks: how many blocks of each kind, the bytes of a row for each token of a sample, and how many of these the tape
///     keeps of a block.
///   - rest: bytes of what is no block.
///   - samples: that go through the network together; what they wait for each other was measured.
func tapeBytes(
    _ blocks: [(count: Int, row: Double, rows: Double)], rest: Double, samples: Int, isRecomputed: Bool
) -> Double {
    let kept = blocks.reduce(0) { $0 + Double($1.count) * $1.row * (isRecomputed ? 1 : $1.rows) }
    let largest = isRecomputed ? blocks.map { $0.row * $0.rows }.max() ?? 0 : 0
    return (kept + largest + rest) * Double(samples) * (samples > 1 && !isRecomputed ? 1.2 : 1)
}

extension ComponentConfig {
    /// Numbers in the weights.
    package var parameterCount: Int { expectedTensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}
