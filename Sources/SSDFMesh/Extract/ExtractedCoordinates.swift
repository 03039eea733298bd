import SSDFCore
import SSDFVolume

/// The map from voxel indices to the coordinates of an extracted mesh, and what follows from it.
struct ExtractedCoordinates: Sendable {
    let map: AffineTransform3
    /// Whether the map mirrors, so that triangles must be turned round to keep facing outwards.
    let mirrors: Bool
    /// The share of an edge that a vertex keeps away from the edge's ends.
    ///
    /// Where a value equals the level, vertices of all edges around that voxel would coincide. Kept apart by a few
    /// spacings of 32-bit numbers, as large as they are at the far end of the volume, they and the triangles between
    /// them stay distinct, and no vertex moves further than rounding might have moved it.
    let margin: Double

    /// - Throws: `badData` when the volume's affine maps do not make an invertible one.
    init(_ volume: borrowing SparseVolume, _ coordinates: ExtractCoordinates) throws(Failure) {
        let metadata = volume.metadata
        switch coordinates {
        case .index: map = .identity
        case .cube: map = metadata.indexToWorld
        case .original: map = metadata.worldToSource.composed(after: metadata.indexToWorld)
        }
        guard map.inverse != nil, map.translation.isFinite else {
            throw .badData(
                place: "grid \"\(metadata.name)\"", "the map to \(coordinates.rawValue) coordinates is singular",
                expected: "an invertible one")
        }
        mirrors = map.determinant < 0
        var low = Vector3d(repeating: .infinity)
        var high = Vector3d(repeating: -.infinity)
        for brick in volume.bricks.unsafeElements {
            let corner = Vector3d(Double(brick.x), Double(brick.y), Double(brick.z)) * 8
            low = pointwiseMin(low, corner)
            high = pointwiseMax(high, corner + 8)
        }
        var farthest = 0.0
        if volume.brickCount > 0 {
            for corner in 0..<8 {
                let offset = CellTopology.position(corner: corner)
                let p = map(low + (high - low) * offset)
                farthest = max(farthest, abs(p.x), abs(p.y), abs(p.z))
            }
        }
        let shortest = min(map.x.length, map.y.length, map.z.length)
        margin = min(max(farthest / shortest * 0x1p-21, 0x1p-16), 0.125)
    }

    /// Row-major 3×4, as kernels take it.
    var rows: [Double] { map.rows }

    /// Row-major 3×3: what turns a gradient in voxels into a direction of the output, up to length.
    var gradientRows: [Double] {
        let inverse = map.inverse ?? .identity
        // A gradient maps by the inverse transpose, so the columns of the inverse are the rows here.
        return [
            inverse.x.x, inverse.x.y, inverse.x.z, inverse.y.x, inverse.y.y, inverse.y.z, inverse.z.x, inverse.z.y,
            inverse.z.z,
        ]
    }
}
