import CSSDFKernels
import SSDFCore

/// Reads PLY, ASCII and binary of either byte order.
///
/// Vertices come from element `vertex` (x, y, z and, when all three are there, nx, ny, nz, of any type), faces from
/// `face` (a list vertex_indices or vertex_index) and from `tristrips` (a list with −1 between strips). Elements may come
/// in any order and have any further properties and lists.
/// - Throws: `badData` with the line, byte or face.
func readPLY(_ bytes: UnsafeRawBufferPointer, threads: Int) throws(Failure) -> TriangleMesh {
    let header = try PLYHeader(bytes)
    try checkElements(header)
    let body = UnsafeRawBufferPointer(rebasing: bytes[header.bodyOffset...])
    var mesh = TriangleMesh()
    // An index takes at least one byte in a binary file and two in a text, and a polygon has fewer triangles than indices.
    let indexSize = header.elements.compactMap { e in e.indexList.map { e.properties[$0].type.size } }.min() ?? 4
    let mostIndices = header.encoding == .ascii ? body.count / 2 + 1 : body.count / indexSize
    mesh.triangles = try [UInt32](upTo: 3 * mostIndices) { triangles throws(Failure) in
        var faces = FaceCollector(into: triangles)
        switch header.encoding {
        case .ascii:
            try readPLYText(body, header, all: bytes, mesh: &mesh, faces: &faces)
        case .littleEndian, .bigEndian:
            try readPLYBinary(body, header, mesh: &mesh, faces: &faces, threads: threads)
        }
        var failure: Failure?
        mesh.positions.withUnsafeBufferPointer { positions in
            do throws(Failure) { try faces.finish(positions: positions, threads: threads) } catch { failure = error }
        }
        if let failure { throw failure }
        return 3 * faces.triangleCount
    }
    // Normals are an ornament: unusable ones do not spoil the mesh.
    if !mesh.normals.allSatisfy({ $0.isFinite }) { mesh.normals = [] }
    return mesh
}

/// One vertex element, with coordinates; faces, when there are any, with integer indices.
private func checkElements(_ header: PLYHeader) throws(Failure) {
    let vertices = header.elements.filter { $0.name == "vertex" }
    guard vertices.count == 1, let vertex = vertices.first else {
        throw .badData(place: "header", "\(vertices.count) elements named vertex", expected: "1")
    }
    for axis in ["x", "y", "z"] where vertex.scalar(named: axis) == nil {
        throw .badData(place: "header", "element vertex without a property \(axis)", expected: "x, y and z")
    }
    guard vertex.count <= UInt32.max else {
        throw .badData(place: "header", "\(vertex.count) vertices", expected: "at most \(UInt32.max)")
    }
    for name in ["face", "tristrips"] {
        let elements = header.elements.filter { $0.name == name }
        guard elements.count <= 1 else {
            throw .badData(place: "header", "\(elements.count) elements named \(name)", expected: "at most 1")
        }
        guard let element = elements.first, element.count > 0 else { continue }
        guard let list = element.indexList else {
            throw .badData(
                place: "header", "element \(name) without a list vertex_indices or vertex_index", expected: "one")
        }
        guard element.properties[list].type.isInteger else {
            throw .badData(place: "header", "vertex indices of a floating-point type", expected: "an integer type")
        }
    }
}

/// Turns the strips of one list into triangles: −1 ends a strip, every other triangle is turned round, and triangles with
/// a corner twice, which only join strips, are left out.
struct PLYStrip {
    private var a: UInt32 = 0
    private var b: UInt32 = 0
    private var length = 0

    mutating func add(_ index: Int64, to faces: inout FaceCollector) {
        if index == -1 {
            length = 0
            return
        }
        let c = UInt32(truncatingIfNeeded: index)
        if length >= 2, a != b, b != c, c != a {
            if length % 2 == 0 { faces.addTriangle(a, b, c) } else { faces.addTriangle(b, a, c) }
        }
        (a, b) = (b, c)
        length += 1
    }
}
