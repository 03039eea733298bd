import SSDFCore

/// Squared distance from a point to a triangle, in double precision.
///
/// Source: Ericson, "Real-Time Collision Detection", 2005, §5.1.5 for the regions; degenerate triangles fall back to
/// the nearest of their edges.
package func squaredDistance(
    from p: Vector3d, toTriangle a: Vector3d, _ b: Vector3d, _ c: Vector3d
) -> Double {
    let n = (b - a).cross(c - a)
    let n2 = n.lengthSquared
    if n2 > 0 {
        // Over the face when the point is on the inner side of all three edge planes.
        let s = n.dot((b - a).cross(p - a))
        let t = n.dot((c - b).cross(p - b))
        let u = n.dot((a - c).cross(p - c))
        if s > 0, t > 0, u > 0 {
            let h = n.dot(p - a)
            return h * h / n2
        }
    }
    return min(
        squaredDistance(from: p, toSegment: a, b),
        squaredDistance(from: p, toSegment: b, c),
        squaredDistance(from: p, toSegment: c, a))
}

private func squaredDistance(from p: Vector3d, toSegment a: Vector3d, _ b: Vector3d) -> Double {
    let e = b - a
    let length2 = e.lengthSquared
    guard length2 > 0 else { return (p - a).lengthSquared }
    let t = max(0, min(1, (p - a).dot(e) / length2))
    return (p - (a + e * t)).lengthSquared
}
