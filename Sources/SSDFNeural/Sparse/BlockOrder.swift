import SSDFCore
import SSDFTensor

/// A coordinate set in the order that block-sparse attention wants: inside each batch item by block, then by place in
/// the block, both by x, y, z (SPEC §12, sort_block).
package struct BlockOrder: Sendable {
    /// The sorted set, or the set itself when it was sorted.
    package let coordinates: CoordinateSet
    /// Row of the original set at each place of the sorted one; nil when it was sorted.
    package let permutation: RowMap?
    /// Place in the sorted set of each original row.
    package let inverse: RowMap?

    /// - Parameter size: side of a block.
    package init(_ original: CoordinateSet, size: Int) throws(Failure) {
        let side = Int32(size)
        var order: [Int32] = []
        order.reserveCapacity(original.count)
        for range in original.layout {
            let (blocks, ranks) = sortedGroups(of: range.count) { row in
                let c = original.rows.pointer[range.lowerBound + row]
                return SIMD4(c.x, floorDivide(c.y, side), floorDivide(c.z, side), floorDivide(c.w, side))
            }
            // Groups keep the order of rows; inside a group the local position decides.
            var start = 0
            while start < blocks.count {
                var end = start
                while end < blocks.count, ranks[end] == ranks[start] { end += 1 }
                let rows = blocks[start..<end].map { Int($0) + range.lowerBound }.sorted { a, b in
                    let (p, q) = (original.rows.pointer[a], original.rows.pointer[b])
                    if p.y != q.y { return p.y < q.y }
                    if p.z != q.z { return p.z < q.z }
                    return p.w != q.w ? p.w < q.w : a < b
                }
                order.append(contentsOf: rows.map(Int32.init))
                start = end
            }
        }
        if zip(order, 0...).allSatisfy({ $0 == $1 }) {
            coordinates = original
            permutation = nil
            inverse = nil
            return
        }
        let sorted = Buffer<SIMD4<Int32>>(uninitialized: original.count)
        let places = Buffer<Int32>(uninitialized: original.count)
        for (place, row) in order.enumerated() {
            sorted.pointer[place] = original.rows.pointer[Int(row)]
            places.pointer[Int(row)] = Int32(place)
        }
        coordinates = try CoordinateSet(sorted)
        permutation = RowMap(Buffer(order), targets: original.count)
        inverse = RowMap(places, targets: original.count)
    }
}

extension BlockLayout {
    /// The blocks of side `size` of sorted coordinates, with compressed keys at the cells of side `cell`.
    /// - Precondition: the coordinates are in `BlockOrder`, and `size` is a multiple of `cell`.
    convenience init(_ coordinates: CoordinateSet, size: Int, cell: Int) {
        precondition(size % cell == 0, "blocks of \(size) do not hold whole cells of \(cell)")
        let (blocks, blockOfRow) = coordinates.coarser(by: size)
        let (cells, cellOfRow) = coordinates.coarser(by: cell)
        let starts = Buffer<Int32>(uninitialized: blocks.count + 1)
        let blockOfKey = Buffer<Int32>(uninitialized: cells.count)
        var last = Int32(-1)
        for row in 0..<coordinates.count {
            let block = blockOfRow.index.pointer[row]
            precondition(block == last || block == last + 1, "tokens are not sorted by block")
            if block != last { starts.pointer[Int(block)] = Int32(row) }
            last = block
            blockOfKey.pointer[Int(cellOfRow.index.pointer[row])] = block
        }
        starts.pointer[blocks.count] = Int32(coordinates.count)
        var items: [Item] = []
        for (index, tokens) in coordinates.layout.enumerated() {
            let keys = cells.layout[index]
            for key in keys { blockOfKey.pointer[key] -= Int32(blocks.layout[index].lowerBound) }
            items.append(Item(tokens: tokens, keys: keys, blocks: blocks.layout[index]))
        }
        self.init(items: items, starts: starts, blockOfKey: blockOfKey)
    }
}
