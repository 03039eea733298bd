import CSSDFKernels
import SSDFCore

/// An edge or a corner that the planes of one cell meet in, outside that cell or in it.
///
/// A tip between grid points may lie in a cell that the surface does not cross: no vertex is there, so the nearest of
/// those around moves out to it. Or it lies in a crossed cell none of whose voxels is nearest to one of the sides that
/// meet in it: the cell's own vertex moves to where a cell beside it, which knows them all, has them meet.
struct FeaturePoint {
    let vertex: Int
    /// In voxels.
    let point: Vector3d
    /// The cell that it lies in, and the square of the way there.
    let cell: SIMD3<Int32>
    let way: Double
    /// 2 for an edge, 3 for a corner.
    let rank: Int
    /// Whether it is in the cell that it was found from.
    let isOwn: Bool

    /// How far planes may miss their common point, in voxels, root mean square.
    private static let agreement = 0.03

    /// - Returns: nil for what needs no thought: sides, edges within the cell, what is farther away than a neighbour,
    ///   planes that do not meet.
    init?(
        _ system: ssdf_extract_system, _ planes: PlaneSystem, _ solution: (point: Vector3d, rank: Int),
        origin: Vector3d, vertex: Int, margin: Double
    ) {
        let mean = Vector3d(system.mean.0, system.mean.1, system.mean.2)
        let (offset, rank) = solution
        let local = mean + offset
        isOwn = all(local .>= Vector3d(repeating: margin)) && all(local .<= Vector3d(repeating: 1 - margin))
        guard rank > 1, rank == 3 || !isOwn, local.isFinite, all(local .> Vector3d(repeating: -1)),
            all(local .< Vector3d(repeating: 2))
        else { return nil }
        guard planes.missed(system.btb, by: offset) <= Self.agreement * Self.agreement * planes.trace else {
            return nil
        }
        self.vertex = vertex
        self.rank = rank
        point = origin + local
        cell = SIMD3<Int32>(point.rounded(.down))
        way = offset.lengthSquared
    }

    /// What a search beyond a cell's own voxels found.
    static func of(
        _ own: ssdf_extract_crease, _ beyond: ssdf_extract_crease, origin: Vector3d, vertex: Int
    ) -> [FeaturePoint] {
        var found: [FeaturePoint] = []
        if own.rank == 3 { found.append(FeaturePoint(own, origin: origin, vertex: vertex, isOwn: true)) }
        // A vertex on a sharp edge stays there but for a corner.
        if beyond.rank > max(1, own.rank) {
            found.append(FeaturePoint(beyond, origin: origin, vertex: vertex, isOwn: false))
        }
        return found
    }

    private init(_ crease: ssdf_extract_crease, origin: Vector3d, vertex: Int, isOwn: Bool) {
        self.vertex = vertex
        self.isOwn = isOwn
        rank = Int(crease.rank)
        point = origin + Vector3d(crease.point.0, crease.point.1, crease.point.2)
        cell = SIMD3<Int32>(point.rounded(.down))
        way = crease.way
    }

    /// Which vertices move where, as far inside the cell as vertices are held, so that no two share a place. The same for
    /// any order of the features.
    static func moves(
        _ features: [FeaturePoint], margin: Double, _ surface: borrowing BrickSurface, _ dual: borrowing DualSurface,
        cellVertex: borrowing Buffer<UInt32>
    ) -> [(vertex: Int, point: Vector3d, rank: Int)] {
        // One for each cell, the best first: corners before edges, its own before others', the near before the far.
        var served: Set<SIMD3<Int32>> = []
        var moved: Set<Int> = []
        var moves: [(vertex: Int, point: Vector3d, rank: Int)] = []
        for feature in features.sorted(by: { $0.isBetter(than: $1) }) where !served.contains(feature.cell) {
            var vertex = feature.vertex
            if feature.isOwn {
                served.insert(feature.cell)
                moved.insert(vertex)
                continue
            }
            if !surface.isEmpty(feature.cell) {
                guard feature.rank == 3, let index = surface.index(ofCrossed: feature.cell),
                    SurfacePieces.shared.counts[Int(dual.kinds.pointer[index])] == 1
                else { continue }
                vertex = Int(cellVertex.pointer[index])
            }
            guard !moved.contains(vertex) else { continue }
            served.insert(feature.cell)
            moved.insert(vertex)
            moves.append((vertex, feature.secluded(by: margin), feature.rank))
        }
        return moves
    }

    private func secluded(by margin: Double) -> Vector3d {
        let low = Vector3d(Double(cell.x), Double(cell.y), Double(cell.z)) + Vector3d(repeating: margin)
        return point.clamped(lowerBound: low, upperBound: low + Vector3d(repeating: 1 - 2 * margin))
    }

    private func isBetter(than other: FeaturePoint) -> Bool {
        if rank != other.rank { return rank > other.rank }
        if isOwn != other.isOwn { return isOwn }
        return (way, vertex) < (other.way, other.vertex)
    }
}
