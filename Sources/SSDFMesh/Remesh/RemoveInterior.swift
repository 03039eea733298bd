import SSDFCore

/// How faces inside are told from those that can be seen.
package struct RemoveInteriorOptions: Sendable {
    /// Rays from each face before it counts as unseen, half of them to either side.
    package var rays = 192
    /// Faces nearer than this to a seen one, along the surface, may stay or go, as the cut is shortest; farther ones go.
    /// As a share of the longest side of the mesh's box.
    package var margin = 0.02
    /// To work on; the result does not depend on it.
    package var threads = 1

    /// The defaults.
    package init() {}
}

/// A mesh without its inside.
package struct RemoveInteriorResult: Sendable {
    /// What is left.
    package var mesh: TriangleMesh
    /// Triangles that were taken away.
    package var removedTriangles = 0
    /// Faces that some ray from outside reaches; all of them are kept.
    package var visibleTriangles = 0
}

/// Drops faces that cannot be seen from outside.
///
/// A face is seen when a ray from it, to either side, gets away. No seen face ever goes. Faces far from all seen ones go;
/// those between are parted where the cut through the surface is shortest, so that an inner wall which joins the outer one
/// at a crack is cut off along the crack. Pieces that are nowhere seen go whole. A cut leaves a border: `fillHoles` closes
/// it. The result carries normals where the mesh did.
///
/// - Throws: `usage` for fewer than 8 rays or a margin that is negative.
/// - Complexity: O(n · rays · log n); seen faces take few rays, unseen ones all.
///
/// Source: for the cut, Boykov, Kolmogorov, "Computing Geodesics and Minimal Surfaces via Graph Cuts", 2003: the graph of
/// neighbouring faces with the lengths of the edges between them.
package func removeInterior(
    _ mesh: TriangleMesh, options: RemoveInteriorOptions
) throws(Failure) -> RemoveInteriorResult {
    guard options.rays >= 8 else { throw Failure(.usage, "\(options.rays) rays were asked for, expected at least 8") }
    guard options.margin >= 0, options.margin.isFinite else {
        throw Failure(.usage, "a margin of \(options.margin) was asked for, expected 0 or more")
    }
    let isSeen = seenFaces(mesh, options)
    var result = RemoveInteriorResult(mesh: mesh)
    result.visibleTriangles = isSeen.count { $0 }
    guard result.visibleTriangles < mesh.triangleCount else { return result }
    let keeps = keptFaces(mesh, isSeen, margin: options.margin * Double(mesh.boundingBox.longestSide))
    result.mesh = mesh.keepingTriangles { keeps[$0] }
    result.removedTriangles = mesh.triangleCount - result.mesh.triangleCount
    return result
}

/// Whether some ray from each face gets away: first a few from its middle, then the rest from places all over it.
private func seenFaces(_ mesh: TriangleMesh, _ options: RemoveInteriorOptions) -> [Bool] {
    let tree = TriangleBVH(mesh, threads: options.threads)
    let offset = 1e-5 * Double(mesh.boundingBox.longestSide)
    let few = sphereDirections(16)
    let many = sphereDirections(options.rays)
    return [Bool](filling: mesh.triangleCount, with: false) { seen in
        let seen = Unchecked(seen)
        parallelFor(mesh.triangleCount, threads: options.threads, grain: 256) { range in
            for t in range {
                let normal = mesh.areaVector(t).normalized
                let (a, b, c) = mesh.corners(t)
                let p = (Vector3d(mesh.position(a)), Vector3d(mesh.position(b)), Vector3d(mesh.position(c)))
                func getsAway(_ direction: Vector3d, _ u: Double, _ v: Double) -> Bool {
                    let place = p.0 * (1 - u - v) + p.1 * u + p.2 * v
                    let origin = place + normal * (direction.dot(normal) > 0 ? offset : -offset)
                    return !tree.isHit(Ray(origin: Vector3f(origin), direction: Vector3f(direction)))
                }
                var isSeen = few.contains { getsAway($0, 1 / 3.0, 1 / 3.0) }
                for (i, direction) in many.enumerated() where !isSeen {
                    // A lattice over the triangle, kept off its sides.
                    var u = (0.5 + 0.754_877_666 * Double(i)).truncatingRemainder(dividingBy: 1)
                    var v = (0.5 + 0.569_840_291 * Double(i)).truncatingRemainder(dividingBy: 1)
                    if u + v > 1 { (u, v) = (1 - u, 1 - v) }
                    isSeen = getsAway(direction, 0.02 + 0.94 * u, 0.02 + 0.94 * v)
                }
                seen.value[t] = isSeen
            }
        }
    }
}

/// Which faces stay: all that are seen, and those unseen ones on their side of the shortest cut.
private func keptFaces(_ mesh: TriangleMesh, _ isSeen: [Bool], margin: Double) -> [Bool] {
    let count = mesh.triangleCount
    let numbers = weldedNumbers(mesh, within: 0)
    let welded = mesh.triangles.map { numbers[Int($0)] }
    var links: [(a: Int, b: Int, length: Double)] = []
    MeshEdges(welded, vertexCount: mesh.vertexCount).forEach { low, high, halves in
        let length = Double((mesh.position(Int(low)) - mesh.position(Int(high))).length)
        for i in 1..<max(halves.count, 1) { links.append((halves[i - 1] / 3, halves[i] / 3, length)) }
    }
    let far = distancesFromSeen(mesh, isSeen, links, margin: margin)
    // Nodes: 0 all seen faces, 1 all deep ones, the others one each.
    var node = [Int](repeating: 1, count: count)
    var nodes = 2
    for t in 0..<count {
        if isSeen[t] {
            node[t] = 0
        } else if far[t] <= margin {
            node[t] = nodes
            nodes += 1
        }
    }
    var network = FlowNetwork(nodes: nodes)
    // Whole numbers, so that sums do not depend on their order; 2²⁰ steps to the margin.
    let scale = margin > 0 ? 1_048_576 / margin : 0
    for link in links where node[link.a] != node[link.b] {
        network.join(node[link.a], node[link.b], capacity: max(1, Int64(min(1e12, link.length * scale))))
    }
    let stays = network.cut(source: 0, sink: 1)
    // An unseen region without anything deep in it has no way to the sink and stays, where it hangs on a seen face.
    return (0..<count).map { isSeen[$0] || (node[$0] > 1 && stays[node[$0]]) }
}

/// How far each face is from the nearest seen one, along the surface from middle to middle; infinite beyond the margin.
///
/// Source: Dijkstra, "A Note on Two Problems in Connexion with Graphs", 1959.
private func distancesFromSeen(
    _ mesh: TriangleMesh, _ isSeen: [Bool], _ links: [(a: Int, b: Int, length: Double)], margin: Double
) -> [Double] {
    let count = mesh.triangleCount
    var starts = [Int](repeating: 0, count: count + 1)
    for link in links {
        starts[link.a + 1] += 1
        starts[link.b + 1] += 1
    }
    for t in 0..<count { starts[t + 1] += starts[t] }
    var places = starts
    var neighbours = [Int32](repeating: 0, count: starts[count])
    for link in links {
        for (t, other) in [(link.a, link.b), (link.b, link.a)] {
            neighbours[places[t]] = Int32(other)
            places[t] += 1
        }
    }
    var distance = isSeen.map { $0 ? 0 : Double.infinity }
    var queue = LeastFirst()
    for t in 0..<count where isSeen[t] { queue.insert(0, t) }
    while let (reached, t) = queue.popLeast() {
        guard reached <= distance[t] else { continue }
        let here = mesh.centroid(t)
        for place in starts[t]..<starts[t + 1] {
            let other = Int(neighbours[place])
            guard !isSeen[other] else { continue }
            let there = reached + (mesh.centroid(other) - here).length
            if there < distance[other], there <= margin {
                distance[other] = there
                queue.insert(there, other)
            }
        }
    }
    return distance
}

/// A binary heap of numbered things by a key; of equal keys the lowest number comes first.
private struct LeastFirst {
    private var heap: [(key: Double, number: Int)] = []

    mutating func insert(_ key: Double, _ number: Int) {
        heap.append((key, number))
        var i = heap.count - 1
        while i > 0, heap[i] < heap[(i - 1) / 2] {
            heap.swapAt(i, (i - 1) / 2)
            i = (i - 1) / 2
        }
    }

    mutating func popLeast() -> (key: Double, number: Int)? {
        guard let least = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return least }
        heap[0] = last
        var i = 0
        while true {
            var child = 2 * i + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[i] else { break }
            heap.swapAt(i, child)
            i = child
        }
        return least
    }
}
