import SSDFCore

/// The processes of a run that works on several machines, and how they add up.
///
/// Micro-batches of a step are numbered through: process r of n does numbers r, r + n, r + 2n, …, and after each of
/// them all add their gradients to the total in the order of the numbers. So n processes make the bytes that one
/// makes with the same `accumulation`.
package protocol GradientReduction: Sendable {
    var rank: Int { get }
    var count: Int { get }

    /// total ← total + own₀ + own₁ + … in the order of ranks, the same bytes everywhere.
    /// - Parameter isFirst: the total is to start from zero.
    func add(
        _ own: UnsafeBufferPointer<Float>, to total: UnsafeMutableBufferPointer<Float>, isFirst: Bool
    ) throws(Failure)

    /// The lists of all processes, one after the other.
    func gather(_ own: [Double]) throws(Failure) -> [Double]

    /// Does something that may fail on one process and not on another: all go on, or all fail as the first that did.
    func together<Result>(_ body: () throws -> Result) throws -> Result
}

/// A run of one process.
package struct SingleProcess: GradientReduction {
    /// The first, and only.
    package var rank: Int { 0 }
    /// One.
    package var count: Int { 1 }

    /// A run of one process.
    package init() {}

    /// total ← total + own, or own alone.
    package func add(
        _ own: UnsafeBufferPointer<Float>, to total: UnsafeMutableBufferPointer<Float>, isFirst: Bool
    ) {
        if isFirst {
            _ = total.update(from: own)
        } else {
            for index in 0..<own.count { total[index] += own[index] }
        }
    }

    /// The list itself.
    package func gather(_ own: [Double]) -> [Double] { own }

    /// Does it; there is no other process to agree with.
    package func together<Result>(_ body: () throws -> Result) throws -> Result { try body() }
}
