import SSDFCore

/// Which queries attend to which keys: segments, in each of which every query sees every key.
///
/// One segment a batch item is full attention; one a window is windowed attention; different lists for queries and
/// keys are cross attention. Tokens are named by row, so nothing is moved. No key belongs to two segments, so that the
/// gradients of segments can be computed side by side.
package final class AttentionPlan: Sendable {
    /// A range of `queryRows` with a range of `keyRows`.
    package struct Segment: Sendable {
        package var queries: Range<Int>
        package var keys: Range<Int>

        package init(queries: Range<Int>, keys: Range<Int>) {
            self.queries = queries
            self.keys = keys
        }
    }

    /// Token of each place in the segments' ranges; empty when place and token are the same.
    package let queryRows: Buffer<Int32>
    package let keyRows: Buffer<Int32>
    package let segments: [Segment]
    package let queryCount: Int
    package let keyCount: Int
    let deviceForm = DeviceForm()

    /// - Parameters:
    ///   - segments: their query ranges hold every query exactly once.
    ///   - queryRows: a permutation of the queries, or empty.
    ///   - keyRows: rows of the keys, or empty.
    package init(
        segments: [Segment], queryCount: Int, keyCount: Int,
        queryRows: consuming Buffer<Int32> = Buffer(uninitialized: 0),
        keyRows: consuming Buffer<Int32> = Buffer(uninitialized: 0)
    ) {
        precondition(segments.reduce(0) { $0 + $1.queries.count } == queryCount, "segments must hold every query once")
        self.segments = segments
        self.queryCount = queryCount
        self.keyCount = keyCount
        self.queryRows = queryRows
        self.keyRows = keyRows
    }

    /// Every query of a batch item attends to every key of that item.
    package convenience init(queries: [Range<Int>], keys: [Range<Int>]) {
        precondition(queries.count == keys.count, "as many key ranges as query ranges")
        self.init(
            segments: zip(queries, keys).map { Segment(queries: $0, keys: $1) },
            queryCount: queries.last?.upperBound ?? 0, keyCount: keys.last?.upperBound ?? 0)
    }

    /// Products that scores take: Σ queries · keys over the segments.
    package var scoreCount: Int { segments.reduce(0) { $0 + $1.queries.count * $1.keys.count } }
}
