import CSSDFKernels
import SSDFCore
import SSDFMesh

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Whatever is accepted must be a mesh that everything after the reader may trust, and the same on any number of threads.
func fuzzMesh(_ bytes: UnsafeRawBufferPointer, format: String) {
    let mesh: TriangleMesh
    do throws(Failure) {
        mesh = try parseMesh(bytes, formatHint: format, threads: 1)
    } catch {
        precondition(!error.message.isEmpty && error.cause != .internal)
        return
    }
    checkSound(mesh)
    let again = try? parseMesh(bytes, formatHint: format, threads: 2)
    precondition(again?.positions == mesh.positions && again?.triangles == mesh.triangles)
}

/// The bytes as what an importer sends.
func fuzzImported(_ bytes: UnsafeRawBufferPointer) {
    let file = ssdf_memory_file("fuzz")
    precondition(file >= 0 && (bytes.isEmpty || write(file, bytes.baseAddress!, bytes.count) == bytes.count))
    defer { close(file) }
    lseek(file, 0, SEEK_SET)
    var stream = ImportStream(descriptor: file, seconds: 60)
    if let mesh = try? receiveMesh(from: &stream, memory: 1 << 24) { checkSound(mesh) }
}

private func checkSound(_ mesh: TriangleMesh) {
    precondition(mesh.positions.count % 3 == 0 && mesh.triangles.count % 3 == 0)
    let count = UInt32(mesh.positions.count / 3)
    for index in mesh.triangles { precondition(index < count) }
    for value in mesh.positions { precondition(abs(value) <= 1e18) }
}
