import SSDFCore
import Synchronization

/// A part of a mesh whose triangles share vertices.
struct ConnectedPart {
    /// Signed volume times six.
    var volume = 0.0
    var box = Box3d.empty

    mutating func add(_ other: ConnectedPart) {
        volume += other.volume
        box.insert(other.box)
    }
}

extension TriangleMesh {
    /// The parts that share vertices, by index, in the order of their first triangles; nil when there are too many.
    ///
    /// The same for any number of threads: a part is known by its lowest vertex, whichever joins came first.
    /// - Complexity: O(triangles), nearly.
    func connectedParts(fewerThan limit: Int, threads: Int) -> [ConnectedPart]? {
        var parts: [ConnectedPart]?
        withIndexedTriangles(.identity) {
            parts = connectedPartsOf($0, vertices: vertexCount, fewerThan: limit, threads: threads)
        }
        return parts
    }
}

private func connectedPartsOf(
    _ mesh: IndexedTriangles, vertices: Int, fewerThan limit: Int, threads: Int
) -> [ConnectedPart]? {
    guard mesh.count > 0 else { return [] }
    let sets = VertexSets(vertices)
    let grain = 1 << 14
    parallelFor(mesh.count, threads: threads, grain: grain) { range in
        for t in range {
            sets.join(mesh.triangles[3 * t], mesh.triangles[3 * t + 1])
            sets.join(mesh.triangles[3 * t], mesh.triangles[3 * t + 2])
        }
    }
    // Near the mesh, so that little is lost when volumes are summed.
    let origin = mesh.corners(0).0
    let pieces = parallelMap((mesh.count + grain - 1) / grain, threads: threads) { piece in
        var found: [(root: UInt32, part: ConnectedPart)] = []
        var placeOf: [UInt32: Int] = [:]
        var last: (root: UInt32, place: Int) = (.max, 0)
        for t in piece * grain..<min((piece + 1) * grain, mesh.count) {
            let root = sets.root(mesh.triangles[3 * t])
            if root != last.root {
                let place = placeOf[root] ?? found.count
                if place == found.count {
                    placeOf[root] = place
                    found.append((root, ConnectedPart()))
                }
                last = (root, place)
            }
            let (a, b, c) = mesh.corners(t)
            found[last.place].part.volume += (a - origin).dot((b - origin).cross(c - origin))
            found[last.place].part.box.insert(a)
            found[last.place].part.box.insert(b)
            found[last.place].part.box.insert(c)
        }
        return found
    }
    var parts: [ConnectedPart] = []
    var placeOf: [UInt32: Int] = [:]
    for (root, part) in pieces.joined() {
        if let place = placeOf[root] {
            parts[place].add(part)
        } else {
            placeOf[root] = parts.count
            parts.append(part)
        }
        if parts.count >= limit { return nil }
    }
    return parts
}

/// Disjoint sets of vertices that several threads join at once; the lowest vertex of a set is its root.
///
/// Source: Anderson, Woll, "Wait-free Parallel Algorithms for the Union-Find Problem", 1991.
private final class VertexSets: @unchecked Sendable {
    // A vertex's parent is never higher than itself. Roots change only by compare-and-exchange; below roots, whatever is
    // stored was an ancestor once and stays one.
    private let parents: UnsafeMutablePointer<Atomic<UInt32>>
    private let memory: Buffer<UInt32>

    init(_ count: Int) {
        memory = Buffer(uninitialized: count)
        parents = UnsafeMutableRawPointer(memory.pointer).bindMemory(to: Atomic<UInt32>.self, capacity: count)
        for v in 0..<count { (parents + v).initialize(to: Atomic(UInt32(v))) }
    }

    @inline(__always) func root(_ vertex: UInt32) -> UInt32 {
        var v = vertex
        while true {
            let parent = parents[Int(v)].load(ordering: .relaxed)
            if parent == v { return v }
            let above = parents[Int(parent)].load(ordering: .relaxed)
            if above == parent { return parent }
            parents[Int(v)].store(above, ordering: .relaxed)
            v = above
        }
    }

    @inline(__always) func join(_ a: UInt32, _ b: UInt32) {
        while true {
            let (r, s) = (root(a), root(b))
            if r == s { return }
            let (low, high) = (min(r, s), max(r, s))
            if parents[Int(high)].compareExchange(expected: high, desired: low, ordering: .relaxed).exchanged { return }
        }
    }
}
