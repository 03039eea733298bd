import SSDFCore

/// The part of a mesh that is being fitted where its original is farthest from it, for a close look at the distance there.
///
/// Matching measures at the original's vertices and centroids alone, against the faces around one vertex alone: too far at
/// some, too little between them. Here distances are measured both ways, at the samples and with the trees of
/// `MeshDistance`.
struct RefitRegion {
    /// Of the mesh's vertices, the share that is looked at, and the least number.
    static let share = 0.005
    private static let least = 64

    /// Faces of the original whose home is one of the farthest vertices or next to one.
    private let originals: TriangleMesh
    /// The original for an edge or two around these.
    private let surroundings: TriangleBVH
    /// Faces of the fitted mesh at these vertices.
    private let faces: [Int]
    /// Those and the faces an edge or two around them.
    private let context: [Int]

    /// - Parameters:
    ///   - farthest: `[vertices]` how far samples lie at each vertex, squared.
    ///   - share: of the vertices; the largest distance is found with few.
    init(_ mesh: borrowing RefitMesh, farthest: borrowing Buffer<Float>, share: Double = share) {
        let vertexCount = mesh.positions.count / 3
        let corners = mesh.triangles.pointer
        let cornerCount = mesh.triangles.count
        let distances = farthest.array
        let order = (0..<vertexCount).sorted { (distances[$0], $0) > (distances[$1], $1) }
        /// In how many steps along edges one of the chosen is reached, from four: 4 at one itself, 0 far away.
        var nearness = [UInt8](repeating: 0, count: vertexCount)
        for v in order.prefix(max(Self.least, Int(share * Double(vertexCount)))) { nearness[v] = 4 }
        for level in [UInt8(4), 3, 2] {
            for t in stride(from: 0, to: cornerCount, by: 3) {
                let isNear = (0..<3).contains { nearness[Int(corners[t + $0])] == level }
                guard isNear else { continue }
                for i in 0..<3 where nearness[Int(corners[t + i])] < level - 1 {
                    nearness[Int(corners[t + i])] = level - 1
                }
            }
        }
        faces = (0..<cornerCount / 3).filter { t in
            (0..<3).contains { nearness[Int(corners[3 * t + $0])] >= 3 }
        }
        context = (0..<cornerCount / 3).filter { t in
            (0..<3).contains { nearness[Int(corners[3 * t + $0])] >= 1 }
        }
        let pointCount = mesh.points.count / 3
        var near: [UInt32] = []
        var around: [UInt32] = []
        for f in 0..<mesh.faces.count / 3 {
            let home = mesh.homes.pointer[pointCount + f]
            guard home != .max else { continue }
            let level = nearness[Int(home)]
            guard level > 0 else { continue }
            around.append(UInt32(f))
            if level >= 3 { near.append(UInt32(f)) }
        }
        originals = Self.part(of: mesh, near)
        surroundings = TriangleBVH(Self.part(of: mesh, around), threads: mesh.threads)
    }

    /// Some faces of the original, with vertices of their own.
    private static func part(of mesh: borrowing RefitMesh, _ faces: [UInt32]) -> TriangleMesh {
        var positions: [Float] = []
        positions.reserveCapacity(9 * faces.count)
        for f in faces {
            for i in 0..<3 {
                let p = mesh.points.pointer + 3 * Int(mesh.faces[3 * Int(f) + i])
                for x in 0..<3 { positions.append(p[x]) }
            }
        }
        return TriangleMesh(positions: positions, triangles: (0..<UInt32(3 * faces.count)).map { $0 })
    }

    /// How far the surfaces lie apart here, squared, by the vertices of the fitted mesh that it is at.
    /// - Parameters:
    ///   - positions: of the fitted mesh's vertices.
    ///   - distances: `[vertices]`; those at the region's vertices are set, all others become 0.
    /// - Returns: the largest.
    func measure(_ mesh: borrowing RefitMesh, into distances: borrowing Buffer<Float>) -> Float {
        let fitted = TriangleMesh(positions: mesh.positions.array, triangles: mesh.triangles.array)
        let spacing = MeshDistance.spacing(fitted, mesh.faces.count / 3, threads: mesh.threads)
        // A nearer face farther away would be missed: distances may come out too large, never too small.
        let around = context.flatMap { fitted.triangles[3 * $0..<3 * $0 + 3] }
        let tree = TriangleBVH(
            TriangleMesh(positions: fitted.positions, triangles: around), threads: mesh.threads)
        let grain = 256
        let forward = parallelMap((originals.triangleCount + grain - 1) / grain, threads: mesh.threads) { part in
            var found: [(Int, Float)] = []
            var points: [Float] = []
            for t in part * grain..<min((part + 1) * grain, originals.triangleCount) {
                points.removeAll(keepingCapacity: true)
                MeshDistance.appendSamples(of: originals, t, spacing: spacing, to: &points)
                tree.visitClosestPoints(to: points) { found.append((context[$0.triangle], $0.distanceSquared)) }
            }
            return found
        }
        let backward = parallelMap((faces.count + grain - 1) / grain, threads: mesh.threads) { part in
            var found: [(Int, Float)] = []
            var points: [Float] = []
            for t in faces[part * grain..<min((part + 1) * grain, faces.count)] where surroundings.triangleCount > 0 {
                points.removeAll(keepingCapacity: true)
                MeshDistance.appendSamples(of: fitted, t, spacing: spacing, to: &points)
                surroundings.visitClosestPoints(to: points) { found.append((t, $0.distanceSquared)) }
            }
            return found
        }
        for v in 0..<distances.count { distances.pointer[v] = 0 }
        var largest: Float = 0
        for (t, distance) in (forward + backward).joined() {
            largest = max(largest, distance)
            for v in fitted.triangles[3 * t..<3 * t + 3] {
                distances.pointer[Int(v)] = max(distances.pointer[Int(v)], distance)
            }
        }
        return largest
    }
}
