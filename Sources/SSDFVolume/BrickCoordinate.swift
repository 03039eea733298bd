import SSDFCore

/// The integer position of a voxel: the sample at `indexToWorld(x, y, z)`.
@usableFromInline package struct VoxelCoordinate: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The position along each axis.
    @usableFromInline package var x: Int32, y: Int32, z: Int32

    /// The voxel at a position.
    @inlinable package init(_ x: Int32, _ y: Int32, _ z: Int32) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// Lexicographic by x, then y, then z.
    @inlinable package static func < (a: Self, b: Self) -> Bool {
        a.x != b.x ? a.x < b.x : a.y != b.y ? a.y < b.y : a.z < b.z
    }

    /// The brick that holds this voxel.
    @inlinable package var brick: BrickCoordinate { BrickCoordinate(x >> 3, y >> 3, z >> 3) }

    /// Bit of this voxel in its brick's mask: x·64 + y·8 + z of the local position.
    @inlinable package var bit: Int { Int(x & 7) << 6 | Int(y & 7) << 3 | Int(z & 7) }
}

/// The position of an 8×8×8 brick, in bricks: it holds voxels `8·position ..< 8·position + 8`.
@usableFromInline package struct BrickCoordinate: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The position along each axis, a voxel's divided by 8 and rounded down.
    @usableFromInline package var x: Int32, y: Int32, z: Int32

    /// The brick at a position.
    @inlinable package init(_ x: Int32, _ y: Int32, _ z: Int32) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// Lexicographic by x, then y, then z: the order of bricks in every volume and file.
    @inlinable package static func < (a: Self, b: Self) -> Bool {
        a.x != b.x ? a.x < b.x : a.y != b.y ? a.y < b.y : a.z < b.z
    }

    /// The voxel of this brick at a mask bit.
    @inlinable package func voxel(atBit bit: Int) -> VoxelCoordinate {
        VoxelCoordinate(x &* 8 &+ Int32(bit >> 6), y &* 8 &+ Int32(bit >> 3 & 7), z &* 8 &+ Int32(bit & 7))
    }

    /// Brick positions for which all voxel coordinates fit in 32 bits.
    @inlinable package static var range: ClosedRange<Int32> { -(1 << 28)...(1 << 28) - 1 }
}
