import SSDFCore
import SSDFTensor
import Synchronization

/// The coordinates of a sparse tensor's rows, and what layers derive from them: kernel maps, coarser and finer sets,
/// window partitions. Each is built when first asked for and shared by all layers that see this set.
///
/// Rows of one batch item lie together, items in ascending order.
package final class CoordinateSet: Sendable {
    /// `[N, 4]`: batch, x, y, z.
    package let rows: Buffer<SIMD4<Int32>>
    /// Row range of each batch item.
    package let layout: [Range<Int>]

    private struct Derived {
        var kernelMap: KernelMap?
        var coarser: [Int: (set: CoordinateSet, map: RowMap)] = [:]
        var finer: (set: CoordinateSet, map: RowMap)?
        var windows: [Window: WindowPartition] = [:]
        var full: AttentionPlan?
        var orders: [Int: BlockOrder] = [:]
        var blocks: [Blocks: BlockLayout] = [:]
        var places: [Int: RowMap] = [:]
    }

    struct Window: Hashable {
        var size: Int
        var shift: Int
    }

    private struct Blocks: Hashable {
        var size: Int
        var cell: Int
    }

    private let derived = Mutex(Derived())

    /// - Throws: `badData` when batch items are not contiguous and ascending, or a batch number is negative or beyond
    ///   the number of rows.
    package init(_ rows: consuming Buffer<SIMD4<Int32>>) throws(Failure) {
        var layout: [Range<Int>] = []
        var start = 0
        for row in 0..<rows.count {
            let batch = rows.pointer[row].x
            guard batch >= 0, Int(batch) < rows.count else {
                throw .badData(
                    place: "coordinate row \(row)", "batch number \(batch)", expected: "0 … \(rows.count - 1)")
            }
            if row > 0, batch < rows.pointer[row - 1].x {
                throw .badData(
                    place: "coordinate row \(row)", "batch number \(batch) after \(rows.pointer[row - 1].x)",
                    expected: "ascending batch numbers")
            }
            while layout.count < Int(batch) {
                layout.append(start..<row)
                start = row
            }
        }
        if rows.count > 0 { layout.append(start..<rows.count) }
        self.rows = rows
        self.layout = layout
    }

    /// Takes ownership of rows whose layout is known.
    private init(trusted rows: consuming Buffer<SIMD4<Int32>>, layout: [Range<Int>]) {
        self.rows = rows
        self.layout = layout
    }

    /// Number of coordinates, over all items of the batch.
    package var count: Int { rows.count }

    /// The neighbours of a 3×3×3 submanifold convolution.
    package func kernelMap(threads: Int) -> KernelMap {
        if let map = derived.withLock({ $0.kernelMap }) { return map }
        let map = KernelMap.submanifold(self, threads: threads)
        return derived.withLock {
            $0.kernelMap = $0.kernelMap ?? map
            return $0.kernelMap!
        }
    }

    /// The cells of side `factor` that hold rows, ascending by (batch, x, y, z), and the cell of each row.
    package func coarser(by factor: Int) -> (set: CoordinateSet, map: RowMap) {
        if let known = derived.withLock({ $0.coarser[factor] }) { return known }
        let built = makeCoarser(Int32(factor))
        return derived.withLock {
            let result = $0.coarser[factor] ?? built
            $0.coarser[factor] = result
            return result
        }
    }

    /// The eight children of every row, 8i … 8i+7 those of row i, and the parent of each child.
    package func finer() -> (set: CoordinateSet, map: RowMap) {
        if let known = derived.withLock({ $0.finer }) { return known }
        let built = makeFiner()
        return derived.withLock {
            $0.finer = $0.finer ?? built
            return $0.finer!
        }
    }

    /// The windows of side `size` after `shift` is added to every coordinate.
    package func windows(size: Int, shift: Int) -> WindowPartition {
        let key = Window(size: size, shift: shift)
        if let known = derived.withLock({ $0.windows[key] }) { return known }
        let built = WindowPartition(self, size: size, shift: shift)
        return derived.withLock {
            let result = $0.windows[key] ?? built
            $0.windows[key] = result
            return result
        }
    }

    /// Every row of a batch item with every row of it.
    package func fullAttention() -> AttentionPlan {
        derived.withLock {
            let plan = $0.full ?? AttentionPlan(queries: layout, keys: layout)
            $0.full = plan
            return plan
        }
    }

    /// This set in the order of its blocks of side `size`.
    package func blockOrder(size: Int) throws(Failure) -> BlockOrder {
        if let known = derived.withLock({ $0.orders[size] }) { return known }
        let built = try BlockOrder(self, size: size)
        return derived.withLock {
            let result = $0.orders[size] ?? built
            $0.orders[size] = result
            return result
        }
    }

    /// The blocks of side `size` and the cells of side `cell` of a set in block order.
    package func blockLayout(size: Int, cell: Int) -> BlockLayout {
        let key = Blocks(size: size, cell: cell)
        if let known = derived.withLock({ $0.blocks[key] }) { return known }
        let built = BlockLayout(self, size: size, cell: cell)
        return derived.withLock {
            let result = $0.blocks[key] ?? built
            $0.blocks[key] = result
            return result
        }
    }

    /// The place of every row in its cell of side `size`: ((x mod s)·s + y mod s)·s + z mod s.
    package func placesInCells(size: Int) -> RowMap {
        if let known = derived.withLock({ $0.places[size] }) { return known }
        let side = Int32(size)
        let index = Buffer<Int32>(uninitialized: count)
        for row in 0..<count {
            let c = rows.pointer[row]
            let (x, y, z) = (
                c.y - floorDivide(c.y, side) * side, c.z - floorDivide(c.z, side) * side,
                c.w - floorDivide(c.w, side) * side
            )
            index.pointer[row] = (x * side + y) * side + z
        }
        let built = RowMap(index, targets: size * size * size)
        return derived.withLock {
            let result = $0.places[size] ?? built
            $0.places[size] = result
            return result
        }
    }

    /// Lets go of everything derived: of memory that only other resolutions used.
    package func forgetDerived() { derived.withLock { $0 = Derived() } }

    private func makeCoarser(_ factor: Int32) -> (set: CoordinateSet, map: RowMap) {
        precondition(factor > 0)
        let (order, ranks) = sortedGroups(of: count) { row in
            let c = rows.pointer[row]
            return SIMD4(c.x, floorDivide(c.y, factor), floorDivide(c.z, factor), floorDivide(c.w, factor))
        }
        let cells = (ranks.last ?? -1) + 1
        let index = Buffer<Int32>(uninitialized: count)
        let coarse = Buffer<SIMD4<Int32>>(uninitialized: Int(cells))
        for place in 0..<count {
            let row = Int(order[place])
            index.pointer[row] = ranks[place]
            let c = rows.pointer[row]
            coarse.pointer[Int(ranks[place])] = SIMD4(
                c.x, floorDivide(c.y, factor), floorDivide(c.z, factor), floorDivide(c.w, factor))
        }
        return (
            CoordinateSet(trusted: coarse, batches: layout.count), RowMap(index, targets: Int(cells))
        )
    }

    private func makeFiner() -> (set: CoordinateSet, map: RowMap) {
        let children = Buffer<SIMD4<Int32>>(uninitialized: 8 * count)
        let index = Buffer<Int32>(uninitialized: 8 * count)
        for row in 0..<count {
            let c = rows.pointer[row]
            for child in 0..<8 {
                let digits = SIMD4<Int32>(0, Int32(child >> 2), Int32(child >> 1 & 1), Int32(child & 1))
                children.pointer[8 * row + child] = SIMD4(c.x, c.y &* 2, c.z &* 2, c.w &* 2) &+ digits
                index.pointer[8 * row + child] = Int32(row)
            }
        }
        let finerLayout = layout.map { 8 * $0.lowerBound..<8 * $0.upperBound }
        return (CoordinateSet(trusted: children, layout: finerLayout), RowMap(index, targets: count))
    }

    /// Rows sorted by batch: the layout is where the batch number changes.
    private convenience init(trusted rows: consuming Buffer<SIMD4<Int32>>, batches: Int) {
        var layout: [Range<Int>] = []
        var start = 0
        for batch in 0..<batches {
            var end = start
            while end < rows.count, Int(rows.pointer[end].x) == batch { end += 1 }
            layout.append(start..<end)
            start = end
        }
        self.init(trusted: rows, layout: layout)
    }
}

/// ⌊a / b⌋ for b > 0.
func floorDivide(_ a: Int32, _ b: Int32) -> Int32 {
    let quotient = a / b
    return a % b < 0 ? quotient - 1 : quotient
}

/// Rows in ascending order of their keys, equal keys by row, and the rank of each place's key among the distinct keys.
/// - Complexity: O(count · log count).
func sortedGroups(of count: Int, key: (Int) -> SIMD4<Int32>) -> (order: [Int32], ranks: [Int32]) {
    // Keys are packed into 96 bits of (batch, x, y, z) offset by their minima where they fit into one word; the
    // coordinates of any real grid do.
    let keys = (0..<count).map(key)
    guard var low = keys.first else { return ([], []) }
    var high = low
    for key in keys {
        low = pointwiseMin(low, key)
        high = pointwiseMax(high, key)
    }
    var bits = [0, 0, 0, 0]
    for axis in 0..<4 {
        let span = UInt64(Int64(high[axis]) - Int64(low[axis]))
        bits[axis] = 64 - span.leadingZeroBitCount
    }
    let rowBits = 64 - UInt64(count).leadingZeroBitCount
    var order = [Int32](repeating: 0, count: count)
    if bits.reduce(rowBits, +) <= 64 {
        var packed = [UInt64](repeating: 0, count: count)
        for row in 0..<count {
            var word: UInt64 = 0
            for axis in 0..<4 {
                word = word << UInt64(bits[axis]) | UInt64(Int64(keys[row][axis]) - Int64(low[axis]))
            }
            packed[row] = word << UInt64(rowBits) | UInt64(row)
        }
        packed.sort()
        let mask = (UInt64(1) << UInt64(rowBits)) - 1
        for place in 0..<count { order[place] = Int32(packed[place] & mask) }
    } else {
        order = (0..<Int32(count)).sorted { a, b in
            let (p, q) = (keys[Int(a)], keys[Int(b)])
            for axis in 0..<4 where p[axis] != q[axis] { return p[axis] < q[axis] }
            return a < b
        }
    }
    var ranks = [Int32](repeating: 0, count: count)
    for place in 1..<max(count, 1) where place < count {
        ranks[place] = ranks[place - 1] + (keys[Int(order[place])] == keys[Int(order[place - 1])] ? 0 : 1)
    }
    return (order, ranks)
}
