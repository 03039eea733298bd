import CSSDFKernels
import SSDFCore

/// A mesh with what identifies its source.
package struct LoadedMesh: Sendable {
    /// The mesh, in the file's units and axes.
    package var mesh: TriangleMesh
    /// "obj", "ply", "stl", "off", or the name of the format that was imported.
    package var format: String
    /// "sha256:" and the digits for the file's bytes.
    package var contentHash: String
    /// Bytes of the file.
    package var fileBytes: Int

    /// A mesh with what is known of its file.
    package init(mesh: TriangleMesh, format: String, contentHash: String, fileBytes: Int) {
        self.mesh = mesh
        self.format = format
        self.contentHash = contentHash
        self.fileBytes = fileBytes
    }
}

/// Reads a mesh file; "-" is standard input. The format is told from the content first, then from the name's suffix.
///
/// With more than one thread the content hash is computed beside the parsing.
/// - Throws: `noInput` and `inputOutput` as `FileBytes`; `badData` for a file that does not hold a mesh, with the place,
///   what was found and what was expected.
package func loadMesh(path: String, threads: Int) throws(Failure) -> LoadedMesh {
    let file = try FileBytes(path: path)
    return try loadMesh(file, path: path, threads: threads)
}

/// Reads a mesh from a file that is open already.
/// - Parameter path: by which it was opened, which formats of several files need.
/// - Throws: `badData` as `loadMesh(path:threads:)`.
package func loadMesh(_ file: borrowing FileBytes, path: String, threads: Int) throws(Failure) -> LoadedMesh {
    do throws(Failure) {
        return try file.withBytes { bytes throws(Failure) in try load(bytes, path: path, threads: threads) }
    } catch {
        throw error.inFile(file.name)
    }
}

private func load(_ bytes: UnsafeRawBufferPointer, path: String, threads: Int) throws(Failure) -> LoadedMesh {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { throw .badData("an empty file", expected: "a mesh") }
    ssdf_populate(base, bytes.count)
    let format = try meshFormat(of: bytes, hint: path == "-" ? nil : fileSuffix(of: path))
    let shared = Unchecked(bytes)
    // Both, even when parsing fails: the bytes are lent for this call alone.
    let (mesh, hash) = concurrently(threads: threads) {
        Result { () throws(Failure) in try parse(bytes, as: format, path: path, threads: threads) }
    } _: {
        contentHash(shared.value)
    }
    return LoadedMesh(mesh: try mesh.get(), format: format.name, contentHash: hash, fileBytes: bytes.count)
}

/// Reads a mesh from bytes in memory.
/// - Parameter formatHint: a file suffix without its dot, used where the content does not tell.
/// - Throws: `badData` with the place, what was found and what was expected.
package func parseMesh(
    _ bytes: UnsafeRawBufferPointer, formatHint: String?, threads: Int
) throws(Failure) -> TriangleMesh {
    guard !bytes.isEmpty else { throw .badData("an empty file", expected: "a mesh") }
    return try parse(bytes, as: try meshFormat(of: bytes, hint: formatHint), path: nil, threads: threads)
}

private func parse(
    _ bytes: UnsafeRawBufferPointer, as format: DetectedFormat, path: String?, threads: Int
) throws(Failure) -> TriangleMesh {
    let mesh: TriangleMesh
    switch format {
    case .obj: mesh = try readOBJ(bytes, threads: threads)
    case .ply: mesh = try readPLY(bytes, threads: threads)
    case .stl: mesh = try readSTL(bytes)
    case .off: mesh = try readOFF(bytes)
    case .imported(let suffix):
        // By its name, so that formats of several files find the others; unless the name would mislead.
        let isNamed = path.map { $0 != "-" && fileSuffix(of: $0) == suffix } ?? false
        mesh = try importMesh(bytes, path: isNamed ? path : nil, suffix: suffix)
    }
    guard mesh.triangleCount > 0 else {
        throw .badData("\(mesh.vertexCount) vertices and no faces", expected: "at least one face")
    }
    return mesh
}

/// The lower-case suffix of a path without its dot, or nil.
func fileSuffix(of path: String) -> String? {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
    return name[name.index(after: dot)...].lowercased()
}
