import SSDFCore

/// Reads ASCII OFF, with or without normals, colours and texture coordinates: OFF, COFF, NOFF, STOFF and their
/// combinations. A vertex begins a line, and so does a face; what follows on the line, such as a colour, is passed over.
/// Comments begin with #.
/// - Throws: `badData` with the line; 4OFF, nOFF and binary OFF are refused by name.
func readOFF(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> TriangleMesh {
    var cursor = TextCursor(bytes, comment: "#")
    let keyword = offKeyword(bytes)
    if let keyword {
        if keyword.contains("4") || keyword.contains("n") {
            throw .badData(
                place: cursor.place, "a mesh of other than three dimensions ('\(keyword)')",
                expected: "OFF, COFF, NOFF or STOFF")
        }
        _ = cursor.skipBlanks()
        try cursor.skipWord()
        if cursor.take("BINARY") { throw .badData(place: cursor.place, "binary OFF", expected: "ASCII OFF") }
    }
    let vertexCount = try count(&cursor, "a number of vertices")
    let faceCount = try count(&cursor, "a number of faces")
    cursor.skipLine()
    // A vertex takes at least "0 0 0" and a line end, a face "3 0 1 2".
    guard vertexCount <= cursor.bytesLeft / 5, faceCount <= cursor.bytesLeft / 5 else {
        throw .badData(
            place: cursor.place, "\(cursor.bytesLeft) bytes left for \(vertexCount) vertices and \(faceCount) faces",
            expected: "more")
    }
    var mesh = TriangleMesh()
    let hasNormals = keyword?.contains("N") ?? false
    mesh.positions.reserveCapacity(3 * vertexCount)
    for _ in 0..<vertexCount {
        for _ in 0..<3 { mesh.positions.append(try cursor.coordinate()) }
        if hasNormals {
            for _ in 0..<3 { mesh.normals.append(try cursor.float("a component of a normal")) }
        }
        cursor.skipLine()
    }
    if !mesh.normals.allSatisfy({ $0.isFinite }) { mesh.normals = [] }
    // An index takes two bytes, and a polygon has fewer triangles than indices.
    mesh.triangles = try [UInt32](upTo: 3 * (cursor.bytesLeft / 2 + 1)) { triangles throws(Failure) in
        var faces = FaceCollector(into: triangles)
        for _ in 0..<faceCount {
            let corners = try cursor.integer("a face's number of corners")
            guard corners >= 3, corners <= PolygonTriangulator.mostCorners else {
                throw .badData(
                    place: cursor.place, "a face with \(corners) corners",
                    expected: "3 to \(PolygonTriangulator.mostCorners)")
            }
            for _ in 0..<corners {
                let index = try cursor.integer("a vertex index")
                guard index >= 0, index < vertexCount else {
                    throw .badData(
                        place: cursor.place, "vertex index \(index)",
                        expected: vertexCount == 0 ? "a vertex" : "0 to \(vertexCount - 1)")
                }
                faces.addCorner(UInt32(index))
            }
            try faces.endFace()
            cursor.skipLine()
        }
        var failure: Failure?
        mesh.positions.withUnsafeBufferPointer { positions in
            do throws(Failure) { try faces.finish(positions: positions, threads: 1) } catch { failure = error }
        }
        if let failure { throw failure }
        return 3 * faces.triangleCount
    }
    return mesh
}

/// The keyword that an OFF file begins with, such as "COFF"; nil when there is none, which the format allows.
func offKeyword(_ bytes: UnsafeRawBufferPointer) -> String? {
    var start = 0
    // Comments may come first.
    while start < bytes.count {
        if bytes[start] <= 0x20 {
            start += 1
        } else if bytes[start] == UInt8(ascii: "#") {
            start = bytes[start...].firstIndex { $0 == 10 || $0 == 13 } ?? bytes.count
        } else {
            break
        }
    }
    let word = String(decoding: bytes[start...].prefix(8).prefix { $0 > 0x20 }, as: UTF8.self)
    var rest = Substring(word)
    for prefix in ["ST", "C", "N", "4", "n"] where rest.hasPrefix(prefix) { rest = rest.dropFirst(prefix.count) }
    return rest == "OFF" ? word : nil
}

private func count(_ cursor: inout TextCursor, _ what: StaticString) throws(Failure) -> Int {
    let count = try cursor.integer(what)
    guard count >= 0, count <= Int(UInt32.max) else {
        throw .badData(place: cursor.place, "\(count)", expected: "\(what)")
    }
    return Int(count)
}
