import CEigenSolvers
import SSDFCore

/// Which holes are filled, and with what.
package struct FillHolesOptions: Sendable {
    /// Holes with more edges than this stay open.
    package var maximumEdges = Int.max
    /// Whether a filling gets triangles of the size of those around it and bends with the surface; else it is the
    /// triangulation of the hole's own vertices.
    package var fairs = true
    /// To work on; the result does not depend on it.
    package var threads = 1

    /// All holes, faired.
    package init() {}
}

/// A mesh with its holes filled.
package struct FillHolesResult: Sendable {
    /// The mesh, its old vertices and faces first.
    package var mesh: TriangleMesh
    /// Holes that were closed.
    package var filledHoles = 0
    /// Triangles of the fillings.
    package var addedTriangles = 0
    /// Triangles that hung on no other: nothing can be enclosed with them.
    package var droppedTriangles = 0
    /// Of the triangles added, those without area that were resolved into their neighbours.
    package var flatTriangles = 0
    /// Holes left open because they have too many edges.
    package var skippedHoles = 0
}

/// Fills holes: each border loop gets a triangulation that bends least, and among those the one of least area; then it is
/// divided to the size of the triangles around it, and its new vertices are placed so that the surface goes on smoothly.
///
/// Where the mesh is no manifold it is cut first, as `separateNonManifold` does: give a repaired mesh. A manifold stays
/// one. Triangles that hang on no other go. Holes that touch in a vertex count as one, and are filled one by one. The result carries no vertex normals; vertices that were there keep their
/// numbers.
///
/// - Complexity: O(n + Σ h³) for loops of h edges up to 300; longer ones are narrowed by their sharpest corners first.
///
/// Source: Liepa, "Filling Holes in Meshes", 2003. Division is isotropic remeshing within the loop, in place of his
/// insertion of centroids.
package func fillHoles(_ mesh: TriangleMesh, options: FillHolesOptions) -> FillHolesResult {
    let separation = separateNonManifold(TriangleMesh(positions: mesh.positions, triangles: mesh.triangles))
    var work = separation.mesh
    var result = FillHolesResult(mesh: work)
    result.droppedTriangles = dropFlakes(&work)
    let apart = MeshEdges(work.triangles, vertexCount: work.vertexCount)
    let twins = apart.twins(work.triangles)
    let loops = borderLoops(work.triangles, twins)
    let touching = TouchingHoles(
        loops.filter { $0.count <= options.maximumEdges }, triangles: work.triangles, origins: separation.origins,
        neighbours: BorderNeighbours(work.triangles, apart).neighbours)
    result.skippedHoles = loops.count { $0.count > options.maximumEdges }
    for corner in work.triangles.indices { work.triangles[corner] = touching.vertices[Int(work.triangles[corner])] }
    result.mesh = work
    let rim = BorderNeighbours(work.triangles, MeshEdges(work.triangles, vertexCount: work.vertexCount))
    var known = rim.chords
    for loop in touching.loops {
        let filling = HoleTriangulation(work, loop, twins: twins, edges: known).triangles
        result.filledHoles += 1
        let vertices = loop.map { Int(work.triangles[$0]) }
        let before = result.mesh.triangleCount
        if options.fairs {
            addFairPatch(
                filling, on: vertices, rim, edges: known, of: work, to: &result.mesh, threads: options.threads)
        } else {
            if filling.contains(where: { $0.min() < 0 }) { _ = result.mesh.addVertex(middle(of: vertices, work)) }
            for corners in filling { add(corners, vertices, &result.mesh) }
        }
        result.addedTriangles += result.mesh.triangleCount - before
        // What now runs between two vertices of the loop must not come again.
        for corners in filling {
            for (i, k) in [(0, 1), (1, 2), (2, 0)] where corners[i] >= 0 && corners[k] >= 0 {
                let (a, b) = (UInt32(vertices[corners[i]]), UInt32(vertices[corners[k]]))
                known.insert(UInt64(min(a, b)) << 32 | UInt64(max(a, b)))
            }
        }
    }
    result.flatTriangles = resolveFlatFillings(&result.mesh, from: work.triangleCount)
    return result
}

/// A hole whose border lies in a line gets triangles without area: the faces beside them are cut where they meet instead.
/// Where that would join what is apart, edges are turned one by one, as far as that makes no edge anew. Two vertices at one
/// place, as separation makes them, become one where an edge now joins them. Returns how many were resolved.
private func resolveFlatFillings(_ mesh: inout TriangleMesh, from first: Int) -> Int {
    guard (first..<mesh.triangleCount).contains(where: { mesh.areaVector($0).length == 0 }) else { return 0 }
    let joined = collapseEdgesWithoutLength(&mesh.triangles, positions: mesh)
    func borders(_ triangles: [UInt32]) -> Int {
        MeshEdges(triangles, vertexCount: mesh.vertexCount).twins(triangles).count { $0 < 0 }
    }
    var triangles = mesh.triangles
    let resolved = removeDegenerateFaces(&triangles, positions: mesh)
    let separation = separateNonManifold(TriangleMesh(positions: mesh.positions, triangles: triangles))
    guard separation.separatedEdges == 0, separation.addedVertices == 0, borders(triangles) <= borders(mesh.triangles)
    else { return joined + turnEdgesOfFlatFaces(&mesh.triangles, positions: mesh) }
    mesh.triangles = triangles
    return joined + resolved
}

/// Adds a triangle of places along a loop; a place of -1 is a vertex in the middle, the last one of the mesh.
private func add(_ corners: SIMD3<Int>, _ vertices: [Int], _ mesh: inout TriangleMesh) {
    for k in 0..<3 {
        if corners[k] >= 0 {
            mesh.triangles.append(UInt32(vertices[corners[k]]))
        } else {
            mesh.triangles.append(UInt32(mesh.vertexCount - 1))
        }
    }
}

/// Drops triangles with a border all round; returns how many.
private func dropFlakes(_ mesh: inout TriangleMesh) -> Int {
    let twins = MeshEdges(mesh.triangles, vertexCount: mesh.vertexCount).twins(mesh.triangles)
    let before = mesh.triangleCount
    let kept = (0..<before).filter { t in (3 * t..<3 * t + 3).contains { twins[$0] >= 0 } }
    if kept.count < before { mesh.triangles = kept.flatMap { mesh.triangles[3 * $0..<3 * $0 + 3] } }
    return before - kept.count
}

private func middle(of vertices: [Int], _ mesh: TriangleMesh) -> Vector3f {
    Vector3f(vertices.reduce(Vector3d.zero) { $0 + Vector3d(mesh.position($1)) } / Double(vertices.count))
}

/// The half-edges along each border, each loop from its lowest half-edge.
/// - Precondition: the triangles form an oriented manifold, so that one border half-edge leaves each border vertex.
func borderLoops(_ triangles: [UInt32], _ twins: [Int32]) -> [[Int]] {
    var leaving: [UInt32: Int] = [:]
    let border = triangles.indices.filter { twins[$0] < 0 }
    for h in border { leaving[triangles[h]] = h }
    var isSeen = Set<Int>()
    var loops: [[Int]] = []
    for start in border where !isSeen.contains(start) {
        var loop: [Int] = []
        var h = start
        while isSeen.insert(h).inserted {
            loop.append(h)
            guard let next = leaving[triangles[MeshEdges.next(h)]] else { break }
            h = next
        }
        loops.append(loop)
    }
    return loops
}

/// Triangles that a patch is divided into, about, at most.
private let largestPatch = 50_000.0

/// Divides the triangles of a hole, places the new vertices, and adds them to the mesh.
private func addFairPatch(
    _ filling: [SIMD3<Int>], on vertices: [Int], _ rim: BorderNeighbours, edges: Set<UInt64>, of mesh: TriangleMesh,
    to result: inout TriangleMesh, threads: Int
) {
    // The loop comes first in the patch, so that its vertices are known again.
    var patch = TriangleMesh()
    for v in vertices { _ = patch.addVertex(mesh.position(v)) }
    if filling.contains(where: { $0.min() < 0 }) {
        _ = patch.addVertex(middle(of: vertices, mesh))
    }
    for corners in filling {
        for k in 0..<3 { patch.triangles.append(UInt32(corners[k] < 0 ? vertices.count : corners[k])) }
    }
    let lengths = vertices.indices.map { i in
        Double((mesh.position(vertices[i]) - mesh.position(vertices[(i + 1) % vertices.count])).length)
    }
    let area = (0..<patch.triangleCount).reduce(0.0) { $0 + patch.areaVector($1).length / 2 }
    // As long as those around, unless that makes more triangles than can be placed in a moment.
    let mean = lengths.reduce(0, +) / Double(lengths.count)
    let length = max(mean, (area / (0.43 * largestPatch)).squareRoot())
    let expected = length > 0 ? area / (0.43 * length * length) : 0
    if vertices.count > 4 && expected > 0 {
        var work = IsotropicMesh(
            patch, length: Float(length), creaseAngle: 180, locksBorders: true, room: 2 * Int(expected))
        for round in 0..<6 {
            work.changeConnectivity(byAngle: round > 3)
            work.relax(threads: threads)
            work.move()
        }
        patch = work.mesh
        splitChords(&patch, vertices, edges)
    }
    let placed = fairedPositions(patch, on: vertices, rim, of: mesh)
    let base = result.vertexCount - vertices.count
    for v in vertices.count..<patch.vertexCount { _ = result.addVertex(placed[v]) }
    for v in patch.triangles {
        result.triangles.append(UInt32(Int(v) < vertices.count ? vertices[Int(v)] : base + Int(v)))
    }
}

/// Splits the edges of a patch that run between vertices of the loop where the mesh has an edge already.
private func splitChords(_ patch: inout TriangleMesh, _ vertices: [Int], _ edges: Set<UInt64>) {
    var chords: [(low: UInt32, high: UInt32)] = []
    MeshEdges(patch.triangles, vertexCount: patch.vertexCount).forEach { low, high, halves in
        guard halves.count == 2, Int(high) < vertices.count else { return }
        let (a, b) = (UInt32(vertices[Int(low)]), UInt32(vertices[Int(high)]))
        guard edges.contains(UInt64(min(a, b)) << 32 | UInt64(max(a, b))) else { return }
        chords.append((low, high))
    }
    for (low, high) in chords {
        let middle = patch.addVertex((patch.position(Int(low)) + patch.position(Int(high))) / 2)
        // Found again: earlier splits have put other vertices into these triangles' places.
        for t in 0..<patch.triangleCount {
            for h in 3 * t..<3 * t + 3 {
                let (u, v) = (patch.triangles[h], patch.triangles[MeshEdges.next(h)])
                guard min(u, v) == low, max(u, v) == high else { continue }
                let apex = patch.triangles[MeshEdges.previous(h)]
                patch.triangles[MeshEdges.next(h)] = middle
                patch.addTriangle(middle, v, apex)
                break
            }
        }
    }
}

/// Places the vertices of a patch behind its loop so that the surface goes on as it comes in: the Laplacian, over the
/// patch and its rim, is as small as can be in the sense of least squares.
///
/// Source: Botsch, Kobbelt, "An Intuitive Framework for Real-Time Freeform Modeling", 2004, with uniform weights.
private func fairedPositions(
    _ patch: TriangleMesh, on vertices: [Int], _ rim: BorderNeighbours, of mesh: TriangleMesh
) -> [Vector3f] {
    let loopCount = vertices.count
    let positions = (0..<patch.vertexCount).map { patch.position($0) }
    let unknowns = patch.vertexCount - loopCount
    guard unknowns > 0 else { return positions }
    // Neighbours: those of the patch, and at the loop those of the mesh around it too, as further fixed vertices.
    var fixed: [Vector3f] = []
    var neighbours = [[Int]](repeating: [], count: patch.vertexCount)
    let edges = MeshEdges(patch.triangles, vertexCount: patch.vertexCount)
    edges.forEach { low, high, _ in
        neighbours[Int(low)].append(Int(high))
        neighbours[Int(high)].append(Int(low))
    }
    let onLoop = Set(vertices.map { UInt32($0) })
    for (place, v) in vertices.enumerated() {
        for other in rim.neighbours[UInt32(v)] ?? [] where !onLoop.contains(other) {
            fixed.append(mesh.position(Int(other)))
            neighbours[place].append(-fixed.count)
        }
    }
    var (rows, columns, values, right) = ([Int32](), [Int32](), [Double](), [Double]())
    for v in 0..<patch.vertexCount {
        guard v >= loopCount || neighbours[v].contains(where: { $0 >= loopCount }) else { continue }
        let row = Int32(right.count / 3)
        var known = Vector3d.zero
        func add(_ w: Int, _ weight: Double) {
            if w >= loopCount {
                rows.append(row)
                columns.append(Int32(w - loopCount))
                values.append(weight)
            } else {
                known -= Vector3d(w >= 0 ? positions[w] : fixed[-w - 1]) * weight
            }
        }
        add(v, 1)
        for w in neighbours[v] { add(w, -1 / Double(neighbours[v].count)) }
        right += [known.x, known.y, known.z]
    }
    var solution = [Double](repeating: 0, count: 3 * unknowns)
    guard
        ssdf_solve_least_squares(
            Int32(right.count / 3), Int32(unknowns), values.count, rows, columns, values, right, &solution) != 0
    else { return positions }
    let faired = (0..<unknowns).map { i in
        Vector3f(Vector3d(solution[3 * i], solution[3 * i + 1], solution[3 * i + 2]))
    }
    return faired.allSatisfy { $0.isFinite } ? positions[..<loopCount] + faired : positions
}

/// What is next to the borders of a mesh.
private struct BorderNeighbours {
    /// The neighbours of each border vertex, ascending in the edges.
    var neighbours: [UInt32: [UInt32]] = [:]
    /// Edges between border vertices, lower vertex · 2³² + higher.
    var chords = Set<UInt64>()

    init(_ triangles: [UInt32], _ edges: borrowing MeshEdges) {
        edges.forEach { low, high, halves in
            guard halves.count == 1 else { return }
            neighbours[low] = []
            neighbours[high] = []
        }
        edges.forEach { low, high, _ in
            let (isLow, isHigh) = (neighbours[low] != nil, neighbours[high] != nil)
            if isLow { neighbours[low]?.append(high) }
            if isHigh { neighbours[high]?.append(low) }
            if isLow, isHigh { chords.insert(UInt64(low) << 32 | UInt64(high)) }
        }
    }
}
