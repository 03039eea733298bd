import CSSDFKernels
import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What is written reads back.
@Suite struct MeshWriterTests {
    static func bytes(_ mesh: TriangleMesh, _ format: MeshFileFormat, threads: Int = 1) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try writeMesh(mesh, format: format, threads: threads) { part throws(Failure) in bytes += part }
        return bytes
    }

    static func read(_ bytes: [UInt8], _ hint: String?) throws -> TriangleMesh {
        try bytes.withUnsafeBytes { try parseMesh($0, formatHint: hint, threads: 2) }
    }

    @Test(arguments: FixtureMesh.all.map(\.name)) func indexedFormatsReturnTheSameMesh(_ name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        for format in [MeshFileFormat.ply, .obj, .off] {
            #expect(try Self.read(Self.bytes(mesh, format), format.rawValue) == mesh, "\(format)")
            // The content says what it is, but for OFF and OBJ only by its form.
            #expect(try Self.read(Self.bytes(mesh, format), nil) == mesh, "\(format)")
        }
    }

    @Test(arguments: FixtureMesh.all.map(\.name)) func stlReturnsTheSameFacets(_ name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let found = try Self.read(Self.bytes(mesh, .stl), "stl")
        #expect(found.unwelded() == mesh.unwelded())
        #expect(found.vertexCount == EdgeCensus(mesh).vertices)
    }

    @Test func normalsReturn() throws {
        let mesh = FixtureMesh.named("knot").mesh.withNormals()
        #expect(try Self.read(Self.bytes(mesh, .ply), nil) == mesh)
        #expect(try Self.read(Self.bytes(mesh, .off), nil) == mesh)
        var plain = mesh
        plain.normals = []
        // OBJ numbers normals apart from vertices; they are written, and passed over when read.
        #expect(try Self.read(Self.bytes(mesh, .obj), nil) == plain)
        #expect(String(decoding: try Self.bytes(mesh, .obj), as: UTF8.self).contains("\nvn "))
    }

    @Test(arguments: MeshFileFormat.allCases) func sameBytesOnAnyNumberOfThreads(_ format: MeshFileFormat) throws {
        for mesh in [FixtureMesh.named("scan").mesh, FixtureMesh.named("scan").mesh.withNormals()] {
            let alone = try Self.bytes(mesh, format)
            for threads in [2, 3] { #expect(try Self.bytes(mesh, format, threads: threads) == alone) }
        }
    }

    @Test(arguments: MeshFileFormat.allCases) func writesAnEmptyMesh(_ format: MeshFileFormat) throws {
        #expect(try !Self.bytes(TriangleMesh(), format).isEmpty)
    }

    @Test(arguments: MeshFileFormat.allCases) func passesOnWhatTheSinkThrows(_ format: MeshFileFormat) {
        #expect(throws: Failure(.inputOutput, "full")) {
            try writeMesh(FixtureMesh.named("cube").mesh, format: format, threads: 2) { _ throws(Failure) in
                throw Failure(.inputOutput, "full")
            }
        }
    }

    @Test func shortestTextReadsBackAsTheSameFloat() {
        var random = Philox(seed: 5)
        var text = [CChar](repeating: 0, count: 64)
        for step in 0..<400_000 {
            let bits = UInt32(truncatingIfNeeded: random.next())
            // Every other one of a size that meshes have.
            let value = step % 2 == 0 ? Float(bitPattern: bits) : Float(Int32(bitPattern: bits)) * 1e-9
            guard value.isFinite else { continue }
            let length = text.withUnsafeMutableBufferPointer {
                ssdf_format_float(value, $0.baseAddress!) - $0.baseAddress!
            }
            #expect(length <= Int(SSDF_FLOAT_TEXT))
            text[length] = 0
            #expect(strtof(text, nil) == value)
            // No text with one digit less does.
            let shorter = "\(value)".filter(\.isNumber).count
            #expect(length <= shorter + 8)
        }
    }
}
