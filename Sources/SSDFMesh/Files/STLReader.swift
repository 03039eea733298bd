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

/// Gives equal positions one vertex, numbered in the order of first use.
/// - Complexity: O(1) expected for each corner; 8 to 16 bytes of table for each.
private struct PositionWelder: ~Copyable {
    private var positions: [Float] = []
    private var triangles: [UInt32] = []
    /// One more than a vertex, or 0: an open-addressing table of a power of two entries.
    private let table: Buffer<UInt32>
    private let mask: Int

    /// - Parameter corners: the most that will be added.
    init(corners: Int) {
        var size = 64
        while size < 2 * corners { size *= 2 }
        table = Buffer(zeros: size)
        mask = size - 1
        triangles.reserveCapacity(corners)
    }

    mutating func add(_ point: Vector3f) {
        // Adding zero makes −0 equal to 0 bit by bit.
        let p = point + Vector3f(repeating: 0)
        let x = UInt64(p.x.bitPattern)
        let y = UInt64(p.y.bitPattern)
        let z = UInt64(p.z.bitPattern)
        var hash = (x | y << 32) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash >> 32 ^ z) &* 0xD6E8_FEB8_6659_FD93
        var slot = Int(truncatingIfNeeded: hash >> 32) & mask
        while true {
            let entry = table.pointer[slot]
            if entry == 0 {
                positions.append(p.x)
                positions.append(p.y)
                positions.append(p.z)
                let vertex = UInt32(positions.count / 3)
                table.pointer[slot] = vertex
                triangles.append(vertex - 1)
                return
            }
            let at = 3 * Int(entry - 1)
            if positions[at] == p.x, positions[at + 1] == p.y, positions[at + 2] == p.z {
                triangles.append(entry - 1)
                return
            }
            slot = (slot + 1) & mask
        }
    }

    consuming func mesh() -> TriangleMesh { TriangleMesh(positions: positions, triangles: triangles) }
}
