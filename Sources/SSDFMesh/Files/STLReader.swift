import CSSDFKernels
import SSDFCore

/// What a file's bytes say about being STL, whatever its header says.
enum STLKind { case binary, text }

/// Tells binary STL by its size, which its count of triangles fixes, and ASCII STL by its first word and a facet; both
/// kinds may begin with "solid". Nil for neither.
func stlKind(of bytes: UnsafeRawBufferPointer) -> STLKind? {
    if let size = binarySTLSize(bytes), size == bytes.count { return .binary }
    let start = bytes.drop { $0 <= 0x20 }.prefix(5)
    guard start.count == 5, start.elementsEqual("solid".utf8, by: { $0 | 0x20 == $1 }) else { return nil }
    // A binary file of the wrong size has zero bytes early on; text has none.
    return bytes.prefix(1024).contains(0) ? .binary : .text
}

/// The size that a binary STL file with this count has.
private func binarySTLSize(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= 84 else { return nil }
    return 84 + 50 * Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 80, as: UInt32.self)))
}

/// Reads STL, ASCII or binary, and welds corners at exactly the same position, in the order of their first use.
/// Normals and attributes are passed over: the corners' order says which way a facet faces.
/// - Throws: `badData` with the line or the byte.
func readSTL(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> TriangleMesh {
    stlKind(of: bytes) == .text ? try readTextSTL(bytes) : try readBinarySTL(bytes)
}

private func readBinarySTL(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> TriangleMesh {
    guard let size = binarySTLSize(bytes) else {
        throw .badData("\(bytes.count) bytes", expected: "ASCII STL, or the 84 bytes that binary STL begins with")
    }
    // Some writers leave something after the last facet.
    guard size <= bytes.count else {
        throw .badData(
            place: "byte 80", "\((size - 84) / 50) facets in \(bytes.count) bytes", expected: "\(size) bytes")
    }
    let count = (size - 84) / 50
    var welder = PositionWelder(corners: 3 * count)
    for facet in 0..<count {
        let record = 84 + 50 * facet
        for corner in 0..<3 {
            var point = Vector3f.zero
            for axis in 0..<3 {
                let at = record + 12 + 12 * corner + 4 * axis
                point[axis] = Float(
                    bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
                guard abs(point[axis]) <= 1e18 else {
                    throw .badData(
                        place: "facet \(facet), byte \(at)", "coordinate \(point[axis])", expected: coordinateRange)
                }
            }
            welder.add(point)
        }
    }
    return welder.mesh()
}

private func readTextSTL(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> TriangleMesh {
    var cursor = TextCursor(bytes)
    // "vertex 0 0 0" and a line feed are the least that a corner takes.
    var welder = PositionWelder(corners: bytes.count / 13)
    func expect(_ word: StaticString) throws(Failure) {
        guard cursor.take(word) else { throw .badData(place: cursor.place, cursor.quoted, expected: "'\(word)'") }
    }
    try expect("solid")
    cursor.skipLine()
    while true {
        if cursor.take("facet") {
            try expect("normal")
            for _ in 0..<3 { _ = try cursor.float("a component of a normal") }
            try expect("outer")
            try expect("loop")
            for _ in 0..<3 {
                try expect("vertex")
                welder.add([try cursor.coordinate(), try cursor.coordinate(), try cursor.coordinate()])
            }
            try expect("endloop")
            try expect("endfacet")
        } else if cursor.take("endsolid") {
            cursor.skipLine()
            // A file may hold several solids.
            guard cursor.skipBlanks() else { break }
            try expect("solid")
            cursor.skipLine()
        } else {
            throw .badData(place: cursor.place, cursor.quoted, expected: "'facet' or 'endsolid'")
        }
    }
    return welder.mesh()
}
