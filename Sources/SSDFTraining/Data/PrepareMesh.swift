import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Makes samples of meshes, one at a time; several may be made at once.
struct MeshPreparation: Sendable {
    /// Where the samples' folders stand.
    let folder: String
    let settings: PreparationSettings
    /// What tool the volumes are to name.
    let tool: String
    let gate: MemoryGate

    /// The sample of a mesh, and whether it had been made before.
    /// - Throws: what is wrong with the output folder, which no other mesh would get by either. What is wrong with the mesh
    ///   is an outcome.
    func prepare(_ source: String, threads: Int) throws(Failure) -> (entry: ManifestEntry, wasThere: Bool) {
        let hash: String
        do throws(Failure) {
            let file = try FileBytes(path: source)
            hash = try file.withBytes { bytes throws(Failure) in contentHash(bytes) }
        } catch {
            return (ManifestEntry(source: source, hash: "", outcome: .dropped(reason(error, source))), false)
        }
        let name = PreparedSample.name(ofContent: hash)
        if let sample = existing(name) {
            return (ManifestEntry(source: source, hash: hash, outcome: .made(sample)), true)
        }
        var lease = gate.enter()
        defer { gate.leave(&lease) }
        let outcome: ManifestEntry.Outcome
        do throws(Failure) {
            let mesh = try load(source, &lease, threads)
            let sample = try make(name, hash, mesh, &lease, threads)
            outcome = .made(sample)
        } catch {
            if error.file.hasPrefix(folder) { throw error }
            outcome = .dropped(reason(error, source))
        }
        return (ManifestEntry(source: source, hash: hash, outcome: outcome), false)
    }

    /// What the manifest says of a failure.
    private func reason(_ failure: Failure, _ source: String) -> String {
        var copy = failure
        if copy.file == source { copy.file = "" }
        return copy.description
    }

    /// A sample that was made before and is whole.
    private func existing(_ name: String) -> PreparedSample? {
        let place = "\(folder)/\(name)"
        let record = try? FileBytes(path: "\(place)/\(Self.recordName)").withBytes { bytes throws(Failure) in
            try PreparedSample(JSONValue(parsing: bytes))
        }
        let files =
            (record?.volumes.map { ($0.file, $0.bytes) } ?? []) + (record?.views.map { ($0.file, $0.bytes) } ?? [])
        if let record, record.name == name, files.allSatisfy({ Self.size("\(place)/\($0)") == $1 }) { return record }
        // Half a sample can be here only by somebody else's doing; it makes room for a whole one.
        removeFolder(place)
        return nil
    }

    static let recordName = "sample.json"

    private static func size(_ path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    private func load(_ source: String, _ lease: inout MemoryGate.Lease, _ threads: Int) throws(Failure) -> TriangleMesh
    {
        let bytes = Self.size(source) ?? 0
        try gate.widen(&lease, to: PreparationCost.reading(fileBytes: bytes), for: "reading it")
        return try loadMesh(path: source, threads: threads).mesh
    }

    private func make(
        _ name: String, _ hash: String, _ mesh: TriangleMesh, _ lease: inout MemoryGate.Lease, _ threads: Int
    ) throws(Failure) -> PreparedSample {
        try gate.widen(&lease, to: PreparationCost.making(mesh, settings), for: "making its volumes")
        var options = VoxelizeOptions()
        options.halfWidth = PreparationSettings.halfWidth
        options.sign = settings.sign
        options.up = settings.up
        options.threads = threads
        var sample = PreparedSample(
            name: name, triangles: mesh.triangleCount, sign: "", confidence: 0, volumes: [], views: [])
        let output = try SampleFolder(in: folder, name: name)
        var upright = AffineTransform3.identity
        for resolution in settings.resolutions {
            options.resolution = resolution
            var volume = try voxelize(mesh, options: options)
            guard volume.metadata.kind == .sdf, volume.metadata.signMethod != .none else {
                throw .badData("a mesh that encloses nothing", expected: "one with an inside")
            }
            volume.metadata.sourceHash = hash
            volume.metadata.tool = tool
            volume.metadata.arguments = [
                "--resolution=\(resolution)", "--half-width=\(options.halfWidth)", "--sign=\(options.sign.rawValue)",
                "--up=\(options.up.rawValue)",
            ]
            let sharp = try sharpness(
                of: volume, mesh: mesh, angle: settings.creaseAngle, reach: options.halfWidth, threads: threads)
            let file = "sdf-\(resolution).ssdf"
            let bytes = try output.write(file) { sink throws(Failure) in
                var writer = try VolumeWriter(options: VolumeWriteOptions(threads: threads), to: sink)
                try writer.write(volume)
                try writer.write(sharp)
                try writer.finish()
            }
            sample.sign = volume.metadata.signMethod.name
            sample.confidence = volume.metadata.signConfidence
            sample.volumes.append(
                PreparedSample.Volume(
                    file: file, bytes: bytes, resolution: resolution, voxels: volume.activeCount,
                    bricks: BandSamples(volume).bricks.count, sharp: sharp.activeCount))
            upright = volume.metadata.worldToSource.inverse ?? upright
        }
        try draw(mesh, upright, hash, into: output, &sample, threads)
        let record = sample.json.description + "\n"
        _ = try output.write(Self.recordName) { sink throws(Failure) in try writeText(record, to: sink) }
        try output.commit(as: "\(folder)/\(name)")
        return sample
    }

    private func draw(
        _ mesh: TriangleMesh, _ upright: AffineTransform3, _ hash: String, into output: borrowing SampleFolder,
        _ sample: inout PreparedSample, _ threads: Int
    ) throws(Failure) {
        guard settings.views > 0 else { return }
        var turned = mesh
        turned.transform(by: upright)
        for (index, view) in PictureView.drawn(settings, contentHash: hash).enumerated() {
            var options = RenderOptions()
            options.width = settings.viewSize
            options.height = settings.viewSize
            options.azimuth = view.azimuth
            options.elevation = view.elevation
            options.albedo = view.albedo
            options.backTint = Vector3f(repeating: 1)
            options.background = .transparent
            options.hasGround = false
            options.threads = threads
            let picture = render(positions: turned.positions, triangles: turned.triangles, options: options).image
            let file = "view-\(index < 10 ? "0" : "")\(index).png"
            let bytes = try output.write(file) { sink throws(Failure) in try picture.writePNG(to: sink) }
            sample.views.append(
                PreparedSample.View(file: file, bytes: bytes, azimuth: view.azimuth, elevation: view.elevation))
        }
    }
}

/// The UTF-8 of a text, given to a sink.
func writeText(_ text: String, to sink: ByteSink) throws(Failure) {
    let bytes = Array(text.utf8)
    let result: Result<Void, Failure> = bytes.withUnsafeBytes { raw in
        do throws(Failure) { return .success(try sink(raw)) } catch { return .failure(error) }
    }
    try result.get()
}
