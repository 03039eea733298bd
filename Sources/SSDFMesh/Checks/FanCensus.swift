import SSDFCore

/// How the triangles of a mesh hang together: in fans around vertices, in components, along boundaries.
struct FanCensus {
    private(set) var usedVertices = 0
    private(set) var nonManifoldVertices = 0
    private(set) var boundaryLoops = 0
    private(set) var components = 0

    /// - Complexity: O(corners · α).
    init(
        _ mesh: TriangleMesh, _ standings: borrowing Buffer<TriangleMeasures.Standing>,
        _ edges: borrowing EdgeCensus
    ) {
        let fans = Buffer<UInt8>(zeros: mesh.vertexCount)
        let standing = standings.pointer
        let twins = edges.twins.pointer
        let triangleCount = mesh.triangleCount
        mesh.triangles.withUnsafeBufferPointer { triangles in
            let walk = FanWalk(triangles: triangles, twins: UnsafePointer(twins))
            Self.countFans(walk, standing, triangleCount, fans.pointer)
            boundaryLoops = Self.countLoops(walk, edges.boundaryHalfEdges, triangles.count)
            components = Self.countComponents(triangles, standing, triangleCount, mesh.vertexCount)
        }
        for vertex in 0..<mesh.vertexCount {
            usedVertices += fans.pointer[vertex] > 0 ? 1 : 0
            nonManifoldVertices += fans.pointer[vertex] > 1 ? 1 : 0
        }
    }

    /// Fans around each vertex; more than two count as two.
    private static func countFans(
        _ walk: FanWalk, _ standing: UnsafePointer<TriangleMeasures.Standing>, _ triangleCount: Int,
        _ fans: UnsafeMutablePointer<UInt8>
    ) {
        let seen = Buffer<Bool>(zeros: 3 * triangleCount)
        for t in 0..<triangleCount where standing[t] == .whole {
            for corner in 3 * t..<3 * t + 3 where !seen.pointer[corner] {
                let vertex = walk.triangles[corner]
                fans[Int(vertex)] = min(fans[Int(vertex)] + 1, 2)
                // Round one way until a boundary or the start; in the first case round the other way too.
                for startsForwards in [true, false] {
                    var at = corner
                    var forwards = startsForwards
                    var closed = false
                    seen.pointer[at] = true
                    while let step = walk.next(corner: at, vertex: vertex, forwards: forwards) {
                        (at, forwards) = step
                        guard !seen.pointer[at] else {
                            closed = true
                            break
                        }
                        seen.pointer[at] = true
                    }
                    if closed { break }
                }
            }
        }
    }

    /// Closed walks along boundary edges.
    private static func countLoops(_ walk: FanWalk, _ boundary: [UInt32], _ halfEdgeCount: Int) -> Int {
        guard !boundary.isEmpty else { return 0 }
        let seen = Buffer<Bool>(zeros: halfEdgeCount)
        var loops = 0
        for first in boundary where !seen.pointer[Int(first)] {
            loops += 1
            var halfEdge = Int(first)
            var headsForwards = true
            while !seen.pointer[halfEdge] {
                seen.pointer[halfEdge] = true
                // Stand at the end of the boundary edge that the walk heads for and turn to the fan's other side.
                let tail = halfEdge
                let head = FanWalk.following(halfEdge)
                var corner = headsForwards ? head : tail
                let vertex = walk.triangles[corner]
                var forwards = headsForwards
                while let step = walk.next(corner: corner, vertex: vertex, forwards: forwards) {
                    (corner, forwards) = step
                }
                halfEdge = forwards ? corner : FanWalk.preceding(corner)
                headsForwards = forwards
            }
        }
        return loops
    }

    /// Sets of triangles that share vertices.
    private static func countComponents(
        _ triangles: UnsafeBufferPointer<UInt32>, _ standing: UnsafePointer<TriangleMeasures.Standing>,
        _ triangleCount: Int, _ vertexCount: Int
    ) -> Int {
        let parents = Buffer<UInt32>(uninitialized: vertexCount)
        let parent = parents.pointer
        for vertex in 0..<vertexCount { parent[vertex] = EdgeCensus.none }
        func root(_ vertex: UInt32) -> UInt32 {
            var v = vertex
            while parent[Int(v)] != v {
                parent[Int(v)] = parent[Int(parent[Int(v)])]
                v = parent[Int(v)]
            }
            return v
        }
        for t in 0..<triangleCount where standing[t] == .whole {
            var least = EdgeCensus.none
            for k in 0..<3 {
                let vertex = triangles[3 * t + k]
                if parent[Int(vertex)] == EdgeCensus.none { parent[Int(vertex)] = vertex }
                least = min(least, root(vertex))
            }
            for k in 0..<3 { parent[Int(root(triangles[3 * t + k]))] = least }
        }
        return (0..<vertexCount).count { parent[$0] == UInt32($0) }
    }
}

/// Steps from triangle to triangle around a vertex, across edges with exactly two triangles.
struct FanWalk {
    let triangles: UnsafeBufferPointer<UInt32>
    let twins: UnsafePointer<UInt32>

    @inline(__always) static func following(_ halfEdge: Int) -> Int {
        halfEdge % 3 == 2 ? halfEdge - 2 : halfEdge + 1
    }

    @inline(__always) static func preceding(_ halfEdge: Int) -> Int {
        halfEdge % 3 == 0 ? halfEdge + 2 : halfEdge - 1
    }

    /// The neighbouring corner at `vertex`, across the half-edge that leaves the vertex (`forwards`) or the one that
    /// arrives there; nil at the edge of the fan. Where the neighbour faces the other way the direction turns round.
    @inline(__always)
    func next(corner: Int, vertex: UInt32, forwards: Bool) -> (corner: Int, forwards: Bool)? {
        let twin = twins[forwards ? corner : Self.preceding(corner)]
        guard twin != EdgeCensus.none else { return nil }
        let halfEdge = Int(twin)
        // Entered across the half-edge that leaves the vertex there, the way on is the one that arrives.
        return triangles[halfEdge] == vertex ? (halfEdge, false) : (Self.following(halfEdge), true)
    }
}
