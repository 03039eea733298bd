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

/// Makes one vertex of two at one place that an edge joins, where an oriented manifold stays one: the two have no other
/// neighbours in common than the corners across from the edge, and no border runs through them. Of two vertices the higher
/// one is unused then.
///
/// - Returns: the triangles that went, two for each edge.
/// - Complexity: O(n) and the triangles around these vertices.
func collapseEdgesWithoutLength(_ triangles: inout [UInt32], positions mesh: TriangleMesh) -> Int {
    func isShort(_ h: Int) -> Bool {
        mesh.position(Int(triangles[h])) == mesh.position(Int(triangles[MeshEdges.next(h)]))
    }
    let short = triangles.indices.filter(isShort)
    guard !short.isEmpty else { return 0 }
    var around: [UInt32: Set<Int>] = [:]
    for h in short { (around[triangles[h]], around[triangles[MeshEdges.next(h)]]) = ([], []) }
    for h in triangles.indices where around[triangles[h]] != nil { around[triangles[h]]!.insert(h / 3) }
    /// How many of the triangles around a vertex each neighbour is in.
    func neighbours(_ v: UInt32) -> [UInt32: Int] {
        var counts: [UInt32: Int] = [:]
        for t in around[v]! { for w in triangles[3 * t..<3 * t + 3] where w != v { counts[w, default: 0] += 1 } }
        return counts
    }
    var isGone = Set<Int>()
    for h in short where !isGone.contains(h / 3) && isShort(h) {
        let (u, v) = (triangles[h], triangles[MeshEdges.next(h)])
        let (kept, lost) = (min(u, v), max(u, v))
        let both = around[kept]!.intersection(around[lost]!)
        let (first, second) = (neighbours(kept), neighbours(lost))
        guard both.count == 2, first.values.allSatisfy({ $0 == 2 }), second.values.allSatisfy({ $0 == 2 }),
            first.keys.count(where: { second[$0] != nil }) == 2, first.count + second.count > 6
        else { continue }
        for t in around[lost]!.subtracting(both) {
            for k in 3 * t..<3 * t + 3 where triangles[k] == lost { triangles[k] = kept }
        }
        around[kept] = around[kept]!.union(around[lost]!).subtracting(both)
        around[lost] = []
        for t in both {
            for w in triangles[3 * t..<3 * t + 3] { around[w]?.remove(t) }
        }
        isGone.formUnion(both)
    }
    if !isGone.isEmpty { triangles = triangles.indices.filter { !isGone.contains($0 / 3) }.map { triangles[$0] } }
    return isGone.count
}

/// Turns the longest edges of triangles without area where the mesh stays as it is otherwise: an oriented manifold stays one,
/// and so do its borders.
///
/// - Returns: the edges turned.
/// - Complexity: O(n) a pass, as many passes as such triangles lie in a chain, at most 256.
func turnEdgesOfFlatFaces(_ triangles: inout [UInt32], positions mesh: TriangleMesh) -> Int {
    func key(_ a: UInt32, _ b: UInt32) -> UInt64 { UInt64(min(a, b)) << 32 | UInt64(max(a, b)) }
    var edges = Set(triangles.indices.map { key(triangles[$0], triangles[MeshEdges.next($0)]) })
    var turned = 0
    for _ in 0..<256 {
        let flat = (0..<triangles.count / 3).filter { longestEdgeOfFlat($0, triangles, mesh) != nil }
        guard !flat.isEmpty else { break }
        let twins = MeshEdges(triangles, vertexCount: mesh.vertexCount).twins(triangles)
        var touched = Set<Int>()
        let before = turned
        for t in flat where !touched.contains(t) {
            guard let edge = longestEdgeOfFlat(t, triangles, mesh), twins[edge] >= 0 else { continue }
            let twin = Int(twins[edge])
            let other = twin / 3
            // The edge runs u → v, with c on it; across lies d.
            let (u, v) = (triangles[edge], triangles[MeshEdges.next(edge)])
            let (c, d) = (triangles[MeshEdges.previous(edge)], triangles[MeshEdges.previous(twin)])
            guard !touched.contains(other), c != d, edges.insert(key(c, d)).inserted else { continue }
            edges.remove(key(u, v))
            touched.formUnion([t, other])
            (triangles[3 * t], triangles[3 * t + 1], triangles[3 * t + 2]) = (c, u, d)
            (triangles[3 * other], triangles[3 * other + 1], triangles[3 * other + 2]) = (d, v, c)
            turned += 1
        }
        guard turned > before else { break }
    }
    return turned
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
