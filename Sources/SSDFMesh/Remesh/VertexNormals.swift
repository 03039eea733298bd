import SSDFCore

/// Unit normals at the vertices: the mean of the faces around, by their angles there. Zero where there are none.
/// - Returns: `[vertexCount, 3]`.
/// - Complexity: O(n).
///
/// Source: Thürmer, Wüthrich, "Computing Vertex Normals from Polygonal Facets", 1998.
package func vertexNormals(_ mesh: TriangleMesh) -> [Float] {
    var sums = [Vector3d](repeating: .zero, count: mesh.vertexCount)
    for t in 0..<mesh.triangleCount {
        let corners = mesh.triangles[3 * t..<3 * t + 3].map { Int($0) }
        let p = corners.map { Vector3d(mesh.position($0)) }
        let normal = mesh.areaVector(t).normalized
        for k in 0..<3 {
            let (e, f) = (p[(k + 1) % 3] - p[k], p[(k + 2) % 3] - p[k])
            sums[corners[k]] += normal * angleDegrees(sine: e.cross(f).length, cosine: e.dot(f))
        }
    }
    return [Float](filling: 3 * sums.count) { out in
        for v in sums.indices {
            let n = sums[v].normalized
            for x in 0..<3 { out[3 * v + x] = Float(n[x]) }
        }
    }
}
