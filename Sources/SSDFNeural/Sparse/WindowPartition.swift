import SSDFCore
import SSDFTensor

/// Rows grouped into cubic windows: two rows share a window when their batch item and ⌊(coordinate + shift)/size⌋
/// agree on every axis. There is no wrap-around: windows at the border are smaller (SPEC Q3).
package final class WindowPartition: Sendable {
    /// Window of each row, windows numbered in ascending (batch, x, y, z).
    package let rank: [Int32]
    /// Rows of each window.
    package let lengths: [Int]
    /// Every row of a window with every row of it.
    package let plan: AttentionPlan

    init(_ coordinates: CoordinateSet, size: Int, shift: Int) {
        precondition(size > 0)
        let (side, move) = (Int32(size), Int32(shift))
        let count = coordinates.count
        let (order, ranks) = sortedGroups(of: count) { row in
            let c = coordinates.rows.pointer[row]
            return SIMD4(
                c.x, floorDivide(c.y &+ move, side), floorDivide(c.z &+ move, side), floorDivide(c.w &+ move, side))
        }
        var rank = [Int32](repeating: 0, count: count)
        var lengths = [Int](repeating: 0, count: Int(ranks.last ?? -1) + 1)
        for place in 0..<count {
            rank[Int(order[place])] = ranks[place]
            lengths[Int(ranks[place])] += 1
        }
        var start = 0
        let segments = lengths.map { length in
            defer { start += length }
            return AttentionPlan.Segment(queries: start..<start + length, keys: start..<start + length)
        }
        self.rank = rank
        self.lengths = lengths
        plan = AttentionPlan(
            segments: segments, queryCount: count, keyCount: count, queryRows: Buffer(order), keyRows: Buffer(order))
    }
}
