import FixtureMeshes
import Foundation
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTraining
import SSDFVolume
import Testing

/// A folder of its own for one test.
private final class Folder {
    let path = "/tmp/ssdf-data-\(UInt64.random(in: 0...UInt64.max))"

    init() { try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) {
        #expect(FileManager.default.createFile(atPath: "\(path)/\(name)", contents: Data(text.utf8)))
    }

    /// A mesh as an OBJ file.
    func write(_ name: String, _ mesh: TriangleMesh) {
        var text = ""
        for v in 0..<mesh.vertexCount {
            let p = mesh.position(v)
            text += "v \(p.x) \(p.y) \(p.z)\n"
        }
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            text += "f \(a + 1) \(b + 1) \(c + 1)\n"
        }
        write(name, text)
    }

    /// Every file below a folder with its bytes.
    func files(_ name: String) -> [String: Data] {
        var found: [String: Data] = [:]
        for item in FileManager.default.enumerator(atPath: "\(path)/\(name)")?.allObjects as? [String] ?? [] {
            let full = "\(path)/\(name)/\(item)"
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: full, isDirectory: &isFolder), !isFolder.boolValue {
                found[item] = FileManager.default.contents(atPath: full)
            }
        }
        return found
    }
}

@Suite struct PreparedDataTests {
    private static var settings: PreparationSettings {
        var settings = PreparationSettings()
        settings.resolutions = [32, 64]
        settings.views = 2
        settings.viewSize = 48
        return settings
    }

    /// A folder with a ball, a part with edges, the ball once more, and files that are no meshes.
    private func folder() -> Folder {
        let folder = Folder()
        folder.write("ball.obj", .icosphere(radius: 2, frequency: 8))
        folder.write("part.obj", .machinedPart())
        folder.write("again.obj", .icosphere(radius: 2, frequency: 8))
        folder.write("broken.obj", "v 0 0 0\nv 1 0 0\nf 1 2 9\n")
        folder.write("sheet.obj", .sheet(cells: 4))
        return folder
    }

    private static let names = ["part.obj", "ball.obj", "broken.obj", "again.obj", "sheet.obj", "absent.obj"]

    @discardableResult
    private func prepare(
        _ folder: Folder, _ names: [String] = names, into data: String = "data", threads: Int = 2,
        settings: PreparationSettings = Self.settings
    ) throws -> PreparationFolder.Summary {
        try PreparationFolder(path: "\(folder.path)/\(data)", settings: settings).prepare(
            names.map { "\(folder.path)/\($0)" }, threads: threads, memory: 4 << 30, tool: "test", progress: { _, _ in }
        )
    }

    @Test func whatIsMadeDoesNotDependOnThreadsOrCalls() throws {
        let folder = folder()
        let summary = try prepare(folder, into: "a", threads: 1)
        #expect(summary.made + summary.wereThere == 3 && summary.dropped.count == 3)
        try prepare(folder, into: "b", threads: 4)
        for name in Self.names.reversed() { try prepare(folder, [name], into: "c", threads: 3) }
        let files = folder.files("a")
        // Two samples of two volumes, two pictures and a record; settings and manifest.
        #expect(files.count == 2 * 5 + 2, "\(files.keys.sorted())")
        #expect((files == folder.files("b")) as Bool)
        #expect((files == folder.files("c")) as Bool)
    }

    @Test func theManifestSaysWhatBecameOfEachMesh() throws {
        let folder = folder()
        let summary = try prepare(folder)
        let manifest = try ManifestEntry.read(path: "\(folder.path)/data/manifest.jsonl")
        #expect(manifest.map(\.source) == Self.names.sorted().map { "\(folder.path)/\($0)" })
        var reasons: [String: String] = [:]
        var samples: [String: PreparedSample] = [:]
        for entry in manifest {
            let name = String(entry.source.split(separator: "/").last!)
            switch entry.outcome {
            case .made(let sample): samples[name] = sample
            case .dropped(let reason): reasons[name] = reason
            }
        }
        #expect(reasons.keys.sorted() == ["absent.obj", "broken.obj", "sheet.obj"])
        #expect(reasons["absent.obj"] == "cannot open: No such file or directory")
        #expect(reasons["broken.obj"]?.contains("line 3") == true)
        #expect(reasons["sheet.obj"]?.contains("encloses nothing") == true)
        #expect(summary.dropped.map(\.reason) == [reasons["broken.obj"], reasons["sheet.obj"], reasons["absent.obj"]])
        #expect(samples["ball.obj"] == samples["again.obj"])
        let part = try #require(samples["part.obj"])
        #expect(part.volumes.map(\.resolution) == [32, 64] && part.views.count == 2 && part.sign == "winding")
        #expect(part.volumes.allSatisfy { $0.sharp > 0 && $0.sharp <= $0.voxels })
        #expect(samples["ball.obj"]!.volumes.allSatisfy { $0.sharp == 0 })
    }

    @Test func whatIsThereIsNotMadeAgain() throws {
        let folder = folder()
        try prepare(folder)
        let sample = try #require(FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/data/samples").first)
        let file = "\(folder.path)/data/samples/\(sample)/sdf-32.ssdf"
        func number() throws -> Int {
            try #require(FileManager.default.attributesOfItem(atPath: file)[.systemFileNumber] as? Int)
        }
        let before = try number()
        let files = folder.files("data")
        let summary = try prepare(folder)
        #expect(summary.made == 0 && summary.wereThere == 3)
        #expect(try number() == before)
        // Half a sample, and what a killed process left, make room.
        try FileManager.default.removeItem(atPath: "\(folder.path)/data/samples/\(sample)/view-01.png")
        let left = "\(folder.path)/data/samples/.\(sample).1-a.partial"
        try FileManager.default.createDirectory(atPath: left, withIntermediateDirectories: true)
        folder.write("data/samples/.\(sample).1-a.partial/sdf-32.ssdf", "half")
        #expect(try prepare(folder).made >= 1)
        #expect((folder.files("data") == files) as Bool)
        #expect(!FileManager.default.fileExists(atPath: left))
    }

    @Test func otherSettingsNeedAnotherFolder() throws {
        let folder = folder()
        try prepare(folder)
        var other = Self.settings
        other.resolutions = [32]
        #expect {
            try prepare(folder, settings: other)
        } throws: { ($0 as? Failure)?.cause == .badData && "\($0)".contains("settings.json: resolutions: [32,64]") }
    }

    @Test func twoProcessesDoNotFillOneFolder() throws {
        let folder = folder()
        let first = try PreparationFolder(path: "\(folder.path)/data", settings: Self.settings)
        #expect {
            _ = try PreparationFolder(path: "\(folder.path)/data", settings: Self.settings)
        } throws: { ($0 as? Failure)?.cause == .cannotCreate }
        _ = try first.prepare([], threads: 1, memory: 1 << 30, tool: "test", progress: { _, _ in })
    }

    @Test func aMeshThatNeedsTooMuchMemoryIsDropped() throws {
        let folder = folder()
        let summary = try PreparationFolder(path: "\(folder.path)/data", settings: Self.settings).prepare(
            ["\(folder.path)/ball.obj"], threads: 2, memory: 24 << 20, tool: "test", progress: { _, _ in })
        #expect(summary.dropped.count == 1 && summary.dropped[0].reason.contains("of memory, expected at most 12.6 MB"))
    }

    /// The volumes are those of voxelization, the pictures show the object, the nearness is carried over.
    @Test func samplesHoldTheMesh() throws {
        let folder = folder()
        try prepare(folder, ["part.obj"])
        let data = try PreparedData(path: "\(folder.path)/data")
        #expect(data.count == 1 && data.resolutions == [32, 64])
        var options = VoxelizeOptions()
        options.resolution = 64
        options.halfWidth = 4
        let mesh = try loadMesh(path: "\(folder.path)/part.obj", threads: 1).mesh
        let volume = try voxelize(mesh, options: options)
        let expected = BandSamples(volume)
        let band = try data.band(ofSample: 0, resolution: 64)
        #expect((band.bricks == expected.bricks && band.values.array == expected.values.array) as Bool)
        #expect((band.bricks.allSatisfy { (0..<8).contains($0.x) } && band.bricks.count > 100) as Bool)
        // Edges on the cube's faces are in the volume on both sides, and in the band as far as the cube goes.
        let sharp = try sharpness(of: volume, mesh: mesh, angle: 30, reach: 4, threads: 1)
        var (inside, all) = (0.0, 0.0)
        for brick in 0..<sharp.brickCount {
            let place = sharp.bricks.pointer[brick]
            let rows = sharp.offsets.pointer[brick]..<sharp.offsets.pointer[brick + 1]
            let sum = rows.reduce(0.0) { $0 + Double(sharp.values.pointer[Int($1)]) }
            all += sum
            if [place.x, place.y, place.z].allSatisfy({ (0..<8).contains($0) }) { inside += sum }
        }
        let found = band.sharpness.array.reduce(0.0) { $0 + Double($1) }
        #expect(abs(found - inside) < 1e-2 && found > 100 && all > inside + 100, "\(found) of \(inside) of \(all)")
        #expect((try data.cells(ofSample: 0, resolution: 64) == expected.bricks) as Bool)
        #expect(data.largestBand(resolution: 64) == band.bricks.count)

        let pictures = try PictureSet(
            data, data.pictureRecipe(views: 2, side: 32, resolution: 64), threads: 2, progress: { _, _ in })
        #expect((pictures.bricks(0) == expected.bricks) as Bool)
        var image = [Float](repeating: 0, count: 3 * 32 * 32)
        for view in 0..<2 {
            pictures.write(shape: 0, view: view, to: &image)
            let shown = image.prefix(32 * 32).count { $0 < 0.95 }
            #expect((150...1000).contains(shown), "\(shown) of 1024 pixels show the object on white")
        }
        #expect {
            _ = try data.pictureRecipe(views: 3, side: 32, resolution: 64)
        } throws: { "\($0)".contains("2 pictures, expected 3") }
        #expect {
            try data.check(resolution: 128)
        } throws: { "\($0)".contains("no volume of 128 voxels a side") }
    }

    /// Pictures, cells and latents of a number are of one sample.
    @Test func setsOfAFolderGoTogether() throws {
        let folder = folder()
        try prepare(folder)
        let data = try PreparedData(path: "\(folder.path)/data")
        let pictures = try PictureSet(
            data, data.pictureRecipe(views: 1, side: 32, resolution: 32), threads: 2, progress: { _, _ in })
        let file = try TrainingFile(yaml: AutoencoderTrainingTests.yaml)
        let trainer = try AutoencoderTrainer(file, threads: 1, source: nil)
        let source = ParameterSource.random(seed: 1)
        let latents = try LatentSet(
            count: 2, network: AutoencoderNetwork(trainer.model, source), channels: 4, threads: 2,
            band: { try data.band(ofSample: $0, resolution: 32) }, progress: { _, _ in })
        for index in 0..<2 {
            let rows = try latents.coordinates(index).rows.array
            let cells = Set(rows.map { SIMD3($0.y, $0.z, $0.w) })
            #expect((cells == Set(pictures.bricks(index).map { SIMD3($0.x, $0.y, $0.z) })) as Bool)
        }
        #expect(latents.tokens(0) != latents.tokens(1))
    }

    /// All samples come before one comes again, and the order depends on nothing.
    @Test func numbersGoThroughAllSamples() throws {
        let folder = folder()
        try prepare(folder)
        let data = try PreparedData(path: "\(folder.path)/data")
        let counts = try (0..<4).map { try data.band($0, resolution: 32, isRotated: true).bricks.count }
        #expect(Set(counts[0..<2]) == Set(counts[2..<4]) && Set(counts).count == 2)
    }

    @Test func networksTrainOnIt() throws {
        let folder = folder()
        try prepare(folder)
        let data = try PreparedData(path: "\(folder.path)/data")
        let yaml = AutoencoderTrainingTests.yaml.replacingOccurrences(
            of: "crop: 3, crop_share: 0.5", with: "resolutions: [32, 64]")
        let file = try TrainingFile(yaml: yaml)
        let (one, other) = (
            try AutoencoderTrainer(file, threads: 1, source: data),
            try AutoencoderTrainer(file, threads: 3, source: data)
        )
        var sizes: Set<Double> = []
        for _ in 0..<4 {
            let record = try one.advance()
            #expect(try other.advance() == record)
            sizes.insert(record["tokens"]!)
        }
        #expect(sizes.count > 1, "steps mix resolutions and shapes")
        #expect(one.state.fingerprint != (try AutoencoderTrainer(file, threads: 1)).state.fingerprint)

        let structure = try StructureTrainer(
            TrainingFile(yaml: StructureTrainingTests.yaml), threads: 2, source: data)
        #expect(try structure.advance().loss > 0)

        let dense = DenseTransformerTrainingTests.yaml.replacingOccurrences(
            of: "resolution: 16", with: "resolution: 8"
        ).replacingOccurrences(of: "[1, 16, 16, 16]", with: "[1, 8, 8, 8]")
        let transformer = try DenseTransformerTrainer(TrainingFile(yaml: dense), data: data, threads: 2)
        #expect(transformer.recipe.shapes == 2)
        let mirrored = dense.replacingOccurrences(of: "views: 1", with: "views: 1, mirrored: true")
        #expect {
            _ = try DenseTransformerTrainer(TrainingFile(yaml: mirrored), data: data, threads: 2)
        } throws: { "\($0)".contains("training.dense_dit.mirrored") }
        try transformer.prepare { _, _ in }
        #expect(try transformer.advance().loss > 0)
    }

    @Test func missingManifestIsExplained() throws {
        let folder = Folder()
        #expect {
            _ = try PreparedData(path: folder.path)
        } throws: { ($0 as? Failure)?.cause == .noInput && "\($0)".contains("ssdf-train prepare writes it") }
    }

    @Test(arguments: [
        ("{\"source\":\"a\",\"hash\":\"\",\"status\":\"kept\"}", "line 2: status: \"kept\", expected made or dropped"),
        ("{\"source\":1}", "line 2: source: 1, expected a text"), ("{\"source\":", "line 2, byte 10"),
        (
            "{\"source\":\"a\",\"hash\":\"b\",\"status\":\"made\",\"sample\":\"../x\"}",
            "line 2: sample: \"../x\", expected a file's name"
        ),
    ]) func brokenManifestIsRefused(line: String, message: String) throws {
        let folder = Folder()
        folder.write(
            "manifest.jsonl", "{\"source\":\"x\",\"hash\":\"\",\"status\":\"dropped\",\"reason\":\"r\"}\n" + line + "\n"
        )
        #expect {
            _ = try PreparedData(path: folder.path)
        } throws: { ($0 as? Failure)?.cause == .badData && "\($0)".contains(message) }
    }

    @Test func aVolumeThatWasChangedIsRefused() throws {
        let folder = folder()
        try prepare(folder, ["part.obj"])
        let data = try PreparedData(path: "\(folder.path)/data")
        let sample = "\(folder.path)/data/samples/\(data.samples[0].name)"
        try FileManager.default.removeItem(atPath: "\(sample)/sdf-64.ssdf")
        #expect {
            _ = try data.band(ofSample: 0, resolution: 64)
        } throws: { ($0 as? Failure)?.cause == .noInput }
        try FileManager.default.copyItem(atPath: "\(sample)/sdf-32.ssdf", toPath: "\(sample)/sdf-64.ssdf")
        #expect {
            _ = try data.band(ofSample: 0, resolution: 64)
        } throws: { "\($0)".contains("sdf with 1 channels at 32, expected sdf with 1 at 64") }
    }
}
