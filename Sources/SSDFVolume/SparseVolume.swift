import SSDFCore

/// A sparse volume: sorted 8×8×8 bricks, each with a 512-bit mask of its active voxels and their values in mask order.
///
/// Invariants: bricks strictly ascending; no brick with an empty mask; `offsets[b]` is the number of active voxels
/// before brick `b`, and `offsets[brickCount]` all of them; `values` holds `channels` numbers for each active voxel,
/// those of one voxel together.
package struct SparseVolume: ~Copyable, Sendable {
    /// What the grid says of itself.
    package var metadata: GridMetadata
    /// `[brickCount]`: positions of the bricks, ascending.
    package let bricks: Buffer<BrickCoordinate>
    /// Eight words a brick: word x, bit y·8+z is voxel (x, y, z).
    package let masks: Buffer<UInt64>
    /// `[brickCount + 1]`: active voxels before each brick, and all of them.
    package let offsets: Buffer<Int>
    /// `[activeCount, channels]`: values of the active voxels, in the order of bricks and masks.
    package var values: Buffer<Float>

    /// Takes ownership of parts that satisfy the invariants.
    package init(
        metadata: GridMetadata, bricks: consuming Buffer<BrickCoordinate>, masks: consuming Buffer<UInt64>,
        values: consuming Buffer<Float>
    ) {
        let brickCount = bricks.count
        precondition(masks.count == 8 * brickCount, "eight mask words a brick")
        let offsets = Buffer<Int>(uninitialized: brickCount + 1)
        var total = 0
        for brick in 0..<brickCount {
            offsets.pointer[brick] = total
            var active = 0
            for word in 0..<8 { active &+= masks.pointer[brick * 8 + word].nonzeroBitCount }
            total &+= active
        }
        offsets.pointer[brickCount] = total
        precondition(values.count == total * metadata.channels, "\(metadata.channels) values an active voxel")
        self.metadata = metadata
        self.bricks = bricks
        self.masks = masks
        self.offsets = offsets
        self.values = values
    }

    /// Number of bricks, none of them empty.
    package var brickCount: Int { bricks.count }
    /// Number of active voxels.
    package var activeCount: Int { offsets.pointer[bricks.count] }
    /// Values of an active voxel.
    package var channels: Int { metadata.channels }

    /// Bytes of its buffers.
    package var byteCount: Int { Self.byteCount(bricks: brickCount, values: activeCount * channels) }

    /// Bytes of the buffers of a volume of so many bricks and values.
    package static func byteCount(bricks: Int, values: Int) -> Int {
        bricks * (MemoryLayout<BrickCoordinate>.stride + 64 + MemoryLayout<Int>.stride) + 4 * values
    }

    /// Index of a brick, or nil when the volume has none there.
    /// - Complexity: O(log brickCount).
    package func brickIndex(of coordinate: BrickCoordinate) -> Int? {
        var low = 0
        var high = bricks.count
        while low < high {
            let middle = (low + high) >> 1
            if bricks.pointer[middle] < coordinate { low = middle + 1 } else { high = middle }
        }
        return low < bricks.count && bricks.pointer[low] == coordinate ? low : nil
    }

    /// Row of an active voxel (its values start at `row · channels`), or nil when it is inactive.
    /// - Complexity: O(log brickCount).
    package func row(of voxel: VoxelCoordinate) -> Int? {
        guard let brick = brickIndex(of: voxel.brick) else { return nil }
        return row(brick: brick, bit: voxel.bit)
    }

    /// Row of the voxel at `bit` of brick number `brick`, or nil when it is inactive.
    package func row(brick: Int, bit: Int) -> Int? {
        let words = masks.pointer + brick * 8
        let word = bit >> 6
        let flag = UInt64(1) << UInt64(bit & 63)
        guard words[word] & flag != 0 else { return nil }
        var rank = (words[word] & (flag &- 1)).nonzeroBitCount
        for earlier in 0..<word { rank &+= words[earlier].nonzeroBitCount }
        return offsets.pointer[brick] &+ rank
    }

    /// Calls `body` with the row and coordinate of every active voxel, in order.
    package func forEachActiveVoxel(_ body: (_ row: Int, VoxelCoordinate) -> Void) {
        var row = 0
        for brick in 0..<brickCount {
            let coordinate = bricks.pointer[brick]
            for word in 0..<8 {
                var bits = masks.pointer[brick * 8 + word]
                while bits != 0 {
                    body(row, coordinate.voxel(atBit: word << 6 | bits.trailingZeroBitCount))
                    row &+= 1
                    bits &= bits &- 1
                }
            }
        }
    }

    /// The volume of given voxels, which need not be sorted; the last value wins where one is given twice.
    /// For tests and small inputs.
    /// - Parameters:
    ///   - voxels: `[N]`
    ///   - values: `[N, channels]`
    /// - Complexity: O(N log N).
    package init(metadata: GridMetadata, voxels: [VoxelCoordinate], values: [Float]) {
        let channels = metadata.channels
        precondition(values.count == voxels.count * channels)
        let order = voxels.indices.sorted {
            let (a, b) = (voxels[$0], voxels[$1])
            if a.brick != b.brick { return a.brick < b.brick }
            return a.bit != b.bit ? a.bit < b.bit : $0 < $1
        }
        var bricks: [BrickCoordinate] = []
        var masks: [UInt64] = []
        var rows: [Int] = []
        for index in order {
            let voxel = voxels[index]
            if bricks.last != voxel.brick {
                bricks.append(voxel.brick)
                masks.append(contentsOf: repeatElement(0, count: 8))
            }
            let word = masks.count - 8 + (voxel.bit >> 6)
            let flag = UInt64(1) << UInt64(voxel.bit & 63)
            if masks[word] & flag != 0 { rows.removeLast() }
            masks[word] |= flag
            rows.append(index)
        }
        let packed = Buffer<Float>(uninitialized: rows.count * channels)
        for (row, index) in rows.enumerated() {
            for channel in 0..<channels {
                packed.pointer[row * channels + channel] = values[index * channels + channel]
            }
        }
        self.init(metadata: metadata, bricks: Buffer(bricks), masks: Buffer(masks), values: packed)
    }
}
