import CEigenSolvers
import CSSDFKernels
import SSDFCore

/// Dual contouring: a vertex where the planes that the distances around a piece tell of meet, so that sharp edges and
/// corners come out sharp.
///
/// Source: Ju et al., Dual Contouring of Hermite Data, 2002; the topology is that of dual marching cubes, so that the
/// mesh is manifold.
/// - Parameter step: change of the value a voxel along its gradient, or 0 when that is not known.
func dualContouring(
    _ surface: borrowing BrickSurface, _ coordinates: ExtractedCoordinates, step: Double, normals wantsNormals: Bool,
    threads: Int
) throws(Failure) -> TriangleMesh {
    let dual = try DualSurface.find(in: surface, threads: threads)
    let cellVertex = Buffer<UInt32>(uninitialized: surface.cellCount)
    var mesh = TriangleMesh()
    if wantsNormals {
        let normals = Buffer<Float>(uninitialized: 3 * surface.pointCount)
        surface.fillNormals(normals.pointer, coordinates, threads: threads)
        mesh.normals = dual.means(of: normals, unit: true, surface, cellVertex: cellVertex, threads: threads)
    }
    mesh.positions = contourVertices(
        surface, dual, coordinates, step: step, cellVertex: cellVertex, threads: threads)
    mesh.triangles = dual.triangles(
        surface, cellVertex: cellVertex, positions: mesh.positions, flip: coordinates.mirrors, threads: threads)
    if dual.quadCount < surface.pointCount { mesh.removeUnusedVertices() }
    return mesh
}

/// Eigenvalues below this share of the largest count as none: two planes meet in an edge, rather than being one and
/// the same with some noise, when they are at least 12° apart or so.
private let sharpness = 0.02

/// The least distance, in voxels, of a vertex from the sides of its cell, so that neighbouring vertices stay distinct.
private let seclusion = 0x1p-12

private func contourVertices(
    _ surface: borrowing BrickSurface, _ dual: borrowing DualSurface, _ coordinates: ExtractedCoordinates,
    step: Double, cellVertex: borrowing Buffer<UInt32>, threads: Int
) -> [Float] {
    let (kind, base, cell) = (
        Unchecked(dual.kinds.pointer), Unchecked(dual.vertexBase.pointer), Unchecked(cellVertex.pointer)
    )
    let pieces = SurfacePieces.shared
    let map = coordinates.map
    let margin = max(2 * coordinates.margin, seclusion)
    return Array(filling: 3 * dual.vertexCount) { storage in
        guard let start = storage.baseAddress else { return }
        let positions = Unchecked(start)
        surface.forEachTile(threads: threads) { grid, bricks in
            let first = Int(base.value[bricks.lowerBound])
            let count = Int(base.value[bricks.upperBound]) - first
            let systems = Buffer<ssdf_extract_system>(uninitialized: count)
            pieces.withUnsafeTable { table in
                ssdf_extract_contour(
                    grid, table, bricks.lowerBound, bricks.upperBound, kind.value, base.value, step, cell.value,
                    systems.pointer)
            }
            for index in 0..<count {
                let local = solve(systems.pointer[index], margin: margin)
                let corner = systems.pointer[index].cell
                let p = map(Vector3d(Double(corner.0), Double(corner.1), Double(corner.2)) + local)
                for c in 0..<3 { positions.value[3 * (first + index) + c] = Float(p[c]) }
            }
        }
    }
}

/// Where the planes of a piece meet, within its cell.
private func solve(_ system: ssdf_extract_system, margin: Double) -> Vector3d {
    let mean = Vector3d(system.mean.0, system.mean.1, system.mean.2)
    let (ata, atb) = (system.ata, system.atb)
    var offset = (0.0, 0.0, 0.0)
    withUnsafeBytes(of: ata) { ata in
        withUnsafeBytes(of: atb) { atb in
            withUnsafeMutableBytes(of: &offset) { x in
                _ = ssdf_solve_qef(
                    ata.baseAddress!.assumingMemoryBound(to: Double.self),
                    atb.baseAddress!.assumingMemoryBound(to: Double.self), sharpness,
                    x.baseAddress!.assumingMemoryBound(to: Double.self))
            }
        }
    }
    let vertex = mean + Vector3d(offset.0, offset.1, offset.2)
    let low = Vector3d(repeating: margin)
    let high = Vector3d(repeating: 1 - margin)
    guard any(vertex .< low) || any(vertex .> high) || !vertex.isFinite else { return vertex }
    return constrained(system, mean: mean, low: low, high: high)
}

/// The point of the cell that is nearest to the planes, with a slight pull to the mean where they leave it open.
/// Coordinate descent: each step minimises exactly along one axis, so that it ends at the only minimum there is.
private func constrained(
    _ system: ssdf_extract_system, mean: Vector3d, low: Vector3d, high: Vector3d
) -> Vector3d {
    let (xx, xy, xz, yy, yz, zz) = system.ata
    let pull = max(1e-3 * (xx + yy + zz), 1e-30)
    let rows = (Vector3d(xx + pull, xy, xz), Vector3d(xy, yy + pull, yz), Vector3d(xz, yz, zz + pull))
    let goal = Vector3d(system.atb.0, system.atb.1, system.atb.2)
    var offset = Vector3d.zero
    let (least, most) = (low - mean, high - mean)
    for _ in 0..<40 {
        let before = offset
        for axis in 0..<3 {
            let row = axis == 0 ? rows.0 : axis == 1 ? rows.1 : rows.2
            let free = (goal[axis] - row.dot(offset) + row[axis] * offset[axis]) / row[axis]
            offset[axis] = free.isFinite ? min(max(free, least[axis]), most[axis]) : 0
        }
        if (offset - before).lengthSquared < 1e-14 { break }
    }
    return pointwiseMin(pointwiseMax(mean + offset, low), high)
}
