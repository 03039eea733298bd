import CSSDFKernels
import SSDFCore
import SSDFTensor

extension KernelMap {
    /// The map of a 3×3×3 submanifold convolution: outputs where inputs are, tap w at offset
    /// (w mod 3 − 1, ⌊w/3⌋ mod 3 − 1, ⌊w/9⌋ − 1): x varies fastest (SPEC Q1).
    ///
    /// Where coordinates repeat, neighbours see the first row.
    /// - Complexity: O(rows): 27 look-ups a row, twice, in 4×4×4 blocks whose neighbours are found by hashing.
    static func submanifold(_ coordinates: CoordinateSet, threads: Int) -> KernelMap {
        let blocks = BlockTable(coordinates)
        let count = coordinates.count
        let tiles = (count + tileRows - 1) / tileRows
        let starts = Buffer<Int>(zeros: tiles * 27 + 1)
        let startsPointer = Unchecked(starts.pointer)
        let table = blocks.neighbourTable(threads: threads)
        let tablePointer = Unchecked(table)
        parallelFor(tiles, threads: threads, grain: 8) { range in
            for tile in range {
                let first = tile * tileRows
                ssdf_count_neighbours(
                    tablePointer.value, first, min(tileRows, count - first), startsPointer.value + tile * 27 + 1)
            }
        }
        for place in 1..<starts.count { starts.pointer[place] &+= starts.pointer[place - 1] }
        let pairs = starts.pointer[starts.count - 1]
        let inputs = Buffer<Int32>(uninitialized: pairs)
        let outputs = Buffer<UInt16>(uninitialized: pairs)
        let (inputsPointer, outputsPointer) = (Unchecked(inputs.pointer), Unchecked(outputs.pointer))
        parallelFor(tiles, threads: threads, grain: 8) { range in
            for tile in range {
                let first = tile * tileRows
                ssdf_list_neighbours(
                    tablePointer.value, first, min(tileRows, count - first), startsPointer.value + tile * 27,
                    inputsPointer.value, outputsPointer.value)
            }
        }
        withExtendedLifetime(blocks) {}
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
    /// `[blocks + 1, 64]`: row, or −1; the last block is empty and stands for all that do not exist.
    let table: Buffer<Int32>
    /// `[blocks]`
    let keys: Buffer<SIMD4<Int32>>
    let hasDuplicates: Bool
    private let slots: Buffer<Int32>
    /// `[blocks, 27]`: the blocks around a block, (dx + 1)·9 + (dy + 1)·3 + dz + 1.
    private let around: Buffer<Int32>

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
        let table = Buffer<Int32>(uninitialized: (keys.count + 1) * 64)
        table.pointer.update(repeating: -1, count: (keys.count + 1) * 64)
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
        around = Buffer(uninitialized: keys.count * 27)
    }

    /// What the kernels need; valid while this table lives.
    func neighbourTable(threads: Int) -> ssdf_neighbour_table {
        let count = keys.count
        parallelFor(count, threads: threads, grain: 256) { range in
            for block in range {
                for place in 0..<27 {
                    let step = SIMD4<Int32>(
                        0, Int32(place / 9 - 1), Int32(place / 3 % 3 - 1), Int32(place % 3 - 1))
                    let other = place == 13 ? block : self.block(at: self.keys.pointer[block] &+ step)
                    self.around.pointer[block * 27 + place] = Int32(other < 0 ? count : other)
                }
            }
        }
        return ssdf_neighbour_table(
            block_of_row: blockOfRow.pointer, place_of_row: placeOfRow.pointer, around: around.pointer,
            rows: table.pointer)
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
