import SSDFCore

/// Normals to shade with: smooth over rounded parts, split along sharp edges.
///
/// A vertex whose triangles all lean less than half the crease angle from their common normal has that one normal. At
/// every other vertex, a triangle's corner has the mean of those triangles that lean less than the crease angle from
/// its own. Means are weighted by area, so that the many slivers of an extracted surface do not outvote its faces.
struct SurfaceNormals: Sendable {
    /// `[N, 3]`, unit length, or zero where a vertex has no triangle of positive area.
    private let smooth: [Float]
    /// `[N]`: number of a vertex among those with edges, or `round`.
    private let edged: [UInt32]
    /// The triangles round edged vertex e are `around[starts[e] ..< starts[e + 1]]`.
    private let starts: [Int]
    private let around: [UInt32]
    private let creaseCosine: Float

    private static var round: UInt32 { .max }

    /// - Parameters:
    ///   - given: `[N, 3]` normals that the mesh came with, used as they are; or empty.
    ///   - creaseAngle: degrees.
    /// - Complexity: O(N + T).
    init(positions: [Float], triangles: [UInt32], given: [Float], creaseAngle: Double, threads: Int) {
        creaseCosine = Float(cosine(creaseAngle * .pi / 180))
        let count = positions.count / 3
        var edged = [UInt32](repeating: Self.round, count: count)
        if given.count == positions.count, count > 0 {
            smooth = given
            self.edged = edged
            starts = [0]
            around = []
            return
        }
        let means = vertexNormals(positions: positions, triangles: triangles, threads: threads)
        let limit = Float(cosine(creaseAngle / 2 * .pi / 180))
        var edgedCount = 0
        var starts: [Int] = [0]
        var around: [UInt32] = []
        positions.withUnsafeBufferPointer { p in
            triangles.withUnsafeBufferPointer { t in
                means.withUnsafeBufferPointer { n in
                    edged.withUnsafeMutableBufferPointer { edged in
                        for triangle in 0..<t.count / 3 {
                            let face = faceNormal(triangle, p, t).normalized
                            guard face != .zero else { continue }
                            for corner in 3 * triangle..<3 * triangle + 3 {
                                let v = Int(t[corner])
                                if edged[v] == Self.round, point(v, n).dot(face) < limit {
                                    edged[v] = UInt32(edgedCount)
                                    edgedCount += 1
                                }
                            }
                        }
                        // Counted, summed, filled: the usual three steps to lists in one array.
                        starts = [Int](repeating: 0, count: edgedCount + 1)
                        for v in t where edged[Int(v)] != Self.round { starts[Int(edged[Int(v)]) + 1] += 1 }
                        for e in 0..<edgedCount { starts[e + 1] += starts[e] }
                        var next = starts
                        around = [UInt32](repeating: 0, count: starts[edgedCount])
                        for corner in 0..<t.count {
                            let e = edged[Int(t[corner])]
                            guard e != Self.round else { continue }
                            around[next[Int(e)]] = UInt32(corner / 3)
                            next[Int(e)] += 1
                        }
                    }
                }
            }
        }
        smooth = means
        self.edged = edged
        self.starts = starts
        self.around = around
    }

    /// The normal at corner `vertex` of a triangle whose own unit normal is `flat`.
    func normal(
        at vertex: Int, flat: Vector3f, _ p: UnsafeBufferPointer<Float>, _ t: UnsafeBufferPointer<UInt32>
    ) -> Vector3f {
        let e = edged[vertex]
        if e == Self.round { return Vector3f(smooth[3 * vertex], smooth[3 * vertex + 1], smooth[3 * vertex + 2]) }
        var sum = Vector3f()
        for i in starts[Int(e)]..<starts[Int(e) + 1] {
            let face = faceNormal(Int(around[i]), p, t)
            if face.normalized.dot(flat) > creaseCosine { sum += face }
        }
        return sum == .zero ? flat : sum.normalized
    }
}

/// Vertex normals, weighted by triangle area.
/// - Returns: `[N, 3]`, unit length, or zero where a vertex has no triangle of positive area.
private func vertexNormals(positions: [Float], triangles: [UInt32], threads: Int) -> [Float] {
    var sums = [Float](repeating: 0, count: positions.count)
    sums.withUnsafeMutableBufferPointer { sums in
        positions.withUnsafeBufferPointer { p in
            triangles.withUnsafeBufferPointer { t in
                // In order, on one thread: a sum of floats depends on the order of its terms.
                for triangle in 0..<t.count / 3 {
                    let n = faceNormal(triangle, p, t)
                    for corner in 3 * triangle..<3 * triangle + 3 {
                        let v = 3 * Int(t[corner])
                        sums[v] += n.x
                        sums[v + 1] += n.y
                        sums[v + 2] += n.z
                    }
                }
            }
        }
        let target = Unchecked(sums)
        parallelFor(sums.count / 3, threads: threads, grain: 1 << 14) { range in
            for v in range {
                let s = target.value
                let n = Vector3f(s[3 * v], s[3 * v + 1], s[3 * v + 2]).normalized
                s[3 * v] = n.x
                s[3 * v + 1] = n.y
                s[3 * v + 2] = n.z
            }
        }
    }
    return sums
}

/// A triangle's normal; its length is twice the area.
@inline(__always)
func faceNormal(
    _ triangle: Int, _ p: UnsafeBufferPointer<Float>, _ t: UnsafeBufferPointer<UInt32>
) -> Vector3f {
    let a = point(Int(t[3 * triangle]), p)
    let b = point(Int(t[3 * triangle + 1]), p)
    let c = point(Int(t[3 * triangle + 2]), p)
    return (b - a).cross(c - a)
}

/// Row `index` of a packed `[N, 3]` array.
@inline(__always)
func point(_ index: Int, _ p: UnsafeBufferPointer<Float>) -> Vector3f {
    Vector3f(p[3 * index], p[3 * index + 1], p[3 * index + 2])
}
