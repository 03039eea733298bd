import SSDFCore

/// Dual marching cubes: a vertex in the middle of the points where each piece of the surface crosses its cell's edges.
///
/// Source: Nielson, Dual Marching Cubes, 2004.
func dualMarchingCubes(
    _ surface: borrowing BrickSurface, _ coordinates: ExtractedCoordinates, normals wantsNormals: Bool, threads: Int
) throws(Failure) -> TriangleMesh {
    let dual = try DualSurface.find(in: surface, threads: threads)
    let cellVertex = Buffer<UInt32>(uninitialized: surface.cellCount)
    var mesh = TriangleMesh()
    if wantsNormals {
        let normals = Buffer<Float>(uninitialized: 3 * surface.pointCount)
        surface.fillNormals(normals.pointer, coordinates, threads: threads)
        mesh.normals = dual.means(of: normals, unit: true, surface, cellVertex: cellVertex, threads: threads)
    }
    let points = Buffer<Float>(uninitialized: 3 * surface.pointCount)
    surface.fillPoints(points.pointer, coordinates, threads: threads)
    mesh.positions = dual.means(of: points, unit: false, surface, cellVertex: cellVertex, threads: threads)
    mesh.triangles = dual.triangles(
        surface, cellVertex: cellVertex, positions: mesh.positions, flip: coordinates.mirrors, threads: threads)
    // Pieces of cells at the end of a band may be in no quadrilateral.
    if dual.quadCount < surface.pointCount { mesh.removeUnusedVertices() }
    return mesh
}
