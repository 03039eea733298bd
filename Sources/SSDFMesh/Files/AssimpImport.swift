import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads a mesh of a format that has no reader of our own through Assimp, in a child process: whatever becomes of that
/// process ends as a clear failure of this call.
///
/// Node transforms are applied (a mirroring one turns the faces, so that they keep facing outwards), all meshes are
/// merged, vertices of one mesh at exactly the same position are welded, polygons are cut by our own triangulator, points
/// and lines are passed over, axes and units stay the file's. Everything the child sends is checked.
///
/// - Parameters:
///   - bytes: the file's content.
///   - path: its path when the child may open it by name, which formats of several files need; nil sends the bytes.
///   - suffix: the format.
///   - helper: the importer's executable; nil looks for it.
/// - Throws: `badData` when the file is not understood, or the child crashes or exceeds its limits; `unavailable` when the
///   importer is missing.
package func importMesh(
    _ bytes: UnsafeRawBufferPointer, path: String?, suffix: String, helper: String? = nil, limits: ImportLimits? = nil
) throws(Failure) -> TriangleMesh {
    let limits = limits ?? ImportLimits(fileBytes: bytes.count)
    let helper = if let helper { helper } else { try findImporter(for: suffix) }
    var arguments = [
        helper, "--memory", "\(limits.memory)", "--seconds", "\(limits.processorSeconds)", "--parent", "\(getpid())",
        "--output", "\(limits.memory)",
    ]
    var input: Int32?
    if let path {
        arguments += ["--", path]
    } else {
        arguments += ["--hint", suffix, "--", "-"]
        input = try memoryFile(bytes)
    }
    defer { if let input { close(input) } }
    var child = try ImportProcess(helper, arguments, input: input, seconds: limits.seconds)
    let received = Result { () throws(Failure) in try receiveMesh(from: &child.stream, memory: limits.memory) }
    let end = child.finish().failure(suffix: suffix, limits: limits)
    switch received {
    case .success(let mesh): return mesh
    case .failure(let failure):
        // A child that ended badly says less in its stream than in how it ended.
        if let end { throw end }
        throw failure
    }
}

/// The importer stands beside the running executable or in ../libexec/ssdf; SSDF_IMPORT names another.
private func findImporter(for suffix: String) throws(Failure) -> String {
    if let wish = getenv("SSDF_IMPORT") { return String(cString: wish) }
    guard let folder = programFolder() else {
        throw Failure(.unavailable, "cannot find the running executable: \(systemMessage(errno))")
    }
    let places = ["\(folder)/ssdf-import", "\(folder)/../libexec/ssdf/ssdf-import"]
    for place in places where access(place, X_OK) == 0 { return place }
    throw Failure(
        .unavailable, "\(suffix) files need ssdf-import, which is neither \(places[0]) nor \(places[1])")
}

/// The bytes as a file that a child can read from its start.
private func memoryFile(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Int32 {
    let descriptor = ssdf_memory_file("ssdf-mesh")
    guard descriptor >= 0 else { throw Failure(.unavailable, "cannot make a memory file: \(systemMessage(errno))") }
    var written = 0
    while written < bytes.count {
        let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else {
            let code = errno
            close(descriptor)
            throw Failure(.unavailable, "cannot fill a memory file: \(systemMessage(code))")
        }
        written += count
    }
    lseek(descriptor, 0, SEEK_SET)
    return descriptor
}

/// Reads the parts that the child sends; its `MeshStream` says how they are laid out.
/// - Parameter memory: bytes that the parts may take.
/// - Throws: `badData` for a stream that ends early, exceeds a limit or holds no sound mesh; `internal` for one in another
///   language.
package func receiveMesh(from stream: inout ImportStream, memory: Int) throws(Failure) -> TriangleMesh {
    guard try stream.read(8, of: UInt8.self) == Array("SSDFMESH".utf8) else {
        throw Failure(.internal, "the importer does not speak this program's language")
    }
    var mesh = TriangleMesh()
    var budget = memory
    while true {
        switch try stream.read(1, of: UInt64.self)[0] {
        case 0: return mesh
        case 1: mesh.append(try receivePart(from: &stream, budget: &budget))
        case 2:
            let length = try stream.read(1, of: UInt64.self)[0]
            guard length <= 4096 else { throw Failure(.internal, "the importer sent a message of \(length) bytes") }
            let text = String(decoding: try stream.read(Int(length), of: UInt8.self), as: UTF8.self)
            throw .badData("the importer says: \(text)", expected: "a file it can read")
        default: throw Failure(.internal, "the importer sent a part of an unknown kind")
        }
    }
}

/// One placed mesh, welded.
private func receivePart(
    from stream: inout ImportStream, budget: inout Int
) throws(Failure) -> TriangleMesh {
    let counts = try stream.read(4, of: UInt64.self)
    for (count, size) in zip(counts, [12, 12, 4, 4]) {
        guard count <= UInt64(budget / size), count <= UInt64(UInt32.max) else {
            throw .badData("more than \(budget) bytes of mesh", expected: "less")
        }
        budget -= Int(count) * size
    }
    let positions = try stream.read(3 * Int(counts[0]), of: Float.self)
    let triangles = try stream.read(3 * Int(counts[1]), of: UInt32.self)
    let sizes = try stream.read(Int(counts[2]), of: UInt32.self)
    let corners = try stream.read(Int(counts[3]), of: UInt32.self)
    if let bad = positions.firstIndex(where: { !(abs($0) <= 1e18) }) {
        throw .badData(place: "vertex \(bad / 3)", "coordinate \(positions[bad])", expected: coordinateRange)
    }
    guard sizes.reduce(0, { $0 + Int($1) }) == corners.count else {
        throw Failure(.internal, "the importer sent polygons that do not fill their corners")
    }
    var mesh = TriangleMesh(positions: positions)
    mesh.triangles = try [UInt32](upTo: triangles.count + 3 * corners.count) { storage throws(Failure) in
        var faces = FaceCollector(into: storage)
        for t in 0..<triangles.count / 3 {
            faces.addTriangle(triangles[3 * t], triangles[3 * t + 1], triangles[3 * t + 2])
        }
        faces.countFaces(triangles.count / 3)
        var next = 0
        for size in sizes {
            for corner in corners[next..<next + Int(size)] { faces.addCorner(corner) }
            next += Int(size)
            try faces.endFace()
        }
        var failure: Failure?
        positions.withUnsafeBufferPointer { positions in
            do throws(Failure) { try faces.finish(positions: positions, threads: 1) } catch { failure = error }
        }
        if let failure { throw failure }
        return 3 * faces.triangleCount
    }
    return weldedByPosition(mesh)
}
