import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFVolume

/// The cells of a sparse stage that a volume from elsewhere stands for.
///
/// A structure or latents of the stage's own resolution give their active voxels. Distances of any resolution give the
/// cells that hold a voxel within four of the stage's voxels of the surface.
/// - Parameters:
///   - side: cells along a side.
/// - Throws: `badData` when the volume is of a kind or resolution that says nothing of cells, or none is left.
package func structureCells(_ volume: borrowing SparseVolume, side: Int) throws(Failure) -> [SIMD3<Int32>] {
    let metadata = volume.metadata
    let place = "grid \"\(metadata.name)\""
    var isActive = [Bool](repeating: false, count: side * side * side)
    func mark(_ x: Int, _ y: Int, _ z: Int) {
        guard x >= 0, y >= 0, z >= 0, x < side, y < side, z < side else { return }
        isActive[(x * side + y) * side + z] = true
    }
    switch metadata.kind {
    case .occupancy, .latent:
        guard metadata.resolution == side else {
            throw .badData(place: place, "resolution is \(metadata.resolution)", expected: "\(side), the stage's cells")
        }
        volume.forEachActiveVoxel { _, voxel in mark(Int(voxel.x), Int(voxel.y), Int(voxel.z)) }
    case .sdf, .udf:
        guard metadata.resolution >= side else {
            throw .badData(
                place: place, "resolution is \(metadata.resolution)", expected: "at least \(side), the stage's cells")
        }
        // Four voxels of a cube of side 2.
        let reach = 4 * 2 / Double(8 * side)
        let iso = metadata.isoValue
        let map = metadata.indexToWorld
        volume.forEachActiveVoxel { row, voxel in
            guard abs(Double(volume.values.pointer[row]) - iso) < reach else { return }
            let p = (map(Vector3d(Double(voxel.x), Double(voxel.y), Double(voxel.z))) + Vector3d(repeating: 1)) * 0.5
            let cell = p * Double(side)
            // A voxel on a border belongs to the cell above, whatever the affine map rounds to.
            mark(Int(cell.x + 1e-9), Int(cell.y + 1e-9), Int(cell.z + 1e-9))
        }
    case .feature:
        throw .badData(place: place, "kind is feature", expected: "occupancy, latent, sdf or udf")
    }
    var cells: [SIMD3<Int32>] = []
    for index in isActive.indices where isActive[index] {
        cells.append(SIMD3(Int32(index / (side * side)), Int32(index / side % side), Int32(index % side)))
    }
    guard !cells.isEmpty else { throw .badData(place: place, "no cell near a surface", expected: "at least one") }
    return cells
}

/// A structure as a grid of chances.
package func structureVolume(_ cells: [SIMD3<Int32>], chances: [Float], side: Int) -> SparseVolume {
    SparseVolume(
        metadata: GridMetadata(name: "structure", kind: .occupancy, resolution: side),
        voxels: cells.map { VoxelCoordinate($0.x, $0.y, $0.z) }, values: chances)
}
