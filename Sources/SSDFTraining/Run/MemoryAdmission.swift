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
/// - Parameters:
///   - parameters: numbers in the weights.
///   - tape: bytes of a group's tape.
package func trainingBytes(parameters: Int, groups: Int, tape: Double, threads: Int) -> Int {
    let weights = 4.0 * Double(parameters)
    let tapes = tape * Double(min(threads, groups))
    return Int(min(weights * Double(6 + groups) + tapes + Double(96 << 20), 0x1p60))
}

extension ComponentConfig {
    /// Numbers in the weights.
    package var parameterCount: Int { expectedTensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}
