import SSDFCore

/// What is repaired.
package struct RepairOptions: Sendable {
    /// Vertices at most this far apart become one, in mesh units; 0 joins equal positions only.
    package var weldDistance: Float = 0
    /// Whether faces are turned outward.
    package var orients = true
    /// To work on; the result does not depend on it.
    package var threads = 1

    /// Everything, without welding what is apart.
    package init() {}
}

/// A repaired mesh, and what was wrong with it.
package struct RepairResult: Sendable {
    /// The mesh as it is now.
    package var mesh: TriangleMesh
    /// Vertices that became one with another.
    package var weldedVertices = 0
    /// Faces without area that were resolved.
    package var degenerateTriangles = 0
    /// Faces dropped because another joins the same vertices.
    package var duplicateTriangles = 0
    /// Faces turned round.
    package var turnedTriangles = 0
    /// Edges that were not manifold and came apart.
    package var separatedEdges = 0
    /// Vertices added because one stood for several fans.
    package var separatedVertices = 0

    /// In words, what was done; empty when nothing was.
    package var summary: [String] {
        [
            (weldedVertices, "vertices welded"), (degenerateTriangles, "faces without area resolved"),
            (duplicateTriangles, "duplicate faces dropped"), (turnedTriangles, "faces turned round"),
            (separatedEdges, "non-manifold edges separated"), (separatedVertices, "vertices added to separate fans"),
        ].filter { $0.0 > 0 }.map { "\(grouped($0.0)) \($0.1)" }
    }
}

/// Makes an oriented manifold with proper faces out of any triangles, moving none of them.
///
/// In this order: vertices at one place become one; faces without area go without opening borders; of faces with the same
/// corners the first stays; faces are turned so that neighbours agree and outsides face out; edges of more than two faces
/// and vertices of more than one fan are separated. Unused vertices go, and so do normals, which described other faces.
///
/// - Throws: `usage` for a weld distance that is negative or not finite.
/// - Complexity: O(n log n).
package func repair(_ mesh: TriangleMesh, options: RepairOptions) throws(Failure) -> RepairResult {
    guard options.weldDistance >= 0, options.weldDistance.isFinite else {
        throw Failure(.usage, "a weld distance of \(options.weldDistance) was asked for, expected 0 or more")
    }
    var work = TriangleMesh(positions: mesh.positions, triangles: mesh.triangles)
    work.removeUnusedVertices()
    var result = RepairResult(mesh: work)
    let numbers = weldedNumbers(work, within: options.weldDistance)
    for i in work.triangles.indices { work.triangles[i] = numbers[Int(work.triangles[i])] }
    result.weldedVertices = numbers.indices.count { numbers[$0] != UInt32($0) }
    result.degenerateTriangles = removeDegenerateFaces(&work.triangles, positions: work)
    result.duplicateTriangles = dropDuplicates(&work.triangles, vertexCount: work.vertexCount)
    work.removeUnusedVertices()
    if options.orients { result.turnedTriangles = orientOutward(&work, threads: options.threads) }
    let separation = separateNonManifold(work)
    result.separatedEdges = separation.separatedEdges
    result.separatedVertices = separation.addedVertices
    result.mesh = separation.mesh
    return result
}

/// Keeps the first of triangles with the same three vertices, whichever way round; returns how many went.
private func dropDuplicates(_ triangles: inout [UInt32], vertexCount: Int) -> Int {
    let edges = MeshEdges(triangles, vertexCount: vertexCount)
    let count = triangles.count / 3
    var isCopy = [Bool](repeating: false, count: count)
    edges.forEach { low, high, halves in
        guard halves.count > 1 else { return }
        for i in 1..<halves.count {
            let third = triangles[MeshEdges.previous(halves[i])]
            // Each face is looked at by the edge of its lowest two vertices alone.
            guard third > high else { continue }
            for j in 0..<i where triangles[MeshEdges.previous(halves[j])] == third { isCopy[halves[i] / 3] = true }
        }
    }
    let copies = isCopy.count { $0 }
    if copies > 0 { triangles = triangles.indices.filter { !isCopy[$0 / 3] }.map { triangles[$0] } }
    return copies
}
