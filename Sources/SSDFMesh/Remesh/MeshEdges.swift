import SSDFCore

/// The half-edges of a triangle list, gathered by edge.
///
/// Half-edge `3·t + k` runs from corner `k` of triangle `t` to the next. Triangles that name a vertex twice have none.
struct MeshEdges: ~Copyable {
    /// Other vertex · 2³² + half-edge, by lower vertex and then ascending.
    private let entries: Buffer<UInt64>
    private let starts: Buffer<UInt32>

    /// - Precondition: indices are below `vertexCount`; fewer than 2³² corners.
    /// - Complexity: O(n) when no vertex has very many triangles.
    init(_ triangles: [UInt32], vertexCount: Int) {
        starts = Buffer(zeros: vertexCount + 1)
        let start = starts.pointer
        Self.forEachHalf(triangles) { low, _, _ in start[low + 1] &+= 1 }
        for v in 0..<vertexCount { start[v + 1] &+= start[v] }
        entries = Buffer(uninitialized: Int(start[vertexCount]))
        let entry = entries.pointer
        Self.forEachHalf(triangles) { low, high, half in
            entry[Int(start[low])] = UInt64(high) << 32 | UInt64(half)
            start[low] &+= 1
        }
        // Every start now stands where the next one should.
        for v in stride(from: vertexCount, to: 0, by: -1) { start[v] = start[v - 1] }
        start[0] = 0
        for v in 0..<vertexCount {
            var bucket = UnsafeMutableBufferPointer(
                start: entries.pointer + Int(start[v]), count: Int(start[v + 1] - start[v]))
            if bucket.count > 32 {
                bucket.sort()
            } else {
                for i in stride(from: 1, to: bucket.count, by: 1) {
                    let entry = bucket[i]
                    var j = i
                    while j > 0, bucket[j - 1] > entry {
                        bucket[j] = bucket[j - 1]
                        j -= 1
                    }
                    bucket[j] = entry
                }
            }
        }
    }

    @inline(__always)
    private static func forEachHalf(_ triangles: [UInt32], _ body: (_ low: Int, _ high: UInt32, _ half: Int) -> Void) {
        triangles.withUnsafeBufferPointer { t in
            for first in stride(from: 0, to: t.count, by: 3) {
                let (a, b, c) = (t[first], t[first + 1], t[first + 2])
                guard a != b, b != c, c != a else { continue }
                body(Int(min(a, b)), max(a, b), first)
                body(Int(min(b, c)), max(b, c), first + 1)
                body(Int(min(c, a)), max(c, a), first + 2)
            }
        }
    }

    /// Calls `body` for every edge, ascending in its vertices, with the half-edges at it, ascending.
    @inline(__always)
    func forEach(_ body: (_ low: UInt32, _ high: UInt32, _ halves: Halves) -> Void) {
        for v in 0..<starts.count - 1 {
            var first = Int(starts.pointer[v])
            let end = Int(starts.pointer[v + 1])
            while first < end {
                let high = UInt32(entries.pointer[first] >> 32)
                var last = first + 1
                while last < end, UInt32(entries.pointer[last] >> 32) == high { last += 1 }
                body(UInt32(v), high, Halves(pointer: entries.pointer + first, count: last - first))
                first = last
            }
        }
    }

    /// The half-edges at one edge.
    struct Halves {
        fileprivate let pointer: UnsafeMutablePointer<UInt64>
        let count: Int

        @inline(__always) subscript(index: Int) -> Int { Int(UInt32(truncatingIfNeeded: pointer[index])) }
    }

    /// For each half-edge the one that runs the other way, at edges with exactly these two; -1 elsewhere.
    func twins(_ triangles: [UInt32]) -> [Int32] {
        [Int32](filling: triangles.count, with: -1) { twins in
            forEach { _, _, halves in
                guard halves.count == 2, triangles[halves[0]] != triangles[halves[1]] else { return }
                twins[halves[0]] = Int32(halves[1])
                twins[halves[1]] = Int32(halves[0])
            }
        }
    }

    @inline(__always) static func next(_ half: Int) -> Int { half % 3 == 2 ? half - 2 : half + 1 }
    @inline(__always) static func previous(_ half: Int) -> Int { half % 3 == 0 ? half + 2 : half - 1 }
}

extension Array where Element: BitwiseCopyable {
    /// An array of equal elements that `body` may change.
    init(filling count: Int, with value: Element, _ body: (UnsafeMutableBufferPointer<Element>) -> Void) {
        self.init(unsafeUninitializedCapacity: count) { buffer, used in
            buffer.update(repeating: value)
            body(UnsafeMutableBufferPointer(rebasing: buffer[0..<count]))
            used = count
        }
    }
}

extension TriangleMesh {
    /// The mean of a triangle's corners.
    func centroid(_ t: Int) -> Vector3d {
        let (a, b, c) = corners(t)
        return (Vector3d(position(a)) + Vector3d(position(b)) + Vector3d(position(c))) / 3
    }

    /// Keeps the triangles for which `keeps` is true, and the vertices they use.
    func keepingTriangles(_ keeps: (Int) -> Bool) -> TriangleMesh {
        var result = self
        result.triangles.removeAll(keepingCapacity: true)
        for t in 0..<triangleCount where keeps(t) { result.triangles += triangles[3 * t..<3 * t + 3] }
        result.removeUnusedVertices()
        return result
    }
}
