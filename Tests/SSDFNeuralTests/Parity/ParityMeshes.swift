import Foundation
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// What goes from meshes to cells and from decoded distances to meshes.
extension ParityModule {
    @Sendable static func meshStructure(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let positions = try parity.input("vertices").array
        let faces = parity.integers["in.faces"]?.values ?? []
        let mesh = TriangleMesh(positions: positions, triangles: faces.map { UInt32($0) })
        let normalized = mesh.normalized(to: Float(2 * parity.number("scale", default: 0.95)))
        let cells = normalized.structure(
            size: try parity.integer("size"), factor: parity.integer("factor", default: 8))
        return [
            "mid.normalized_vertices": .floats(Tensor(normalized.positions, shape: [mesh.vertexCount, 3])),
            "out.index": .integers(cells.flatMap { [0, Int($0.x), Int($0.y), Int($0.z)] }),
        ]
    }

    /// The reference extracts from a dense volume that is 1 where nothing was decoded. The surface of the same volume, by
    /// our marching cubes: the same vertices and as many triangles. The polygon of a cell is not flat, and which of its
    /// diagonals the triangles use is each table's choice (ours are the best shaped): area and volume depend on that, by
    /// a few parts in a thousand where the surface is as rough as here, and are held to a hundredth.
    @Sendable static func denseSurface(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let side = Int32(try parity.integer("voxel_resolution"))
        var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: Int(side))
        metadata.isoValue = parity.number("mc_threshold", default: 0.2)
        var voxels: [VoxelCoordinate] = []
        for x in 0..<side {
            for y in 0..<side {
                for z in 0..<side { voxels.append(VoxelCoordinate(x, y, z)) }
            }
        }
        var values = [Float](repeating: 1, count: voxels.count)
        let rows = try parity.coordinates().rows.array
        for (row, value) in zip(rows, try parity.input("sdf").array) {
            voxels.append(VoxelCoordinate(row.y, row.z, row.w))
            values.append(value)
        }
        let volume = SparseVolume(metadata: metadata, voxels: voxels, values: values)
        let mesh = try extractSurface(volume, options: ExtractOptions(method: .mc, coordinates: .cube, threads: 2))
        let report = MeshReport(mesh, threads: 1)
        return [
            "out.vertices_sorted": .points(mesh.positions, tolerance: parity.tolerance("vertex_abs", default: 1e-5)),
            "out.area_volume": .numbers([report.area, report.volume], relative: 1e-2),
            "out.counts": .integers([mesh.vertexCount, mesh.triangleCount]),
        ]
    }
}
