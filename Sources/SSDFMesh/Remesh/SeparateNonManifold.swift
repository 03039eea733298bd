import SSDFCore

/// What `separateNonManifold` did.
package struct SeparationResult: Sendable {
    /// The mesh, manifold at every edge and vertex.
    package var mesh: TriangleMesh
    /// Edges that more than two faces shared, or two of one direction.
    package var separatedEdges = 0
    /// Vertices added, because one stood for several fans.
    package var addedVertices = 0
    /// The vertex of the mesh before that each vertex is, or is a copy of.
    package var origins: [UInt32] = []
}

/// Gives every fan of triangles a vertex of its own, so that the mesh becomes an oriented manifold, with borders where
/// faces do not fit together. No face moves, is turned round, or goes, but those that name a vertex twice.
///
/// At an edge of more than two faces, faces that enclose a wedge of the solid between them stay joined: two cubes that
/// touch along an edge come apart into two closed cubes. Normals stay.
///
/// - Complexity: O(n).
///
/// Source: Guéziec, Taubin, Lazarus, Horn, "Cutting and Stitching: Converting Sets of Polygons to Manifold Surfaces",
/// 2001, §3 (cutting); the pairing by wedges is our own.
package func separateNonManifold(_ mesh: TriangleMesh) -> SeparationResult {
    var triangles: [UInt32] = []
    triangles.reserveCapacity(mesh.triangles.count)
    for t in 0..<mesh.triangleCount {
        let (a, b, c) = mesh.corners(t)
        if a != b, b != c, c != a { triangles += mesh.triangles[3 * t..<3 * t + 3] }
    }
    let edges = MeshEdges(triangles, vertexCount: mesh.vertexCount)
    var fans = FanClasses(triangles)
    var separated = 0
    // The half-edges at each edge of more than two faces, and which of them stay joined.
    var crowded: [(halves: [Int], pairs: [(Int, Int)])] = []
    edges.forEach { low, high, halves in
        if halves.count == 2, triangles[halves[0]] != triangles[halves[1]] {
            fans.join(halves[0], halves[1])
        } else if halves.count >= 2 {
            separated += 1
            let all = (0..<halves.count).map { halves[$0] }
            crowded.append((all, wedges(mesh, triangles, low, high, all)))
        }
    }
    let simple = fans
    // Where a fan passes the same edge twice, two edges would have the same ends: there no faces stay joined.
    var isDone = false
    while !isDone {
        fans = simple
        for edge in crowded {
            for (h, g) in edge.pairs { fans.join(h, g) }
        }
        isDone = true
        for i in crowded.indices where !crowded[i].pairs.isEmpty && fans.passTwice(crowded[i].halves) {
            crowded[i].pairs = []
            isDone = false
        }
    }
    var result = mesh
    var origins = (0..<UInt32(mesh.vertexCount)).map { $0 }
    var isTaken = [Bool](repeating: false, count: mesh.vertexCount)
    var numbers = [UInt32](repeating: .max, count: triangles.count)
    let hasNormals = mesh.normals.count == mesh.positions.count
    for corner in triangles.indices {
        let r = fans.root(corner)
        if numbers[r] == .max {
            let v = Int(triangles[corner])
            if isTaken[v] {
                numbers[r] = result.addVertex(mesh.position(v))
                origins.append(UInt32(v))
                if hasNormals { result.normals += mesh.normals[3 * v..<3 * v + 3] }
            } else {
                isTaken[v] = true
                numbers[r] = UInt32(v)
            }
        }
    }
    let added = result.vertexCount - mesh.vertexCount
    result.triangles = triangles
    for corner in triangles.indices { result.triangles[corner] = numbers[fans.root(corner)] }
    return SeparationResult(mesh: result, separatedEdges: separated, addedVertices: added, origins: origins)
}

/// Which corners of triangles are at one vertex.
private struct FanClasses {
    private var parent: [UInt32]

    init(_ triangles: [UInt32]) { parent = (0..<UInt32(triangles.count)).map { $0 } }

    mutating func root(_ corner: Int) -> Int {
        var c = corner
        while parent[c] != UInt32(c) {
            parent[c] = parent[Int(parent[c])]
            c = Int(parent[c])
        }
        return c
    }

    /// Joins the corners at both ends of two half-edges of opposite directions.
    mutating func join(_ h: Int, _ g: Int) {
        for (a, b) in [(h, MeshEdges.next(g)), (MeshEdges.next(h), g)] {
            let (x, y) = (root(a), root(b))
            parent[max(x, y)] = UInt32(min(x, y))
        }
    }

    /// Whether more than two of the half-edges at an edge have both their ends in common.
    mutating func passTwice(_ halves: [Int]) -> Bool {
        var uses: [SIMD2<Int>: Int] = [:]
        for h in halves {
            let (a, b) = (root(h), root(MeshEdges.next(h)))
            uses[SIMD2(min(a, b), max(a, b)), default: 0] += 1
        }
        return uses.values.contains { $0 > 2 }
    }
}

/// Pairs the faces at an edge that have the solid between them, going round it: the wedge opens at a face that runs
/// from the higher vertex to the lower and closes at one that runs the other way.
private func wedges(
    _ mesh: TriangleMesh, _ triangles: [UInt32], _ low: UInt32, _ high: UInt32, _ halves: [Int]
) -> [(Int, Int)] {
    let origin = Vector3d(mesh.position(Int(low)))
    let axis = (Vector3d(mesh.position(Int(high))) - origin).normalized
    // Two directions across the axis, to measure angles in.
    let across = abs(axis.x) < 0.6 ? Vector3d(1, 0, 0) : Vector3d(0, 1, 0)
    let first = axis.cross(across).normalized
    let second = axis.cross(first)
    let around = halves.map { half -> (angle: Double, half: Int) in
        let d = Vector3d(mesh.position(Int(triangles[MeshEdges.previous(half)]))) - origin
        return (angleDegrees(y: d.dot(second), x: d.dot(first)), half)
    }.sorted { ($0.angle, $0.half) < ($1.angle, $1.half) }
    var pairs: [(Int, Int)] = []
    var open: [Int] = []
    var isPaired = [Bool](repeating: false, count: around.count)
    // Twice round, so that a wedge across the start is met whole.
    for step in 0..<2 * around.count {
        let index = step % around.count
        guard !isPaired[index] else { continue }
        if triangles[around[index].half] == high {
            if step < around.count { open.append(index) }
        } else if let other = open.popLast() {
            isPaired[index] = true
            isPaired[other] = true
            pairs.append((around[other].half, around[index].half))
        }
    }
    return pairs
}
