import SSDFCore

/// How even the triangles of a mesh are.
package struct TriangleQuality: Sendable, Equatable {
    /// The smallest angle of any triangle, in degrees; 0 for an empty mesh.
    package var minimumAngle: Float = 0
    /// The share of angles below 10°.
    package var shareBelow10 = 0.0
    /// Standard deviation of edge lengths over their mean.
    package var edgeVariation: Float = 0
    /// Mean edge length, in mesh units.
    package var meanEdge: Float = 0

    /// - Complexity: O(n).
    package init(_ mesh: TriangleMesh) {
        guard mesh.triangleCount > 0 else { return }
        var least = 180.0
        var small = 0
        var sum = 0.0
        var squares = 0.0
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            let p = [Vector3d(mesh.position(a)), Vector3d(mesh.position(b)), Vector3d(mesh.position(c))]
            for i in 0..<3 {
                let (e, f) = (p[(i + 1) % 3] - p[i], p[(i + 2) % 3] - p[i])
                let angle = angleDegrees(sine: e.cross(f).length, cosine: e.dot(f))
                least = min(least, angle)
                if angle < 10 { small += 1 }
                // Inner edges count twice, which changes no ratio on a closed surface.
                let length = e.length
                sum += length
                squares += length * length
            }
        }
        let count = Double(3 * mesh.triangleCount)
        minimumAngle = Float(least)
        shareBelow10 = Double(small) / count
        meanEdge = Float(sum / count)
        let variance = max(0, squares / count - (sum / count) * (sum / count))
        edgeVariation = sum > 0 ? Float(variance.squareRoot() / (sum / count)) : 0
    }
}
