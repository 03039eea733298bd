import CSSDFKernels
import Dispatch
import SSDFCore

/// A mesh with what identifies its source.
package struct LoadedMesh: Sendable {
    package var mesh: TriangleMesh
    /// "obj", "ply", "stl", "off", or the name of the format that was imported.
    package var format: String
    /// "sha256:" and the digits for the file's bytes.
    package var contentHash: String

    package init(mesh: TriangleMesh, format: String, contentHash: String) {
        self.mesh = mesh
        self.format = format
        self.contentHash = contentHash
    }
}

/// Reads a mesh file; "-" is standard input. The format is told from the content first, then from the name's suffix.
///
/// With more than one thread the content hash is computed beside the parsing.
/// - Throws: `noInput` and `inputOutput` as `FileBytes`; `badData` for a file that does not hold a mesh, with the place,
///   what was found and what was expected.
package func loadMesh(path: String, threads: Int) throws(Failure) -> LoadedMesh {
    let file = try FileBytes(path: path)
    let bytes = Unchecked(file.bytes)
    let suffix = path == "-" ? nil : fileSuffix(of: path)
    do throws(Failure) {
        guard !file.bytes.isEmpty else { throw .badData("an empty file", expected: "a mesh") }
        ssdf_populate(file.bytes.baseAddress!, file.bytes.count)
        let format = try meshFormat(of: file.bytes, hint: suffix)
        if threads > 1 {
            let hash = Deferred { contentHash(bytes.value) }
            let mesh = Result { () throws(Failure) in try parse(bytes.value, as: format, path: path, threads: threads) }
            let digest = hash.value()
            return LoadedMesh(mesh: try mesh.get(), format: format.name, contentHash: digest)
        }
        // The hash comes first: parsing, which can fail and then needs the file's name, is the last use of its bytes, so
        // that the mapping cannot be given up before.
        let digest = contentHash(file.bytes)
        let mesh = try parse(file.bytes, as: format, path: path, threads: threads)
        return LoadedMesh(mesh: mesh, format: format.name, contentHash: digest)
    } catch {
        throw error.inFile(file.name)
    }
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

/// A value computed on another thread while the caller does something else.
private final class Deferred<Value: Sendable>: @unchecked Sendable {
    private let group = DispatchGroup()
    private var result: Value?

    init(_ compute: @escaping @Sendable () -> Value) {
        DispatchQueue.global().async(group: group) { self.result = compute() }
    }

    /// Waits for it.
    func value() -> Value {
        group.wait()
        return result!
    }
}
