import SSDFCore

/// What a file holds, as far as its reader is concerned.
enum DetectedFormat: Equatable {
    case ply, obj, stl, off
    /// Everything else, by the suffix that tells the importer which format to expect.
    case imported(String)

    /// For reports: lower case.
    var name: String {
        switch self {
        case .ply: "ply"
        case .obj: "obj"
        case .stl: "stl"
        case .off: "off"
        case .imported(let suffix): suffix
        }
    }
}

/// Tells a format from the content, and where that does not tell, from the file's suffix.
/// - Throws: `badData` when neither does.
func meshFormat(of bytes: UnsafeRawBufferPointer, hint: String?) throws(Failure) -> DetectedFormat {
    if startsAsPLY(bytes) { return .ply }
    if let suffix = importedFormat(of: bytes) { return .imported(suffix) }
    switch hint {
    case "ply": return .ply
    case "stl": return .stl
    case "off": return .off
    case "obj": return .obj
    default: break
    }
    if stlKind(of: bytes) != nil { return .stl }
    if offKeyword(bytes) != nil { return .off }
    if let hint, importedSuffixes.contains(hint) { return .imported(hint) }
    if looksLikeOBJ(bytes) { return .obj }
    // What the other tools read and write is easily taken for a mesh.
    if bytes.starts(with: [0x89, 0x53, 0x53, 0x44, 0x46]) {
        throw .badData("a volume or latents", expected: "a mesh; ssdf-extract makes one of a volume")
    }
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
        throw .badData("a picture", expected: "a mesh; ssdf-generate makes one of a picture")
    }
    throw .badData(
        "content of no known kind", expected: "a mesh (OBJ, PLY, STL, OFF, glTF, COLLADA, FBX, 3DS or another)")
}

/// "ply" and the end of its line.
private func startsAsPLY(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: "ply".utf8) && bytes.dropFirst(3).first.map { $0 == 10 || $0 == 13 || $0 == 32 } ?? false
}

/// Formats that say what they are in their first bytes, by the suffix that goes with each.
private func importedFormat(of bytes: UnsafeRawBufferPointer) -> String? {
    let signatures: [(String, String)] = [
        ("glTF", "glb"), ("Kaydara FBX Binary", "fbx"), ("; FBX", "fbx"), ("xof 0", "x"), ("#VRML", "wrl"),
        ("BLENDER", "blend"), ("AC3D", "ac"), ("ISO-10303-21", "ifc"), ("MS3D000000", "ms3d"), ("DXF", "dxf"),
    ]
    for (signature, suffix) in signatures where bytes.starts(with: signature.utf8) { return suffix }
    if bytes.count >= 6, bytes[0] == 0x4D, bytes[1] == 0x4D {
        // A 3DS file is one chunk, whose length fills the file.
        let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
        if length >= 6, length <= bytes.count { return "3ds" }
    }
    let start = String(decoding: bytes.prefix(4096), as: UTF8.self)
    let first = start.first { !$0.isWhitespace && $0 != "\u{FEFF}" }
    if first == "<" {
        for (element, suffix) in [("<COLLADA", "dae"), ("<X3D", "x3d"), ("<mesh", "xml"), ("<amf", "amf")] {
            if start.contains(element) { return suffix }
        }
    }
    if first == "{", start.contains("\"asset\"") { return "gltf" }
    return nil
}

/// Suffixes of formats that only the importer reads.
private let importedSuffixes: Set<String> = [
    "3d", "3ds", "3mf", "ac", "ac3d", "acc", "amf", "ase", "ask", "assbin", "b3d", "blend", "bvh", "cob", "csm", "dae",
    "dxf", "enff", "fbx", "glb", "gltf", "hmp", "ifc", "ifczip", "irr", "irrmesh", "lwo", "lws", "lxo", "m3d", "md2",
    "md3", "md5anim", "md5camera", "md5mesh", "mdc", "mdl", "mesh", "mesh.xml", "mot", "ms3d", "ndo", "nff", "ogex",
    "pk3",
    "pmx", "q3o", "q3s", "raw", "scn", "sib", "smd", "step", "stp", "ter", "uc", "vta", "wrl", "x", "x3d", "x3db",
    "xgl",
    "xml", "zae", "zgl",
]

/// Whether a text has a line that begins as an OBJ vertex does, near its start.
private func looksLikeOBJ(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var isLineStart = true
    let start = bytes.prefix(1 << 16)
    for (offset, byte) in zip(start.indices, start) {
        if byte == 0 { return false }
        if isLineStart, byte == UInt8(ascii: "v"), offset + 1 < start.endIndex, start[offset + 1] == 0x20 {
            return true
        }
        isLineStart = byte == 10 || byte == 13
    }
    return false
}
