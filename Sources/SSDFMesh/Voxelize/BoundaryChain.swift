import SSDFCore

/// The boundary of a mesh as a chain: the directed edges that its triangles, oriented as they are, leave uncancelled.
///
/// Vertices count by position. A closed, consistently oriented mesh has none, whatever it does otherwise: cut through
/// itself, share edges among four faces, have triangles without area.
struct BoundaryChain {
    /// From, to (numbers of welded positions), and how often; never 0.
    struct Edge {
        var from: UInt32, to: UInt32
        var count: Int
    }

    private(set) var edges: [Edge] = []
    /// A vertex of the mesh at each welded position that edges use.
    private(set) var vertexOf: [UInt32: UInt32] = [:]

    var isEmpty: Bool { edges.isEmpty }

    /// The boundary of a mesh as it is.
    /// - Complexity: O(triangles).
    static func of(_ mesh: TriangleMesh) -> BoundaryChain {
        // Sums of hashes show in one pass that all edges cancel; only other meshes need the edges themselves.
        if cancels(mesh.triangles) { return BoundaryChain() }
        return BoundaryChain(mesh, welded: WeldedVertices(mesh), weights: nil)
    }

    private init() {}

    /// The boundary of a mesh whose triangles count `weights` times, its vertices welded.
    init(_ mesh: TriangleMesh, welded: WeldedVertices, weights: [Int8]?) {
        let triangles = welded.triangles(of: mesh)
        if weights == nil, Self.cancels(triangles) { return }
        var net: [UInt64: Int] = [:]
        for t in 0..<mesh.triangleCount {
            let weight = weights.map { Int($0[t]) } ?? 1
            guard weight != 0 else { continue }
            for k in 0..<3 {
                let (u, v) = (triangles[3 * t + k], triangles[3 * t + (k + 1) % 3])
                guard u != v else { continue }
                net[UInt64(min(u, v)) << 32 | UInt64(max(u, v)), default: 0] += u < v ? weight : -weight
            }
        }
        for (key, count) in net where count != 0 {
            let (u, v) = (UInt32(key >> 32), UInt32(truncatingIfNeeded: key))
            edges.append(count > 0 ? Edge(from: u, to: v, count: count) : Edge(from: v, to: u, count: -count))
        }
        edges.sort { $0.from != $1.from ? $0.from < $1.from : $0.to < $1.to }
        for edge in edges {
            vertexOf[edge.from] = welded.firstVertex[Int(edge.from)]
            vertexOf[edge.to] = welded.firstVertex[Int(edge.to)]
        }
    }

    /// Whether every directed edge of the triangles is met by its opposite as often.
    static func cancels(_ triangles: [UInt32], threads: Int = 1) -> Bool {
        // Two independent sums: a mesh that is not closed passes with probability 2⁻¹²⁸.
        var total = SIMD2<UInt64>()
        triangles.withUnsafeBufferPointer { indices in
            let grain = 1 << 14
            let count = indices.count / 3
            let indices = Unchecked(indices)
            let sums = parallelMap((count + grain - 1) / grain, threads: threads) { part in
                var sum = SIMD2<UInt64>()
                let indices = indices.value
                for t in part * grain..<min((part + 1) * grain, count) {
                    let (a, b, c) = (indices[3 * t], indices[3 * t + 1], indices[3 * t + 2])
                    sum = sum &+ hash(a, b) &+ hash(b, c) &+ hash(c, a)
                }
                return sum
            }
            for sum in sums { total = total &+ sum }
        }
        return total == SIMD2()
    }

    /// Two random numbers for an edge; their opposites for the edge the other way; 0 for none.
    @inline(__always)
    private static func hash(_ u: UInt32, _ v: UInt32) -> SIMD2<UInt64> {
        if u == v { return SIMD2() }
        var h = (UInt64(min(u, v)) << 32 | UInt64(max(u, v))) &* 0x9E37_79B9_7F4A_7C15
        h = (h ^ h >> 32) &* 0xD6E8_FEB8_6659_FD93
        h ^= h >> 29
        let g = (h &* 0xA076_1D64_78BD_642F) ^ (h >> 31)
        return u < v ? SIMD2(h, g) : SIMD2(0 &- h, 0 &- g)
    }

    /// Triangles whose boundary is the opposite of this chain: a cone over each connected part from its centre.
    func cones(_ mesh: TriangleMesh) -> TriangleMesh {
        var parent: [UInt32: UInt32] = [:]
        func root(_ v: UInt32) -> UInt32 {
            var v = v
            while let up = parent[v], up != v { v = up }
            return v
        }
        for edge in edges {
            for v in [edge.from, edge.to] where parent[v] == nil { parent[v] = v }
            let (a, b) = (root(edge.from), root(edge.to))
            if a != b { parent[max(a, b)] = min(a, b) }
        }
        var sums: [UInt32: (sum: Vector3d, count: Double)] = [:]
        for v in vertexOf.keys.sorted() {
            let r = root(v)
            let old = sums[r] ?? (.zero, 0)
            sums[r] = (old.sum + Vector3d(mesh.position(Int(vertexOf[v]!))), old.count + 1)
        }
        var caps = TriangleMesh()
        var placed: [UInt32: UInt32] = [:]
        var apexes: [UInt32: UInt32] = [:]
        for edge in edges {
            let r = root(edge.from)
            if apexes[r] == nil {
                let (sum, count) = sums[r]!
                apexes[r] = caps.addVertex(Vector3f(sum / count))
            }
            for v in [edge.from, edge.to] where placed[v] == nil {
                placed[v] = caps.addVertex(mesh.position(Int(vertexOf[v]!)))
            }
            for _ in 0..<edge.count { caps.addTriangle(apexes[r]!, placed[edge.to]!, placed[edge.from]!) }
        }
        return caps
    }
}
