import SSDFCore
import SSDFTensor

extension KernelMap {
    /// The map of a 3×3×3 submanifold convolution: outputs where inputs are, tap w at offset
    /// (w mod 3 − 1, ⌊w/3⌋ mod 3 − 1, ⌊w/9⌋ − 1): x varies fastest (SPEC Q1).
    ///
    /// Where coordinates repeat, neighbours see the first row.
    /// - Complexity: O(rows); 27 look-ups a row in a 6×6×6 neighbourhood that is put together once for each 4×4×4 block.
    static func submanifold(_ coordinates: CoordinateSet, threads: Int) -> KernelMap {
        let blocks = BlockTable(coordinates)
        let count = coordinates.count
        let tiles = (count + tileRows - 1) / tileRows
        let starts = Buffer<Int>(zeros: tiles * 27 + 1)
        let startsPointer = Unchecked(starts.pointer)
        // The position of tap 0 … 26 relative to the voxel, in the neighbourhood's z-fastest order.
        let offsets = (0..<27).map { tap in (tap % 3 - 1) * 36 + (tap / 3 % 3 - 1) * 6 + (tap / 9 - 1) }
        parallelFor(tiles, threads: threads, grain: 8) { range in
            var neighbourhood = Neighbourhood(blocks)
            for tile in range {
                let counts = startsPointer.value + tile * 27 + 1
                for row in tile * tileRows..<min((tile + 1) * tileRows, count) {
                    let centre = neighbourhood.move(toRow: row)
                    for tap in 0..<27 { counts[tap] &+= centre[offsets[tap]] >= 0 ? 1 : 0 }
                }
            }
        }
        for place in 1..<starts.count { starts.pointer[place] &+= starts.pointer[place - 1] }
        let pairs = starts.pointer[starts.count - 1]
        let inputs = Buffer<Int32>(uninitialized: pairs)
        let outputs = Buffer<UInt16>(uninitialized: pairs)
        let (inputsPointer, outputsPointer) = (Unchecked(inputs.pointer), Unchecked(outputs.pointer))
        parallelFor(tiles, threads: threads, grain: 8) { range in
            var neighbourhood = Neighbourhood(blocks)
            withUnsafeTemporaryAllocation(of: Int.self, capacity: 27) { next in
                for tile in range {
                    for tap in 0..<27 { next[tap] = startsPointer.value[tile * 27 + tap] }
                    let first = tile * tileRows
                    for row in first..<min(first + tileRows, count) {
                        let centre = neighbourhood.move(toRow: row)
                        for tap in 0..<27 {
                            let input = centre[offsets[tap]]
                            guard input >= 0 else { continue }
                            inputsPointer.value[next[tap]] = input
                            outputsPointer.value[next[tap]] = UInt16(truncatingIfNeeded: row &- first)
                            next[tap] &+= 1
                        }
                    }
                }
            }
        }
        return KernelMap(
            inputRows: count, outputRows: count, taps: 27, isSymmetric: !blocks.hasDuplicates, starts: starts,
            inputs: inputs, outputs: outputs)
    }
}

/// The rows of a coordinate set by place: 4×4×4 blocks found by hashing, each a table of row numbers.
private final class BlockTable: Sendable {
    /// Block of each row.
    let blockOfRow: Buffer<Int32>
    /// Place of each row in its block: x·16 + y·4 + z of the local position.
    let placeOfRow: Buffer<UInt8>
    /// `[blocks, 64]`: row, or −1.
    let table: Buffer<Int32>
    /// `[blocks]`
    let keys: Buffer<SIMD4<Int32>>
    let hasDuplicates: Bool
    private let slots: Buffer<Int32>

    init(_ coordinates: CoordinateSet) {
        let count = coordinates.count
        let rows = coordinates.rows.pointer
        let blockOfRow = Buffer<Int32>(uninitialized: count)
        let placeOfRow = Buffer<UInt8>(uninitialized: count)
        var slots = Self.emptySlots(1 << 10)
        var keys: [SIMD4<Int32>] = []
        var (last, lastKey) = (Int32(-1), SIMD4<Int32>(repeating: Int32.min))
        let shift = SIMD4<Int32>(0, 2, 2, 2)
        for row in 0..<count {
            let c = rows[row]
            let key = c &>> shift
            if key != lastKey {
                if 2 * (keys.count + 1) > slots.count { slots = Self.regrown(slots, keys) }
                let slot = Self.slot(of: key, slots, keys)
                if slots.pointer[slot] < 0 {
                    slots.pointer[slot] = Int32(keys.count)
                    keys.append(key)
                }
                (last, lastKey) = (slots.pointer[slot], key)
            }
            blockOfRow.pointer[row] = last
            placeOfRow.pointer[row] = UInt8(truncatingIfNeeded: (c.y & 3) << 4 | (c.z & 3) << 2 | (c.w & 3))
        }
        let table = Buffer<Int32>(uninitialized: keys.count * 64)
        table.pointer.update(repeating: -1, count: keys.count * 64)
        var hasDuplicates = false
        for row in 0..<count {
            let cell = table.pointer + Int(blockOfRow.pointer[row]) * 64 + Int(placeOfRow.pointer[row])
            if cell.pointee < 0 { cell.pointee = Int32(row) } else { hasDuplicates = true }
        }
        self.blockOfRow = blockOfRow
        self.placeOfRow = placeOfRow
        self.table = table
        self.hasDuplicates = hasDuplicates
        self.slots = slots
        self.keys = Buffer(keys)
    }

    private static func emptySlots(_ count: Int) -> Buffer<Int32> {
        let slots = Buffer<Int32>(uninitialized: count)
        slots.pointer.update(repeating: -1, count: count)
        return slots
    }

    private static func hash(_ key: SIMD4<Int32>) -> Int {
        let a = UInt64(UInt32(bitPattern: key.x)) << 32 | UInt64(UInt32(bitPattern: key.y))
        let b = UInt64(UInt32(bitPattern: key.z)) << 32 | UInt64(UInt32(bitPattern: key.w))
        var h = (a &* 0x9E37_79B9_7F4A_7C15) ^ (b &* 0xC2B2_AE3D_27D4_EB4F)
        h ^= h >> 29
        h = h &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: h >> 20)
    }

    /// The slot that holds a key, or the empty one where it would go.
    private static func slot(
        of key: SIMD4<Int32>, _ slots: borrowing Buffer<Int32>, _ keys: [SIMD4<Int32>]
    ) -> Int {
        let mask = slots.count - 1
        var slot = hash(key) & mask
        while slots.pointer[slot] >= 0, keys[Int(slots.pointer[slot])] != key { slot = (slot + 1) & mask }
        return slot
    }

    private static func regrown(_ old: borrowing Buffer<Int32>, _ keys: [SIMD4<Int32>]) -> Buffer<Int32> {
        let slots = emptySlots(old.count * 4)
        for (block, key) in keys.enumerated() { slots.pointer[slot(of: key, slots, keys)] = Int32(block) }
        return slots
    }

    /// The block with a key, or −1.
    func block(at key: SIMD4<Int32>) -> Int {
        let mask = slots.count - 1
        var slot = Self.hash(key) & mask
        while slots.pointer[slot] >= 0 {
            if keys.pointer[Int(slots.pointer[slot])] == key { return Int(slots.pointer[slot]) }
            slot = (slot + 1) & mask
        }
        return -1
    }
}

/// A block with a border one voxel wide: 6×6×6 row numbers, z fastest. Rows that follow each other mostly share one.
private struct Neighbourhood: ~Copyable {
    private let blocks: BlockTable
    private let cells: Buffer<Int32>
    private var current: Int32 = -1

    init(_ blocks: BlockTable) {
        self.blocks = blocks
        cells = Buffer(uninitialized: 216)
    }

    /// The cell of a row; neighbours lie at ±36, ±6 and ±1.
    mutating func move(toRow row: Int) -> UnsafePointer<Int32> {
        let block = blocks.blockOfRow.pointer[row]
        if block != current {
            current = block
            assemble(Int(block))
        }
        let place = Int(blocks.placeOfRow.pointer[row])
        let (x, y, z) = (place >> 4, place >> 2 & 3, place & 3)
        let cell: Int = (x + 1) * 36 + (y + 1) * 6 + z + 1
        return UnsafePointer(cells.pointer + cell)
    }

    private func assemble(_ block: Int) {
        let key = blocks.keys.pointer[block]
        for dx in -1...1 {
            for dy in -1...1 {
                for dz in -1...1 {
                    let step = SIMD4<Int32>(0, Int32(dx), Int32(dy), Int32(dz))
                    let other = dx == 0 && dy == 0 && dz == 0 ? block : blocks.block(at: key &+ step)
                    copy(other, dx, dy, dz)
                }
            }
        }
    }

    /// Copies the part of a neighbouring block that the border shows.
    private func copy(_ block: Int, _ dx: Int, _ dy: Int, _ dz: Int) {
        func range(_ d: Int) -> (to: Int, from: Int, count: Int) {
            d < 0 ? (0, 3, 1) : d > 0 ? (5, 0, 1) : (1, 0, 4)
        }
        let (x, y, z) = (range(dx), range(dy), range(dz))
        for i in 0..<x.count {
            for j in 0..<y.count {
                let cell: Int = (x.to + i) * 36 + (y.to + j) * 6 + z.to
                let to = cells.pointer + cell
                if block < 0 {
                    for k in 0..<z.count { to[k] = -1 }
                } else {
                    let place: Int = (x.from + i) * 16 + (y.from + j) * 4 + z.from
                    let from = blocks.table.pointer + (block * 64 + place)
                    for k in 0..<z.count { to[k] = from[k] }
                }
            }
        }
    }
}
