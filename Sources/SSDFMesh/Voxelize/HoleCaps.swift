import SSDFCore

/// Loops of a boundary chain, and triangles that close them for the sign's sake.
struct HoleCaps {
    /// Loops with more edges than this are closed by a cone, whose own winding number is then taken off again.
    static let largestFilledLoop = 64

    /// Simple loops of welded vertices that together are the chain: along each, the surface's boundary runs.
    static func loops(of boundary: BoundaryChain) -> [[UInt32]] {
        var next: [UInt32: [UInt32]] = [:]
        for edge in boundary.edges {
            for _ in 0..<edge.count { next[edge.from, default: []].append(edge.to) }
        }
        var loops: [[UInt32]] = []
        for edge in boundary.edges {
            while let end = next[edge.from]?.popLast() {
                var path = [edge.from]
                var placeOf = [edge.from: 0]
                var current = end
                // A chain's boundary has none itself: as many edges leave a vertex as arrive, so the path never ends.
                while true {
                    if let place = placeOf[current] {
                        // The path met itself: what lies between is a loop of its own.
                        let loop = Array(path[place...])
                        for v in loop.dropFirst() { placeOf[v] = nil }
                        path.removeLast(path.count - place - 1)
                        if loop.count > 2 { loops.append(loop) }
                        if place == 0 { break }
                    } else {
                        placeOf[current] = path.count
                        path.append(current)
                    }
                    guard let following = next[current]?.popLast() else { break }
                    current = following
                }
            }
        }
        return loops
    }

    /// Triangles of least total area whose boundary is the opposite of `loop`; none of them a face there is already.
    /// - Complexity: O(n³) for n edges.
    /// Source: Barequet, Sharir, "Filling Gaps in the Boundary of a Polyhedron", 1995, §3.
    static func fill(
        _ loop: [UInt32], position: (UInt32) -> Vector3d, isFace: (UInt32, UInt32, UInt32) -> Bool
    ) -> [(UInt32, UInt32, UInt32)] {
        let n = loop.count
        if n == 3 { return [(loop[0], loop[2], loop[1])] }
        let points = loop.map(position)
        let largest = points.reduce(0) { max($0, ($1 - points[0]).lengthSquared) }
        var cost = [Double](repeating: 0, count: n * n)
        var choice = [Int](repeating: 0, count: n * n)
        for span in 2..<n {
            for i in 0..<n - span {
                let k = i + span
                var best = Double.infinity
                for m in i + 1..<k {
                    var area = (points[m] - points[i]).cross(points[k] - points[i]).length
                    if isFace(loop[i], loop[m], loop[k]) { area += largest * Double(n) }
                    let total = cost[i * n + m] + cost[m * n + k] + area
                    if total < best {
                        best = total
                        choice[i * n + k] = m
                    }
                }
                cost[i * n + k] = best
            }
        }
        var triangles: [(UInt32, UInt32, UInt32)] = []
        var open = [(0, n - 1)]
        while let (i, k) = open.popLast() {
            guard k - i >= 2 else { continue }
            let m = choice[i * n + k]
            triangles.append((loop[i], loop[k], loop[m]))
            open.append((i, m))
            open.append((m, k))
        }
        return triangles
    }
}
