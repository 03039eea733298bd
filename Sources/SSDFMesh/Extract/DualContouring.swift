import CEigenSolvers
import CSSDFKernels
import SSDFCore
import Synchronization

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
    // Of each vertex, of how many sides it is: 2 on a sharp edge, 3 at a corner.
    let ranks = Buffer<UInt8>(zeros: dual.vertexCount)
    mesh.positions = contourVertices(
        surface, dual, coordinates, step: step, cellVertex: cellVertex, ranks: ranks, threads: threads)
    mesh.triangles = dual.triangles(
        surface, cellVertex: cellVertex, positions: mesh.positions, ranks: ranks.pointer, flip: coordinates.mirrors,
        threads: threads)
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
    step: Double, cellVertex: borrowing Buffer<UInt32>, ranks: borrowing Buffer<UInt8>, threads: Int
) -> [Float] {
    let (kind, base, cell) = (
        Unchecked(dual.kinds.pointer), Unchecked(dual.vertexBase.pointer), Unchecked(cellVertex.pointer)
    )
    let rank = Unchecked(ranks.pointer)
    let pieces = SurfacePieces.shared
    let map = coordinates.map
    let margin = max(2 * coordinates.margin, seclusion)
    let features = Mutex<[FeaturePoint]>([])
    return Array(filling: 3 * dual.vertexCount) { storage in
        guard let start = storage.baseAddress else { return }
        let positions = Unchecked(start)
        @Sendable func place(_ vertex: Int, _ point: Vector3d) {
            let p = map(point)
            for c in 0..<3 { positions.value[3 * vertex + c] = Float(p[c]) }
        }
        surface.forEachTile(threads: threads) { grid, bricks in
            let first = Int(base.value[bricks.lowerBound])
            let count = Int(base.value[bricks.upperBound]) - first
            let systems = Buffer<ssdf_extract_system>(uninitialized: count)
            pieces.withUnsafeTable { table in
                ssdf_extract_contour(
                    grid, table, bricks.lowerBound, bricks.upperBound, kind.value, base.value, step, cell.value,
                    systems.pointer)
            }
            var found: [FeaturePoint] = []
            let crease = CreaseSearch()
            for index in 0..<count {
                let system = systems.pointer[index]
                let origin = Vector3d(Double(system.cell.0), Double(system.cell.1), Double(system.cell.2))
                let planes = PlaneSystem(ata: system.ata, atb: system.atb)
                let solution = planes.solution
                var point = solve(system, planes, solution.point, margin: margin)
                let isBent = step > 0 && system.is_bent != 0 && system.is_alone != 0
                if isBent, let known = sureRank(system, planes, solution, margin: margin) {
                    rank.value[first + index] = UInt8(known)
                } else if isBent {
                    let crease = crease.find(grid, system, step: step, margin: margin, at: point)
                    if crease.own.rank > 0 {
                        point = Vector3d(crease.own.point.0, crease.own.point.1, crease.own.point.2)
                    }
                    rank.value[first + index] = UInt8(crease.own.rank)
                    found += FeaturePoint.of(crease.own, crease.beyond, origin: origin, vertex: first + index)
                } else if let feature = FeaturePoint(
                    system, planes, solution, origin: origin, vertex: first + index, margin: margin)
                {
                    found.append(feature)
                }
                place(first + index, origin + point)
            }
            if !found.isEmpty { features.withLock { $0 += found } }
        }
        for move in FeaturePoint.moves(
            features.withLock { $0 }, margin: margin, surface, dual, cellVertex: cellVertex)
        {
            place(move.vertex, move.point)
            rank.value[move.vertex] = UInt8(move.rank)
        }
    }
}

/// How many sides meet at a piece's vertex when the planes of its own cell's corners tell so beyond doubt: most of them
/// count, all agree, and the point is in the cell.
private func sureRank(
    _ system: ssdf_extract_system, _ planes: PlaneSystem, _ solution: (point: Vector3d, rank: Int), margin: Double
) -> Int? {
    guard planes.trace > 4 else { return nil }
    let (offset, rank) = solution
    let point = Vector3d(system.mean.0, system.mean.1, system.mean.2) + offset
    guard all(point .>= Vector3d(repeating: margin)), all(point .<= Vector3d(repeating: 1 - margin)),
        planes.missed(system.btb, by: offset) <= 1e-4 * planes.trace
    else { return nil }
    return rank
}

/// Looks for sharp edges and corners near cells, one brick after the other.
private struct CreaseSearch: ~Copyable {
    private let cache = Buffer<UInt8>(zeros: ssdf_extract_crease_cache_size())

    /// What is in a piece's cell and beside it.
    /// - Parameter point: where its vertex is without it, in the cell.
    func find(
        _ grid: UnsafePointer<ssdf_extract_grid>, _ system: ssdf_extract_system, step: Double, margin: Double,
        at point: Vector3d
    ) -> (own: ssdf_extract_crease, beyond: ssdf_extract_crease) {
        var (own, beyond) = (ssdf_extract_crease(), ssdf_extract_crease())
        withUnsafePointer(to: system.mean) { mean in
            withUnsafePointer(to: (point.x, point.y, point.z)) { old in
                ssdf_extract_crease(
                    grid, Int(system.brick), system.cell.0 & 7, system.cell.1 & 7, system.cell.2 & 7, step,
                    UnsafeRawPointer(mean).assumingMemoryBound(to: Double.self), margin,
                    UnsafeRawPointer(old).assumingMemoryBound(to: Double.self), cache.pointer, &own, &beyond)
            }
        }
        return (own, beyond)
    }
}

/// Where the planes of a piece meet, within its cell.
///
/// Planes that meet outside the cell meet in an edge that the neighbours have, not this cell: it follows the planes
/// alone that touch the surface within it.
private func solve(
    _ system: ssdf_extract_system, _ planes: PlaneSystem, _ minimizer: Vector3d, margin: Double
) -> Vector3d {
    let mean = Vector3d(system.mean.0, system.mean.1, system.mean.2)
    let low = Vector3d(repeating: margin)
    let high = Vector3d(repeating: 1 - margin)
    func isOutside(_ p: Vector3d) -> Bool { any(p .< low) || any(p .> high) || !p.isFinite }
    var planes = planes
    var vertex = mean + minimizer
    guard isOutside(vertex) else { return vertex }
    let near = PlaneSystem(ata: system.near_ata, atb: system.near_atb)
    if near.trace > 0.1 * planes.trace {
        planes = near
        vertex = mean + planes.minimizer
        guard isOutside(vertex) else { return vertex }
    }
    return mean + planes.minimizer(from: low - mean, to: high - mean)
}

/// The normal equations of some planes.
struct PlaneSystem {
    var ata: (Double, Double, Double, Double, Double, Double)
    var atb: (Double, Double, Double)

    var trace: Double { ata.0 + ata.3 + ata.5 }
    var goal: Vector3d { Vector3d(atb.0, atb.1, atb.2) }

    func applied(to p: Vector3d) -> Vector3d {
        Vector3d(
            ata.0 * p.x + ata.1 * p.y + ata.2 * p.z, ata.1 * p.x + ata.3 * p.y + ata.4 * p.z,
            ata.2 * p.x + ata.4 * p.y + ata.5 * p.z)
    }

    /// The point nearest to all planes, and of those the nearest to the origin.
    var minimizer: Vector3d { solution.point }

    /// Weighted squares of the planes' distances from a point, from those from the origin.
    func missed(_ squares: Double, by point: Vector3d) -> Double {
        squares - 2 * point.dot(goal) + point.dot(applied(to: point))
    }

    /// The minimiser, and of how many directions planes tell: 1 a side, 2 an edge, 3 a corner.
    var solution: (point: Vector3d, rank: Int) {
        var x = (0.0, 0.0, 0.0)
        var rank: Int32 = 0
        withUnsafeBytes(of: ata) { ata in
            withUnsafeBytes(of: atb) { atb in
                withUnsafeMutableBytes(of: &x) { x in
                    rank = ssdf_solve_qef(
                        ata.baseAddress!.assumingMemoryBound(to: Double.self),
                        atb.baseAddress!.assumingMemoryBound(to: Double.self), sharpness,
                        x.baseAddress!.assumingMemoryBound(to: Double.self))
                }
            }
        }
        return (Vector3d(x.0, x.1, x.2), Int(rank))
    }

    /// The point of a box that is nearest to all planes, with a slight pull to the origin where they leave it open.
    /// Coordinate descent: each step minimises exactly along one axis, so that it ends at the only minimum there is.
    func minimizer(from least: Vector3d, to most: Vector3d) -> Vector3d {
        let pull = max(1e-3 * trace, 1e-30)
        let rows = (
            Vector3d(ata.0 + pull, ata.1, ata.2), Vector3d(ata.1, ata.3 + pull, ata.4),
            Vector3d(ata.2, ata.4, ata.5 + pull)
        )
        var point = Vector3d.zero
        for _ in 0..<40 {
            let before = point
            for axis in 0..<3 {
                let row = axis == 0 ? rows.0 : axis == 1 ? rows.1 : rows.2
                let free = (goal[axis] - row.dot(point) + row[axis] * point[axis]) / row[axis]
                point[axis] = free.isFinite ? min(max(free, least[axis]), most[axis]) : 0
            }
            if (point - before).lengthSquared < 1e-14 { break }
        }
        return pointwiseMin(pointwiseMax(point, least), most)
    }
}
