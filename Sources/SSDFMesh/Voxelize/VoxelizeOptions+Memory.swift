import SSDFCore
import SSDFVolume

extension VoxelizeOptions {
    /// Bytes that voxelizing takes: the mesh, lists of triangles, and the band.
    ///
    /// The band is estimated from the area of the surface and the half width; where parts of the surface are nearer to one
    /// another than that it is smaller.
    /// - Throws: as `voxelize`, for options and meshes that it refuses.
    package func memory(for mesh: TriangleMesh) throws(Failure) -> Int {
        let grid = try VoxelGrid(mesh, options: self)
        // Voxels of surface.
        var area = 0.0
        mesh.withIndexedTriangles(grid.sourceToIndex) { triangles in
            let grain = 1 << 14
            let parts = parallelMap((triangles.count + grain - 1) / grain, threads: threads) { part in
                var area = 0.0
                for triangle in part * grain..<min((part + 1) * grain, triangles.count) {
                    let (a, b, c) = triangles.corners(triangle)
                    area += (b - a).cross(c - a).length / 2
                }
                return area
            }
            area = parts.reduce(0, +)
        }
        let extent = grid.box.size + Vector3d(repeating: 2 * halfWidth)
        let active = min(area * 2 * halfWidth, extent.x * extent.y * extent.z)
        // A brick of the band is about a third full, or less where the band is thinner than a brick.
        let bricks = active / (512 * min(0.4, halfWidth / 10))
        let band = Double(SparseVolume.byteCount(bricks: Int(bricks), values: Int(active)))
        // The mesh, and its lists; where many triangles are near a voxel, the nearest are kept for each.
        let crowding = min(1, 64 / extent.max())
        let perTriangle = 30 + 210 * crowding * crowding.squareRoot()
        // What each thread is at work on, and the columns that wait for those before them.
        let work = 0.2 * band + Double(threads << 21)
        return Int(band + work + Double(mesh.triangleCount) * perTriangle)
    }
}
