import SSDFCore

/// A box of voxels; both corners belong to it.
package struct VoxelBox: Sendable, Equatable {
    /// The corner with the least coordinates.
    package var low: VoxelCoordinate
    /// The corner with the greatest coordinates, which belongs to the box.
    package var high: VoxelCoordinate

    /// - Precondition: no component of `low` is above that of `high`.
    package init(from low: VoxelCoordinate, through high: VoxelCoordinate) {
        precondition(low.x <= high.x && low.y <= high.y && low.z <= high.z)
        self.low = low
        self.high = high
    }

    /// The voxels 0 ..< side along each axis.
    package static func cube(_ side: Int) -> Self {
        let last = Int32(side - 1)
        return Self(from: VoxelCoordinate(0, 0, 0), through: VoxelCoordinate(last, last, last))
    }

    /// The voxels along an axis.
    package func range(_ axis: Axis) -> Range<Int> { Int(low[axis])..<Int(high[axis]) + 1 }

    /// Whether a voxel belongs to the box.
    package func contains(_ voxel: VoxelCoordinate) -> Bool {
        voxel.x >= low.x && voxel.x <= high.x && voxel.y >= low.y && voxel.y <= high.y && voxel.z >= low.z
            && voxel.z <= high.z
    }

    /// Voxels along x, y and z.
    package var size: (x: Int, y: Int, z: Int) {
        (Int(high.x) - Int(low.x) + 1, Int(high.y) - Int(low.y) + 1, Int(high.z) - Int(low.z) + 1)
    }

    /// Voxels in all; nil when there are more than can be counted.
    package var count: Int? {
        let (xy, first) = size.x.multipliedReportingOverflow(by: size.y)
        let (xyz, second) = xy.multipliedReportingOverflow(by: size.z)
        return first || second ? nil : xyz
    }

    /// The least box around both.
    package func union(_ other: Self) -> Self {
        Self(
            from: VoxelCoordinate(
                min(low.x, other.low.x), min(low.y, other.low.y), min(low.z, other.low.z)),
            through: VoxelCoordinate(
                max(high.x, other.high.x), max(high.y, other.high.y), max(high.z, other.high.z)))
    }
}

extension SparseVolume {
    /// The least box around the active voxels; nil when there are none.
    /// - Complexity: O(brickCount).
    package var activeBox: VoxelBox? {
        var box: VoxelBox?
        for brick in 0..<brickCount {
            let words = masks.pointer + brick * 8
            var plane: UInt64 = 0
            var (x, y, z) = (0...0, 0...0, 0...0)
            for word in 0..<8 { plane |= words[word] }
            guard let first = (0..<8).first(where: { words[$0] != 0 }),
                let last = (0..<8).last(where: { words[$0] != 0 })
            else { continue }
            x = first...last
            y = (plane.trailingZeroBitCount >> 3)...((63 - plane.leadingZeroBitCount) >> 3)
            var row: UInt64 = 0
            for line in 0..<8 { row |= plane >> UInt64(line * 8) & 0xff }
            z = row.trailingZeroBitCount...(63 - row.leadingZeroBitCount)
            let corner = bricks.pointer[brick].voxel(atBit: 0)
            let own = VoxelBox(
                from: VoxelCoordinate(
                    corner.x + Int32(x.lowerBound), corner.y + Int32(y.lowerBound), corner.z + Int32(z.lowerBound)),
                through: VoxelCoordinate(
                    corner.x + Int32(x.upperBound), corner.y + Int32(y.upperBound), corner.z + Int32(z.upperBound)))
            box = box?.union(own) ?? own
        }
        return box
    }

    /// What a dense array of the volume covers: the cube 0 ..< resolution where there is one, and all active voxels.
    package var denseBox: VoxelBox? {
        let side = metadata.resolution
        guard side > 0, side <= Int(Int32.max) else { return activeBox }
        return activeBox?.union(.cube(side)) ?? .cube(side)
    }
}
