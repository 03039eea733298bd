import SSDFCore
import SSDFTensor
import SSDFVolume

extension CoordinateSet {
    /// The active voxels of a volume, in its order, as batch item 0.
    /// - Throws: `badData` when a voxel lies outside `0 ..< side` on some axis.
    package convenience init(_ volume: borrowing SparseVolume, side: Int) throws(Failure) {
        let rows = Buffer<SIMD4<Int32>>(uninitialized: volume.activeCount)
        let target = rows.pointer
        var outside: VoxelCoordinate?
        let range = 0..<Int32(side)
        volume.forEachActiveVoxel { row, voxel in
            target[row] = SIMD4(0, voxel.x, voxel.y, voxel.z)
            if !(range.contains(voxel.x) && range.contains(voxel.y) && range.contains(voxel.z)) { outside = voxel }
        }
        if let outside {
            throw .badData(
                place: "grid \"\(volume.metadata.name)\"",
                "active voxel (\(outside.x), \(outside.y), \(outside.z))", expected: "0 to \(side - 1) on each axis")
        }
        try self.init(rows)
    }
}

extension SparseVolume {
    /// The volume of a sparse tensor of one batch item.
    /// - Parameter x: `[N, metadata.channels]`, every voxel once, in `BlockOrder` of blocks of 8: the order of bricks.
    package init(metadata: GridMetadata, _ x: SparseTensor) {
        let rows = x.coordinates.rows.pointer
        var bricks: [BrickCoordinate] = []
        var masks: [UInt64] = []
        for row in 0..<x.count {
            let voxel = VoxelCoordinate(rows[row].y, rows[row].z, rows[row].w)
            if bricks.last != voxel.brick {
                bricks.append(voxel.brick)
                masks.append(contentsOf: repeatElement(0, count: 8))
            }
            masks[masks.count - 8 + (voxel.bit >> 6)] |= 1 << UInt64(voxel.bit & 63)
        }
        let values = Buffer<Float>(uninitialized: x.count * metadata.channels)
        values.pointer.update(from: x.features.pointer, count: values.count)
        self.init(metadata: metadata, bricks: Buffer(bricks), masks: Buffer(masks), values: values)
    }
}
