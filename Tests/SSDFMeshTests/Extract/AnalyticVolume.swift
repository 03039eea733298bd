import SSDFCore
import SSDFMesh
import SSDFVolume

/// Volumes with values that are known everywhere.
enum AnalyticVolume {
    /// The narrow band of a distance function on the default cube: voxels with |distance| ≤ `halfWidth` voxels.
    ///
    /// - Parameter distance: world units; must not change faster than the position does.
    static func band(
        resolution: Int, halfWidth: Double = 3, shift: VoxelCoordinate = VoxelCoordinate(0, 0, 0),
        _ distance: (Vector3d) -> Double
    ) -> SparseVolume {
        var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: resolution)
        let h = metadata.voxelSize
        let limit = halfWidth * h
        let map = metadata.indexToWorld
        metadata.truncation = limit
        metadata.background = limit
        var bricks: [BrickCoordinate] = []
        var masks: [UInt64] = []
        var values: [Float] = []
        let side = (resolution + 8) / 8
        for bx in 0..<side {
            for by in 0..<side {
                for bz in 0..<side {
                    let corner = Vector3d(Double(bx), Double(by), Double(bz)) * 8
                    guard abs(distance(map(corner + 3.5))) < limit + 6.1 * h else { continue }
                    var words = [UInt64](repeating: 0, count: 8)
                    let start = values.count
                    for bit in 0..<512 {
                        let local = Vector3d(Double(bit >> 6), Double(bit >> 3 & 7), Double(bit & 7))
                        let value = distance(map(corner + local))
                        guard abs(value) <= limit else { continue }
                        words[bit >> 6] |= 1 << UInt64(bit & 63)
                        values.append(Float(value))
                    }
                    guard values.count > start else { continue }
                    bricks.append(BrickCoordinate(Int32(bx) + shift.x, Int32(by) + shift.y, Int32(bz) + shift.z))
                    masks += words
                }
            }
        }
        let offset = Vector3d(Double(shift.x), Double(shift.y), Double(shift.z)) * 8
        metadata.indexToWorld.translation = metadata.indexToWorld.translation - offset * h
        return SparseVolume(metadata: metadata, bricks: Buffer(bricks), masks: Buffer(masks), values: Buffer(values))
    }

    /// A box of voxels from `origin`, all active, with values by local position.
    static func block(
        _ size: (Int, Int, Int), origin: VoxelCoordinate = VoxelCoordinate(0, 0, 0), kind: GridMetadata.Kind = .sdf,
        _ value: (Int, Int, Int) -> Float
    ) -> SparseVolume {
        var voxels: [VoxelCoordinate] = []
        var values: [Float] = []
        for x in 0..<size.0 {
            for y in 0..<size.1 {
                for z in 0..<size.2 {
                    voxels.append(VoxelCoordinate(origin.x + Int32(x), origin.y + Int32(y), origin.z + Int32(z)))
                    values.append(value(x, y, z))
                }
            }
        }
        let metadata = GridMetadata(name: "block", kind: kind, resolution: 16)
        return SparseVolume(metadata: metadata, voxels: voxels, values: values)
    }

    /// A block with a positive shell around random values, so that its surface is closed.
    static func noise(
        side: Int, seed: UInt64, origin: VoxelCoordinate = VoxelCoordinate(0, 0, 0), _ draw: (inout Philox) -> Float
    ) -> SparseVolume {
        var random = Philox(seed: seed)
        return block((side, side, side), origin: origin) { x, y, z in
            let value = draw(&random)
            let onShell = [x, y, z].contains { $0 == 0 || $0 == side - 1 }
            return onShell ? 0.25 + abs(value) : value
        }
    }

    static func sphere(radius: Double = 0.7, center: Vector3d = [0.013, -0.021, 0.008]) -> (Vector3d) -> Double {
        { ($0 - center).length - radius }
    }

    static func torus(major: Double = 0.6, minor: Double = 0.25) -> (Vector3d) -> Double {
        { p in
            let ring = (p.x * p.x + p.y * p.y).squareRoot() - major
            return (ring * ring + p.z * p.z).squareRoot() - minor
        }
    }

    /// A box with half sides `half`, turned by the rotation with these rows.
    static func box(
        half: Vector3d = [0.61, 0.47, 0.53],
        rows: (Vector3d, Vector3d, Vector3d) = ([1, 0, 0], [0, 1, 0], [0, 0, 1])
    ) -> (Vector3d) -> Double {
        { p in
            let q = Vector3d(abs(rows.0.dot(p)), abs(rows.1.dot(p)), abs(rows.2.dot(p))) - half
            let outside = pointwiseMax(q, .zero).length
            return outside + min(q.max(), 0)
        }
    }
}

extension MeshReport {
    /// The surface of a solid without a bad triangle.
    var isPerfect: Bool { isClosedOrientedManifold && hasOnlyProperTriangles && unusedVertices == 0 }
}
