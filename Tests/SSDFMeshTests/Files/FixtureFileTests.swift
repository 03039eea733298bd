import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The files under Fixtures/meshes are what their generator makes, and read as they should. With SSDF_WRITE_FIXTURES set
/// the suite writes them instead.
@Suite(.serialized) struct FixtureFileTests {
    static let folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        + "/Fixtures/meshes"
    static let isWriting = getenv("SSDF_WRITE_FIXTURES") != nil

    private func write(_ bytes: [UInt8], _ name: String) throws {
        let path = "\(Self.folder)/\(name)"
        let file = try #require(fopen(path, "w"), "\(path)")
        defer { fclose(file) }
        #expect(bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) } == bytes.count)
    }

    private func content(_ name: String) throws -> [UInt8] {
        let path = "\(Self.folder)/\(name)"
        let file = try #require(fopen(path, "r"), "\(path)")
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[..<count])
    }

    private var table: String {
        var text = """
            # Malformed mesh files

            Each is wrong in one way. Reading it must end with this error (here without the file's name, or its beginning)
            and exit status 65. The generator in Tests/FixtureMeshes makes the files and this table.

            | file | what it breaks | error |
            |---|---|---|

            """
        for file in FixtureFile.bad() {
            text += "| \(file.name.dropFirst(4)) | \(file.summary) | \(file.error!.isEmpty ? "any" : file.error!) |\n"
        }
        return text
    }

    @Test func filesAreWhatTheGeneratorMakes() throws {
        if Self.isWriting {
            mkdir(Self.folder, 0o755)
            mkdir(Self.folder + "/bad", 0o755)
        }
        var total = 0
        for file in try FixtureFile.good() + FixtureFile.bad() {
            total += file.bytes.count
            if Self.isWriting {
                try write(file.bytes, file.name)
            } else {
                #expect(try content(file.name) == file.bytes, "\(file.name)")
            }
        }
        if Self.isWriting { try write(Array(table.utf8), "bad/README.md") }
        #expect(try content("bad/README.md") == Array(table.utf8))
        #expect(total < 600_000)
        #expect(FixtureFile.bad().count >= 40)
    }

    @Test func goodFilesRead() throws {
        for file in try FixtureFile.good() {
            let loaded = try loadMesh(path: "\(Self.folder)/\(file.name)", threads: 2)
            #expect(loaded.mesh.triangleCount > 0)
            #expect(loaded.format == file.name.split(separator: ".").last.map(String.init), "\(file.name)")
        }
    }

    @Test func everyWayToWriteACubeReadsAsIt() throws {
        for file in FixtureFile.cubes() {
            let mesh = try loadMesh(path: "\(Self.folder)/\(file.name)", threads: 1).mesh
            #expect(mesh.vertexCount == 8 && mesh.triangleCount == 12, "\(file.name)")
            #expect(abs(mesh.signedVolume - 1) < 1e-6, "\(file.name): \(mesh.signedVolume)")
            let census = EdgeCensus(mesh)
            #expect(census.edges == 18 && census.odd == 0 && census.misoriented == 0, "\(file.name): \(census)")
        }
    }

    @Test func badFilesGiveTheirErrors() throws {
        for file in FixtureFile.bad() {
            let path = "\(Self.folder)/\(file.name)"
            do {
                let loaded = try loadMesh(path: path, threads: 2)
                Issue.record("\(file.name) was read: \(loaded.mesh.triangleCount) triangles")
            } catch {
                #expect(error.cause == .badData, "\(file.name): \(error)")
                #expect(error.description.hasPrefix("\(path): \(file.error!)"), "\(file.name): \(error)")
            }
        }
    }

    @Test func truncationAndBitFlipsNeverCrash() throws {
        var random = Philox(seed: 21)
        for file in try FixtureFile.good() where file.bytes.count < 3000 && !file.name.hasSuffix("glb") {
            let hint = file.name.split(separator: ".").last.map(String.init)
            for length in 0..<file.bytes.count {
                // A copy of its own, so that reading past its end can be seen.
                let cut = Array(file.bytes[..<length])
                _ = try? cut.withUnsafeBytes { try parseMesh($0, formatHint: hint, threads: 1) }
            }
            for _ in 0..<200 {
                var bytes = file.bytes
                for _ in 0...random.next() % 3 {
                    let at = Int(random.next() % UInt64(bytes.count))
                    bytes[at] ^= 1 << UInt8(random.next() % 8)
                }
                // A flip may turn the magic into another format's; that is for the importer's own tests.
                guard bytes.prefix(1) == file.bytes.prefix(1) else { continue }
                if let mesh = try? bytes.withUnsafeBytes({ try parseMesh($0, formatHint: hint, threads: 1) }) {
                    #expect(mesh.triangles.allSatisfy { $0 < mesh.vertexCount })
                    #expect(mesh.positions.allSatisfy { abs($0) <= 1e18 })
                }
            }
        }
    }
}
