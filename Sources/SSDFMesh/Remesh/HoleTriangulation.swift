import SSDFCore

/// Triangles over a border loop.
struct HoleTriangulation {
    /// Places along the loop, facing as the mesh around does; -1 stands for one vertex in the middle of the loop.
    private(set) var triangles: [SIMD3<Int>] = []

    /// Longer loops are narrowed first: the programme below is cubic.
    private static let longest = 300

    private let points: [Vector3d]
    private let vertices: [UInt32]
    /// Unit normals of the faces along the loop.
    private let rim: [Vector3d]
    private let edges: Set<UInt64>

    /// - Parameters:
    ///   - loop: border half-edges, each beginning where the one before ends.
    ///   - edges: the edges there are, lower vertex · 2³² + higher: a triangulation must not make them anew.
    init(_ mesh: TriangleMesh, _ loop: [Int], twins: [Int32], edges: Set<UInt64>) {
        points = loop.map { Vector3d(mesh.position(Int(mesh.triangles[$0]))) }
        vertices = loop.map { mesh.triangles[$0] }
        rim = loop.map { mesh.areaVector($0 / 3).normalized }
        self.edges = edges
        guard loop.count >= 3 else { return }
        var places = Array(loop.indices)
        var normals = rim
        while places.count > Self.longest, clipSharpest(&places, &normals) {}
        if !triangulate(places, normals) {
            // Every diagonal is an edge already: a vertex in the middle makes new ones.
            triangles.removeAll()
            for i in loop.indices { triangles.append(SIMD3((i + 1) % loop.count, i, -1)) }
        }
    }

    private func isEdge(_ i: Int, _ k: Int) -> Bool {
        let (a, b) = (vertices[i], vertices[k])
        return edges.contains(UInt64(min(a, b)) << 32 | UInt64(max(a, b)))
    }

    /// Closes the corner of the smallest angle; returns whether there was one that could be closed.
    private mutating func clipSharpest(_ places: inout [Int], _ normals: inout [Vector3d]) -> Bool {
        let n = places.count
        var best = (cosine: -Double.infinity, at: -1)
        for i in 0..<n {
            let (a, b, c) = (places[(i + n - 1) % n], places[i], places[(i + 1) % n])
            let cosine = (points[a] - points[b]).normalized.dot((points[c] - points[b]).normalized)
            if cosine > best.cosine, !isEdge(a, c) { best = (cosine, i) }
        }
        guard best.at >= 0 else { return false }
        let i = best.at
        let before = (i + n - 1) % n
        let corners = SIMD3(places[(i + 1) % n], places[i], places[before])
        triangles.append(corners)
        normals[before] = normal(corners[0], corners[1], corners[2]).normalized
        places.remove(at: i)
        normals.remove(at: i)
        return true
    }

    private func normal(_ a: Int, _ b: Int, _ c: Int) -> Vector3d {
        (points[b] - points[a]).cross(points[c] - points[a])
    }

    /// What a triangulation costs: the sharpest bend in it, then its area.
    private struct Cost {
        /// 1 − cosine of the angle between neighbouring faces, at most.
        var bend = Float(0)
        var area = Float(0)

        static func < (a: Cost, b: Cost) -> Bool { a.bend != b.bend ? a.bend < b.bend : a.area < b.area }
    }

    /// The best triangulation of the loop of `places`, by dynamic programming over its chords.
    /// Returns whether there is one that makes no edge anew.
    private mutating func triangulate(_ places: [Int], _ normals: [Vector3d]) -> Bool {
        let n = places.count
        let open = Cost(bend: .infinity, area: .infinity)
        var cost = [Cost](repeating: Cost(), count: n * n)
        var choice = [Int](repeating: -1, count: n * n)
        for span in 2..<n {
            for i in 0..<n - span {
                let k = i + span
                var best = open
                var apex = -1
                let isLast = span == n - 1
                if isLast || !isEdge(places[i], places[k]) {
                    for m in i + 1..<k {
                        let (left, right) = (cost[i * n + m], cost[m * n + k])
                        let bend = max(left.bend, right.bend)
                        guard bend <= best.bend, bend < .infinity else { continue }
                        let vector = normal(places[i], places[k], places[m])
                        let length = vector.length
                        let unit = length > 0 ? vector / length : .zero
                        var total = Cost(bend: bend, area: left.area + right.area + Float(length))
                        func meet(_ other: Vector3d) { total.bend = max(total.bend, Float(1 - unit.dot(other))) }
                        meet(m == i + 1 ? normals[i] : chordNormal(i, choice[i * n + m], m, places))
                        meet(k == m + 1 ? normals[m] : chordNormal(m, choice[m * n + k], k, places))
                        if isLast { meet(normals[k]) }
                        if total < best {
                            best = total
                            apex = m
                        }
                    }
                }
                cost[i * n + k] = best
                choice[i * n + k] = apex
            }
        }
        guard choice[n - 1] >= 0 else { return false }
        var stack = [(0, n - 1)]
        while let (i, k) = stack.popLast() {
            guard k - i >= 2 else { continue }
            let m = choice[i * n + k]
            triangles.append(SIMD3(places[i], places[k], places[m]))
            stack.append((i, m))
            stack.append((m, k))
        }
        return true
    }

    /// The unit normal of the triangle that was chosen over the chord from i to k.
    private func chordNormal(_ i: Int, _ apex: Int, _ k: Int, _ places: [Int]) -> Vector3d {
        normal(places[i], places[k], places[apex]).normalized
    }
}
