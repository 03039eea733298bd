import SSDFCore

/// Writes binary glTF 2.0: one node, one mesh, one triangle primitive with POSITION, NORMAL when there are normals, and
/// 32-bit indices.
/// - Throws: `badData` when the file would be 4 GiB or more, which its header cannot say.
func writeGLB(_ mesh: TriangleMesh, to sink: ByteSink) throws(Failure) {
    let positionBytes = 4 * mesh.positions.count
    let normalBytes = mesh.hasNormals ? positionBytes : 0
    let indexBytes = 4 * mesh.triangles.count
    let binaryBytes = positionBytes + normalBytes + indexBytes
    var json = Array(description(mesh, positionBytes: positionBytes, indexBytes: indexBytes).utf8)
    // Chunks are padded to four bytes: JSON with spaces. The binary one consists of four-byte words as it is.
    while json.count % 4 != 0 { json.append(UInt8(ascii: " ")) }
    let hasBinary = mesh.triangleCount > 0
    let total = 12 + 8 + json.count + (hasBinary ? 8 + binaryBytes : 0)
    guard let length = UInt32(exactly: total) else {
        throw .badData("\(total) bytes", expected: "at most \(UInt32.max) in a GLB file")
    }
    let magic: UInt32 = 0x4654_6C67
    let jsonType: UInt32 = 0x4E4F_534A
    let binaryType: UInt32 = 0x004E_4942
    try write([magic, 2, length, UInt32(json.count), jsonType].map(\.littleEndian), to: sink)
    try write(json, to: sink)
    guard hasBinary else { return }
    try write([UInt32(binaryBytes), binaryType].map(\.littleEndian), to: sink)
    try write(mesh.positions, to: sink)
    if mesh.hasNormals { try write(mesh.normals, to: sink) }
    try write(mesh.triangles, to: sink)
}

/// The JSON chunk. Buffer views: positions, normals when there are any, indices.
private func description(_ mesh: TriangleMesh, positionBytes: Int, indexBytes: Int) -> String {
    let asset = #""asset":{"version":"2.0","generator":"ssdf"}"#
    // An accessor must not be empty, so a mesh without triangles becomes a scene without one.
    guard mesh.triangleCount > 0, mesh.vertexCount > 0 else {
        return #"{\#(asset),"scene":0,"scenes":[{}]}"#
    }
    var low = mesh.position(0)
    var high = low
    for vertex in 1..<max(1, mesh.vertexCount) {
        low = pointwiseMin(low, mesh.position(vertex))
        high = pointwiseMax(high, mesh.position(vertex))
    }
    let count = mesh.vertexCount
    var views = [#"{"buffer":0,"byteOffset":0,"byteLength":\#(positionBytes),"target":34962}"#]
    var accessors = [
        #"{"bufferView":0,"componentType":5126,"count":\#(count),"type":"VEC3","min":\#(list(low)),"max":\#(list(high))}"#
    ]
    var attributes = #""POSITION":0"#
    var offset = positionBytes
    if mesh.hasNormals {
        views.append(#"{"buffer":0,"byteOffset":\#(offset),"byteLength":\#(positionBytes),"target":34962}"#)
        accessors.append(#"{"bufferView":1,"componentType":5126,"count":\#(count),"type":"VEC3"}"#)
        attributes += #","NORMAL":1"#
        offset += positionBytes
    }
    views.append(#"{"buffer":0,"byteOffset":\#(offset),"byteLength":\#(indexBytes),"target":34963}"#)
    accessors.append(
        #"{"bufferView":\#(views.count - 1),"componentType":5125,"count":\#(mesh.triangles.count),"type":"SCALAR"}"#)
    let primitive = #"{"attributes":{\#(attributes)},"indices":\#(accessors.count - 1),"mode":4}"#
    return
        #"{\#(asset),"scene":0,"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],"meshes":[{"primitives":[\#(primitive)]}],"#
        + #""buffers":[{"byteLength":\#(offset + indexBytes)}],"bufferViews":[\#(views.joined(separator: ","))],"#
        + #""accessors":[\#(accessors.joined(separator: ","))]}"#
}

/// A vector as a JSON array of numbers that read back as the same floats.
private func list(_ v: Vector3f) -> String { "[\(v.x),\(v.y),\(v.z)]" }
