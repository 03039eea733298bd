import SSDFCore
import SSDFVolume

/// Which voxels of a cubic volume lie inside, a bit each, brick by brick; and with it, which bricks a surface needs.
struct BrickSigns: ~Copyable, Sendable {
    /// Bricks along a side.
    let side: Int
    /// `[side³, 8]`, in the order of brick positions and of masks.
    let words: Buffer<UInt64>

    /// - Parameter inside: whether a voxel lies inside; called once a voxel, from several threads.
    init(
        side: Int, threads: Int,
        inside: @Sendable (_ brick: BrickCoordinate, _ words: UnsafeMutablePointer<UInt64>) -> Void
    ) {
        self.side = side
        let words = Buffer<UInt64>(zeros: side * side * side * 8)
        let target = Unchecked(words.pointer)
        parallelFor(side * side * side, threads: threads, grain: side) { range in
            for index in range {
                let brick = BrickCoordinate(
                    Int32(index / (side * side)), Int32(index / side % side), Int32(index % side))
                inside(brick, target.value + index * 8)
            }
        }
        self.words = words
    }

    /// Bits of a brick's voxels that touch the brick at an offset, −1 … 1 along each axis.
    private static let touching: [[UInt64]] = (0..<27).map { number in
        let step = [number / 9 - 1, number / 3 % 3 - 1, number % 3 - 1]
        var masks = [UInt64](repeating: 0, count: 8)
        for bit in 0..<512 {
            let place = [bit >> 6, bit >> 3 & 7, bit & 7]
            let touches = zip(place, step).allSatisfy { $1 == 0 || $0 == ($1 < 0 ? 0 : 7) }
            if touches { masks[bit >> 6] |= 1 << UInt64(bit & 63) }
        }
        return masks
    }

    /// Whether a surface passes through a cell that has a corner in the brick.
    func meetsSurface(_ brick: BrickCoordinate) -> Bool {
        let own = words.pointer + index(brick) * 8
        let first = own[0]
        guard first == 0 || first == .max, (1..<8).allSatisfy({ own[$0] == first }) else { return true }
        for number in 0..<27 where number != 13 {
            let other = BrickCoordinate(
                brick.x + Int32(number / 9 - 1), brick.y + Int32(number / 3 % 3 - 1), brick.z + Int32(number % 3 - 1))
            let range = 0..<Int32(side)
            guard range.contains(other.x), range.contains(other.y), range.contains(other.z) else { continue }
            let theirs = words.pointer + index(other) * 8
            // The other's voxels that touch this brick.
            let mask = Self.touching[26 - number]
            for word in 0..<8 where (theirs[word] ^ first) & mask[word] != 0 { return true }
        }
        return false
    }

    private func index(_ brick: BrickCoordinate) -> Int {
        (Int(brick.x) * side + Int(brick.y)) * side + Int(brick.z)
    }
}
