import SSDFCore

/// Turns faces, given corner by corner, into triangles in storage that has room for them.
///
/// Polygons are laid down as fans and cut properly once all positions are known (`PolygonTriangulator`), so faces may
/// come before the vertices.
struct FaceCollector {
    let storage: UnsafeMutableBufferPointer<UInt32>
    private(set) var triangleCount = 0
    /// Faces so far, with those that `reserve` counted.
    private(set) var faceCount = 0
    private(set) var fans: [PolygonFan] = []
    private(set) var largestIndex: UInt32 = 0
    private var corners = 0
    private var first: UInt32 = 0
    private var previous: UInt32 = 0

    /// - Parameter triangles: room for every triangle that will come; three words each.
    init(into triangles: UnsafeMutableBufferPointer<UInt32>) { storage = triangles }

    /// Counts triangles that somebody else has put at the front of the storage.
    mutating func reserve(triangles count: Int, largestIndex: UInt32) {
        triangleCount += count
        faceCount += count
        self.largestIndex = max(self.largestIndex, largestIndex)
    }

    /// Counts faces that were given as triangles.
    mutating func countFaces(_ count: Int) { faceCount += count }

    /// The next corner of the face that is under way.
    @inline(__always)
    mutating func addCorner(_ vertex: UInt32) {
        if corners >= 2 { addTriangle(first, previous, vertex) }
        if corners == 0 { first = vertex }
        previous = vertex
        corners += 1
    }

    /// Ends the face.
    /// - Throws: `badData` without a place when it has fewer than 3 corners or too many.
    @inline(__always)
    mutating func endFace() throws(Failure) {
        if corners != 3 {
            guard corners > 3, corners <= PolygonTriangulator.mostCorners else {
                throw .badData(
                    place: "face \(faceCount)", "a face with \(corners) corners",
                    expected: "3 to \(PolygonTriangulator.mostCorners)")
            }
            fans.append(PolygonFan(firstTriangle: triangleCount - (corners - 2), corners: corners))
        }
        corners = 0
        faceCount += 1
    }

    /// A triangle that belongs to the face under way, or stands alone.
    @inline(__always)
    mutating func addTriangle(_ a: UInt32, _ b: UInt32, _ c: UInt32) {
        let place = 3 * triangleCount
        storage[place] = a
        storage[place + 1] = b
        storage[place + 2] = c
        largestIndex = max(largestIndex, max(a, max(b, c)))
        triangleCount += 1
    }

    /// Checks the indices and cuts the polygons.
    /// - Throws: `badData` naming the face when an index is not that of a vertex.
    func finish(positions: UnsafeBufferPointer<Float>, threads: Int) throws(Failure) {
        let vertexCount = positions.count / 3
        guard triangleCount > 0 else { return }
        guard Int(largestIndex) < vertexCount else { throw rangeFailure(vertexCount: vertexCount) }
        let shared = Unchecked((positions.baseAddress!, storage.baseAddress!, fans))
        parallelFor(fans.count, threads: threads, grain: 4096) { range in
            let (positions, triangles, fans) = shared.value
            PolygonTriangulator.cut(fans[range], positions: positions, triangles: triangles)
        }
    }

    private func rangeFailure(vertexCount: Int) -> Failure {
        let word = storage[..<(3 * triangleCount)].firstIndex { $0 >= vertexCount } ?? 0
        // Every polygon before this triangle stands for fewer faces than triangles.
        var face = word / 3
        for fan in fans where fan.firstTriangle < word / 3 {
            face -= min(word / 3 - fan.firstTriangle, fan.corners - 3)
        }
        let index = Int32(bitPattern: storage[word])
        return .badData(
            place: "face \(face)", "vertex index \(index < 0 ? Int(index) : Int(storage[word]))",
            expected: vertexCount == 0 ? "vertices" : "0 to \(vertexCount - 1)")
    }
}
