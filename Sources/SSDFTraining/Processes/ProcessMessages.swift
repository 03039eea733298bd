import SSDFCore

/// Messages between the processes of a run. All processes make the same calls in the same order, from one thread each.
package protocol ProcessMessages: Sendable {
    /// This process's number, from 0.
    var rank: Int { get }
    var count: Int { get }

    /// Gives every process its part of what each has.
    /// - Parameters:
    ///   - send: the parts for process 0, 1, …, one after the other, `sendCounts[p]` numbers for process p.
    ///   - receive: room for the parts from process 0, 1, …, `receiveCounts[p]` numbers from process p.
    func exchange(
        _ send: UnsafeBufferPointer<Float>, sendCounts: [Int], into receive: UnsafeMutableBufferPointer<Float>,
        receiveCounts: [Int])

    /// Gives every process the bytes of all, one after the other.
    /// - Parameter counts: how many bytes each process has.
    func collect(_ own: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int])

    /// Gives every process the bytes of process 0, as many everywhere.
    func broadcast(_ bytes: UnsafeMutableRawBufferPointer)
}
