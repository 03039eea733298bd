import SSDFCore

/// How far a mesh is smoothed.
package struct SmoothOptions: Sendable {
    /// Rounds; each is a step that smooths and one that swells back.
    package var iterations: Int
    /// Share of the way to the neighbours' mean that the smoothing step goes, 0 … 1.
    package var step = 0.5
    /// Frequencies below this, of the Laplacian's 0 … 2, pass unchanged.
    package var passBand = 0.1
    /// To work on; the result does not depend on it.
    package var threads = 1

    /// The defaults for a number of rounds.
    package init(iterations: Int) { self.iterations = iterations }
}

/// Smooths a surface without shrinking it, by a low-pass filter of its vertices.
///
/// Vertices on borders, and on edges of more than two faces, move along these alone; where more than two such edges meet
/// they stay. Connectivity stays. The result carries no vertex normals.
///
/// - Throws: `usage` for a negative number of rounds.
/// - Complexity: O(rounds · n).
///
/// Source: Taubin, "A Signal Processing Approach to Fair Surface Design", 1995.
package func smooth(_ mesh: TriangleMesh, options: SmoothOptions) throws(Failure) -> TriangleMesh {
    guard options.iterations >= 0 else {
        throw Failure(.usage, "\(options.iterations) rounds of smoothing were asked for, expected 0 or more")
    }
    let neighbours = SmoothingNeighbours(mesh)
    var positions = mesh.positions
    // 1/λ + 1/μ is the pass band.
    let back = 1 / (options.passBand - 1 / options.step)
    for _ in 0..<options.iterations {
        for factor in [options.step, back] {
            positions = neighbours.stepped(positions, by: Float(factor), threads: options.threads)
        }
    }
    return TriangleMesh(positions: positions, triangles: mesh.triangles)
}

/// The vertices whose mean each vertex is drawn to.
private struct SmoothingNeighbours {
    /// Neighbours of vertex v: `list[starts[v]..<starts[v + 1]]`.
    private var starts: [Int]
    private var list: [UInt32]

    init(_ mesh: TriangleMesh) {
        let count = mesh.vertexCount
        let edges = MeshEdges(mesh.triangles, vertexCount: count)
        var degrees = [Int](repeating: 0, count: count)
        var rims = degrees
        edges.forEach { low, high, halves in
            for v in [Int(low), Int(high)] {
                degrees[v] += 1
                if halves.count != 2 { rims[v] += 1 }
            }
        }
        starts = [0]
        for v in 0..<count { starts.append(starts[v] + (rims[v] == 0 ? degrees[v] : rims[v] == 2 ? 2 : 0)) }
        list = [UInt32](repeating: 0, count: starts[count])
        var places = starts
        edges.forEach { low, high, halves in
            for (v, w) in [(Int(low), high), (Int(high), low)] {
                guard rims[v] == 0 || (rims[v] == 2 && halves.count != 2) else { continue }
                list[places[v]] = w
                places[v] += 1
            }
        }
    }

    func stepped(_ positions: [Float], by factor: Float, threads: Int) -> [Float] {
        let count = positions.count / 3
        return [Float](filling: positions.count) { out in
            positions.withUnsafeBufferPointer { p in
                let (target, source) = (Unchecked(out), Unchecked(p))
                parallelFor(count, threads: threads, grain: 4096) { range in
                    let p = source.value
                    for v in range {
                        let here = Vector3f(p[3 * v], p[3 * v + 1], p[3 * v + 2])
                        var sum = Vector3f.zero
                        for k in starts[v]..<starts[v + 1] {
                            let w = 3 * Int(list[k])
                            sum += Vector3f(p[w], p[w + 1], p[w + 2])
                        }
                        let neighbours = starts[v + 1] - starts[v]
                        let there = neighbours == 0 ? here : here + (sum / Float(neighbours) - here) * factor
                        for x in 0..<3 { target.value[3 * v + x] = there[x] }
                    }
                }
            }
        }
    }
}
