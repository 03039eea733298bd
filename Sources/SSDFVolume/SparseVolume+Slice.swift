import SSDFCore

/// The axes of voxel space.
package enum Axis: String, Sendable, CaseIterable {
    case x, y, z

    /// The two other axes, as a slice shows them: to the right, and up.
    package var others: (right: Axis, up: Axis) {
        switch self {
        case .x: (.z, .y)
        case .y: (.x, .z)
        case .z: (.x, .y)
        }
    }
}

extension VoxelCoordinate {
    /// The component along an axis.
    package subscript(axis: Axis) -> Int32 {
        switch axis {
        case .x: x
        case .y: y
        case .z: z
        }
    }
}

/// One plane of voxels.
package struct VolumeSlice: Sendable {
    /// Voxel positions across and up, along `Axis.others`.
    package let columns: Range<Int>
    /// Voxel positions up the slice, along the second of `Axis.others`.
    package let rows: Range<Int>
    /// `[rows, columns]`: the first channel; NaN where the voxel is inactive.
    package let values: [Float]
}

extension SparseVolume {
    /// The longest side of a slice.
    package static var largestSlice: Int { 16_384 }

    /// The voxels `axis = position`: over the cube that the grid covers, or over the active voxels where it has none.
    /// - Throws: `badData` when the plane would be longer than `largestSlice`; `usage` when the position lies outside.
    /// - Complexity: O(brickCount + size of the slice).
    package func slice(_ axis: Axis, at position: Int) throws(Failure) -> VolumeSlice {
        let (right, up) = axis.others
        let box = coveredBox
        let depth = box.range(axis)
        guard depth.contains(position) else {
            throw Failure(
                .usage,
                "slice \(axis)=\(position) lies outside the grid, expected \(depth.lowerBound)…\(depth.upperBound - 1)")
        }
        let columns = box.range(right)
        let rows = box.range(up)
        guard columns.count <= Self.largestSlice, rows.count <= Self.largestSlice else {
            throw .badData(
                place: "grid \(metadata.name)", "a slice of \(columns.count)×\(rows.count) voxels",
                expected: "at most \(Self.largestSlice) a side")
        }
        var values = [Float](repeating: .nan, count: columns.count * rows.count)
        for brick in 0..<brickCount {
            let coordinate = bricks.pointer[brick]
            let first = Int(coordinate.voxel(atBit: 0)[axis])
            guard first <= position, position < first + 8 else { continue }
            for bit in 0..<512 {
                let voxel = coordinate.voxel(atBit: bit)
                guard Int(voxel[axis]) == position, let row = row(brick: brick, bit: bit) else { continue }
                let (c, r) = (Int(voxel[right]), Int(voxel[up]))
                guard columns.contains(c), rows.contains(r) else { continue }
                let value = self.values.count > 0 ? self.values.pointer[row * channels] : 1
                values[(r - rows.lowerBound) * columns.count + c - columns.lowerBound] = value
            }
        }
        return VolumeSlice(columns: columns, rows: rows, values: values)
    }

    /// The voxels from 0 to the resolution, or where there is none, the bricks' box.
    private var coveredBox: VoxelBox {
        let side = metadata.resolution
        guard side == 0 || brickCount == 0 else { return .cube(side) }
        guard brickCount > 0 else { return .cube(max(side, 1)) }
        var low = bricks.pointer[0].voxel(atBit: 0)
        var high = low
        for brick in 0..<brickCount {
            let v = bricks.pointer[brick].voxel(atBit: 0)
            low = VoxelCoordinate(min(low.x, v.x), min(low.y, v.y), min(low.z, v.z))
            high = VoxelCoordinate(max(high.x, v.x), max(high.y, v.y), max(high.z, v.z))
        }
        return VoxelBox(from: low, through: VoxelCoordinate(high.x + 7, high.y + 7, high.z + 7))
    }
}
