import SSDFCore

/// The edges of a mesh and the triangles at each.
///
/// Half-edge `3·t + k` runs from corner `k` of triangle `t` to the next corner. Half-edges are put into the bucket of
/// their lower vertex and sorted there by the other one, so that those of one edge come together.
struct EdgeCensus: ~Copyable {
    static let none = UInt32.max

    private(set) var edges = 0
    private(set) var boundary = 0
    private(set) var nonManifold = 0
    private(set) var inconsistent = 0
    private(set) var duplicateTriangles = 0
    /// `[3 · triangleCount]`: the other half-edge at an edge with exactly two triangles, or `none`.
    let twins: Buffer<UInt32>
    /// The half-edges at edges with one triangle, ascending in the vertices.
    private(set) var boundaryHalfEdges: [UInt32] = []

    private struct Counts {
        var edges = 0, nonManifold = 0, inconsistent = 0, duplicates = 0
        var boundary: [UInt32] = []
    }

    /// - Complexity: O(n log n) at worst; linear when no vertex has very many triangles.
    init(_ mesh: TriangleMesh, _ standings: borrowing Buffer<TriangleMeasures.Standing>, threads: Int) {
        let vertexCount = mesh.vertexCount
        twins = Buffer(uninitialized: mesh.triangles.count)
        let starts = Buffer<UInt32>(zeros: vertexCount + 1)
        let twin = Unchecked(twins.pointer)
        let start = Unchecked(starts.pointer)
        let standing = standings.pointer
        let triangleCount = mesh.triangleCount
        let parts: [Counts] = mesh.triangles.withUnsafeBufferPointer { triangles in
            let entries = Self.bucket(triangles, standing, triangleCount, vertexCount, start.value, twin.value)
            let (entry, triangles) = (Unchecked(entries.pointer), Unchecked(triangles))
            // Buckets are small and of equal size in a sane mesh; in others balance does not matter.
            let grain = 1 << 14
            return parallelMap((vertexCount + grain - 1) / grain, threads: threads) { tile in
                var counts = Counts()
                for vertex in tile * grain..<min((tile + 1) * grain, vertexCount) {
                    let bucket = UnsafeMutableBufferPointer(
                        start: entry.value + Int(start.value[vertex]),
                        count: Int(start.value[vertex + 1] - start.value[vertex]))
                    Self.sort(bucket)
                    Self.count(bucket, UInt32(vertex), triangles.value, twin.value, &counts)
                }
                return counts
            }
        }
        for part in parts {
            edges += part.edges
            nonManifold += part.nonManifold
            inconsistent += part.inconsistent
            duplicateTriangles += part.duplicates
            boundary += part.boundary.count
            boundaryHalfEdges += part.boundary
        }
    }

    /// Half-edges of triangles in the topology by lower vertex, each as other vertex · 2³² + half-edge.
    private static func bucket(
        _ triangles: UnsafeBufferPointer<UInt32>, _ standing: UnsafePointer<TriangleMeasures.Standing>,
        _ triangleCount: Int, _ vertexCount: Int, _ starts: UnsafeMutablePointer<UInt32>,
        _ twins: UnsafeMutablePointer<UInt32>
    ) -> Buffer<UInt64> {
        for t in 0..<triangleCount {
            guard standing[t] == .whole else {
                for k in 0..<3 { twins[3 * t + k] = none }
                continue
            }
            let (a, b, c) = (triangles[3 * t], triangles[3 * t + 1], triangles[3 * t + 2])
            starts[Int(min(a, b))] &+= 1
            starts[Int(min(b, c))] &+= 1
            starts[Int(min(c, a))] &+= 1
        }
        var total: UInt32 = 0
        for vertex in 0...vertexCount {
            total &+= starts[vertex]
            starts[vertex] = total
        }
        // Filled from the back, which leaves each bucket's start where its end was counted.
        let entries = Buffer<UInt64>(uninitialized: Int(total))
        for t in stride(from: triangleCount - 1, through: 0, by: -1) where standing[t] == .whole {
            for k in 0..<3 {
                let (a, b) = (triangles[3 * t + k], triangles[3 * t + (k == 2 ? 0 : k + 1)])
                let low = Int(min(a, b))
                starts[low] &-= 1
                entries.pointer[Int(starts[low])] = UInt64(max(a, b)) << 32 | UInt64(3 * t + k)
            }
        }
        return entries
    }

    /// Ascending; buckets of a sane mesh hold a handful.
    @inline(__always)
    private static func sort(_ bucket: UnsafeMutableBufferPointer<UInt64>) {
        guard bucket.count <= 24 else {
            var whole = bucket
            whole.sort()
            return
        }
        for i in 1..<max(bucket.count, 1) {
            let entry = bucket[i]
            var j = i
            while j > 0 && bucket[j - 1] > entry {
                bucket[j] = bucket[j - 1]
                j -= 1
            }
            bucket[j] = entry
        }
    }

    /// The corner that a half-edge's triangle has besides the half-edge's ends.
    @inline(__always)
    private static func opposite(_ halfEdge: Int, _ triangles: UnsafeBufferPointer<UInt32>) -> UInt32 {
        let k = halfEdge % 3
        return triangles[k == 0 ? halfEdge + 2 : halfEdge - 1]
    }

    /// Looks at the edges of one bucket.
    @inline(__always)
    private static func count(
        _ bucket: UnsafeMutableBufferPointer<UInt64>, _ vertex: UInt32, _ triangles: UnsafeBufferPointer<UInt32>,
        _ twins: UnsafeMutablePointer<UInt32>, _ counts: inout Counts
    ) {
        var first = 0
        while first < bucket.count {
            let other = UInt32(bucket[first] >> 32)
            var last = first + 1
            while last < bucket.count && UInt32(bucket[last] >> 32) == other { last += 1 }
            let one = Int(UInt32(truncatingIfNeeded: bucket[first]))
            counts.edges += 1
            switch last - first {
            case 1:
                twins[one] = none
                counts.boundary.append(UInt32(one))
            case 2:
                let two = Int(UInt32(truncatingIfNeeded: bucket[first + 1]))
                twins[one] = UInt32(two)
                twins[two] = UInt32(one)
                if (triangles[one] == vertex) == (triangles[two] == vertex) { counts.inconsistent += 1 }
                let third = opposite(one, triangles)
                // Each triangle is looked at by the edge between its lowest two vertices alone.
                if third > other && third == opposite(two, triangles) { counts.duplicates += 1 }
            default:
                counts.nonManifold += 1
                var thirds: [UInt32] = []
                for entry in bucket[first..<last] {
                    let halfEdge = Int(UInt32(truncatingIfNeeded: entry))
                    twins[halfEdge] = none
                    let third = opposite(halfEdge, triangles)
                    if third > other { thirds.append(third) }
                }
                thirds.sort()
                for i in thirds.indices.dropFirst() where thirds[i] == thirds[i - 1] { counts.duplicates += 1 }
            }
            first = last
        }
    }
}
