import SSDFCore

/// Removes triangles without area without opening borders.
///
/// A triangle that names a vertex twice goes: its neighbours meet already. One whose corners lie in a line has a corner on
/// its longest edge: that edge is turned, so that the neighbour across is cut at the corner. At a border, or where there
/// is no one neighbour, the triangle goes. Triangles thinner than 10⁻⁶ of their longest edge count as having no area.
///
/// - Parameter triangles: welded vertex numbers; changed in place.
/// - Returns: the triangles removed or turned.
/// - Complexity: O(n) a pass, as many passes as such triangles lie in a chain, at most 256.
func removeDegenerateFaces(_ triangles: inout [UInt32], positions mesh: TriangleMesh) -> Int {
    var handled = dropCollapsed(&triangles)
    for _ in 0..<256 {
        let flat = (0..<triangles.count / 3).filter { longestEdgeOfFlat($0, triangles, mesh) != nil }
        guard !flat.isEmpty else { break }
        let twins = MeshEdges(triangles, vertexCount: mesh.vertexCount).twins(triangles)
        var isTouched = [Bool](repeating: false, count: triangles.count / 3)
        var isGone = isTouched
        var changed = 0
        for t in flat where !isTouched[t] {
            guard let edge = longestEdgeOfFlat(t, triangles, mesh) else { continue }
            let twin = Int(twins[edge])
            isTouched[t] = true
            if twin < 0 {
                isGone[t] = true
                changed += 1
                continue
            }
            let other = twin / 3
            guard !isTouched[other] else { continue }
            isTouched[other] = true
            changed += 1
            // The edge runs u → v, with c on it; across lies d.
            let (u, v) = (triangles[edge], triangles[MeshEdges.next(edge)])
            let (c, d) = (triangles[MeshEdges.previous(edge)], triangles[MeshEdges.previous(twin)])
            if c == d {
                isGone[t] = true
                isGone[other] = true
                continue
            }
            (triangles[3 * t], triangles[3 * t + 1], triangles[3 * t + 2]) = (c, u, d)
            (triangles[3 * other], triangles[3 * other + 1], triangles[3 * other + 2]) = (d, v, c)
        }
        guard changed > 0 else { break }
        handled += changed
        triangles = triangles.indices.filter { !isGone[$0 / 3] }.map { triangles[$0] }
        _ = dropCollapsed(&triangles)
    }
    return handled
}

/// Drops triangles that name a vertex twice; returns how many.
private func dropCollapsed(_ triangles: inout [UInt32]) -> Int {
    let before = triangles.count
    var kept = 0
    for first in stride(from: 0, to: before, by: 3) {
        let (a, b, c) = (triangles[first], triangles[first + 1], triangles[first + 2])
        guard a != b, b != c, c != a else { continue }
        (triangles[kept], triangles[kept + 1], triangles[kept + 2]) = (a, b, c)
        kept += 3
    }
    triangles.removeLast(before - kept)
    return (before - kept) / 3
}

/// The half-edge along the longest side of a triangle without area; nil when it has one.
private func longestEdgeOfFlat(_ t: Int, _ triangles: [UInt32], _ mesh: TriangleMesh) -> Int? {
    let a = Vector3d(mesh.position(Int(triangles[3 * t])))
    let b = Vector3d(mesh.position(Int(triangles[3 * t + 1])))
    let c = Vector3d(mesh.position(Int(triangles[3 * t + 2])))
    let (ab, bc, ca) = ((b - a).lengthSquared, (c - b).lengthSquared, (a - c).lengthSquared)
    let longest = max(ab, bc, ca)
    guard (b - a).cross(c - a).length <= 1e-6 * longest else { return nil }
    return 3 * t + (longest == ab ? 0 : longest == bc ? 1 : 2)
}
