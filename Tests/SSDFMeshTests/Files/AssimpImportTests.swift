import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Foreign formats, and importers that misbehave.
@Suite(.serialized) struct AssimpImportTests {
    /// Runs a shell script in the importer's place, and checks that nothing is left of its process.
    private func failure(_ script: String, seconds: Double = 20) -> String {
        let path = "/tmp/ssdf-import-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        // Another process writes it: where this one had it open for writing, a child that another test starts at the
        // moment would have it open too, and a file open for writing cannot be run.
        let quoted = "'" + "#!/bin/sh\necho $$ >\(path).pid\n\(script)\n".replacing("'", with: "'\\''") + "'"
        #expect(system("printf %s \(quoted) >\(path) && chmod 755 \(path)") == 0)
        defer {
            // A process that was not waited for still has its number; other tests' children are none of this one's.
            var number: Int32?
            if let file = fopen(path + ".pid", "r") {
                var digits = [CChar](repeating: 0, count: 16)
                if fgets(&digits, 16, file) != nil { number = Int32(atoi(digits)) }
                fclose(file)
            }
            // One with little time may be stopped before it has begun.
            #expect(number != nil || seconds < 1, "the importer did not start")
            if let number { #expect(kill(number, 0) != 0 && errno == ESRCH) }
            unlink(path)
            unlink(path + ".pid")
        }
        do {
            let limits = ImportLimits(memory: 1 << 30, processorSeconds: 30, seconds: seconds)
            let mesh = try [UInt8]("glTF".utf8).withUnsafeBytes {
                try importMesh($0, path: nil, suffix: "glb", helper: path, limits: limits)
            }
            return "\(mesh.triangleCount) triangles"
        } catch { return "\(error)" }
    }

    @Test func namesTheSignalOfACrash() {
        #expect(
            failure("kill -SEGV $$")
                == "the importer crashed (signal 11, Segmentation fault), expected a glb file that it can read")
        #expect(
            failure("printf SSDFMESH; kill -ABRT $$")
                == "the importer crashed (signal 6, Aborted), expected a glb file that it can read")
    }

    @Test func stopsAnImporterThatHangs() {
        #expect(
            failure("printf SSDFMESH; exec sleep 60", seconds: 0.3)
                == "the importer did not finish in 0.3 s, expected a glb file that it can read")
    }

    @Test func saysThatLimitsWereMet() {
        #expect(failure("kill -XCPU $$").hasPrefix("the importer was stopped (signal 24) at its limits of 30 s"))
    }

    @Test func refusesWhatAnImporterMustNotSend() {
        let word = { (value: Int) in
            String(repeating: "\\0", count: 7).withCString { _ in "\\\(String(value, radix: 8))\\0\\0\\0\\0\\0\\0\\0" }
        }
        #expect(failure("echo nonsense").hasPrefix("the importer does not speak"))
        #expect(failure("printf SSDF") == "the importer stopped in the middle of its answer, expected a mesh")
        #expect(failure("printf 'SSDFMESH\(word(7))'").hasPrefix("the importer sent a part of an unknown kind"))
        // 2^62 vertices.
        #expect(
            failure("printf 'SSDFMESH\(word(1))\\0\\0\\0\\0\\0\\0\\0\\100'; cat /dev/zero").hasPrefix("more than"))
        // One triangle whose corners are not there.
        #expect(
            failure("printf 'SSDFMESH\(word(1))\(word(0))\(word(1))\(word(0))\(word(0))'; cat /dev/zero")
                == "face 0: vertex index 0, expected vertices")
        #expect(
            failure("printf 'SSDFMESH\(word(2))\(word(3))bad'") == "the importer says: bad, expected a file it can read"
        )
        #expect(failure("printf 'SSDFMESH\(word(0))'") == "0 triangles")
    }

    @Test func saysWhenThereIsNoImporter() {
        do {
            _ = try [UInt8]("glTF".utf8).withUnsafeBytes {
                try importMesh($0, path: nil, suffix: "glb", helper: "/nonexistent/ssdf-import")
            }
            Issue.record("an importer that does not exist was run")
        } catch {
            #expect((error as? Failure)?.cause == .unavailable)
        }
    }

    @Test(arguments: [false, true]) func readsWhatTheGLBWriterWrites(_ hasNormals: Bool) throws {
        for name in ["torus", "gear", "tiny", "huge", "degenerate"] {
            let fixture = FixtureMesh.named(name).mesh
            let bytes = try MeshWriterTests.bytes(hasNormals ? fixture.withNormals() : fixture, .glb)
            let found = try MeshWriterTests.read(bytes, nil)
            #expect(found.unwelded() == fixture.unwelded(), "\(name)")
        }
    }

    @Test func reportsMalformedFiles() throws {
        let good = try MeshWriterTests.bytes(FixtureMesh.named("cube").mesh, .glb)
        for length in [4, 12, 20, 100, good.count / 2, good.count - 4] {
            #expect(throws: Failure.self) { try MeshWriterTests.read(Array(good[..<length]), "glb") }
        }
    }

    static let shared: [(String, Int, Box3f)] = [
        ("scene_8nodes.glb", 445_838, Box3f(minimum: [-1, -1.289, -0.7865], maximum: [9.2, 3.596, 2.926])),
        ("2CylinderEngine.glb", 121_496, Box3f(minimum: [-371.7, -181, -140], maximum: [371.7, 92.04, 128])),
        ("CesiumMilkTruck.glb", 3624, Box3f(minimum: [-2.431, 0.001452, -1.396], maximum: [2.438, 2.584, 1.396])),
        ("duck_triangulate.dae", 4212, Box3f(minimum: [-69.3, 9.929, -61.33], maximum: [96.18, 164, 53.93])),
    ]

    @Test(arguments: shared.map(\.0)) func loadsRealScenes(_ name: String) throws {
        guard let path = SharedData.mesh(name) else { return }
        let (_, triangles, box) = Self.shared.first { $0.0 == name }!
        let mesh = try loadMesh(path: path, threads: 1).mesh
        #expect(mesh.triangleCount == triangles)
        let found = mesh.boundingBox
        #expect((found.minimum - box.minimum).length < 1e-3 * box.longestSide, "\(found)")
        #expect((found.maximum - box.maximum).length < 1e-3 * box.longestSide, "\(found)")
    }

    @Test func loadsAn3DSFile() throws {
        guard let path = SharedData.mesh("fels.3ds") else { return }
        let loaded = try loadMesh(path: path, threads: 1)
        #expect(loaded.format == "3ds")
        #expect(loaded.mesh.triangleCount > 100)
    }

    @Test func mirroredNodesKeepTheirFacesOutwards() throws {
        // One cube, placed as it is and mirrored.
        let cube = FixtureMesh.named("cube").mesh
        let glb = try MeshWriterTests.bytes(cube, .glb)
        let text = String(decoding: glb[20...].prefix { $0 != 0 }, as: UTF8.self)
        let json = text[...text.lastIndex(of: "}")!]
            .replacing(
                "\"scenes\":[{\"nodes\":[0]}],\"nodes\":[{\"mesh\":0}]",
                with:
                    "\"scenes\":[{\"nodes\":[0,1]}],\"nodes\":[{\"mesh\":0},{\"mesh\":0,\"scale\":[-2,1,3],\"translation\":[5,0,0]}]"
            )
        var padded = Array(json.utf8)
        while padded.count % 4 != 0 { padded.append(0x20) }
        let oldLength = Int(glb[12]) | Int(glb[13]) << 8
        let binary = glb[(20 + oldLength)...]
        func word(_ n: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: n >> (8 * $0)) } }
        let bytes =
            Array("glTF".utf8) + word(2) + word(20 + padded.count + binary.count) + word(padded.count)
            + Array("JSON".utf8) + padded + binary
        let mesh = try MeshWriterTests.read(bytes, nil)
        #expect(mesh.triangleCount == 24)
        #expect(abs(mesh.signedVolume - 7) < 1e-5)
        #expect(EdgeCensus(mesh).misoriented == 0)
    }
}
