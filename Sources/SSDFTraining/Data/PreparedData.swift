import SSDFCore
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder of training data that `PreparationFolder` filled, as a source of shapes.
///
/// Its samples are those that the manifest names, each once; taking a line away leaves the sample out.
package struct PreparedData: ShapeSource {
    /// The folder.
    package let path: String
    /// By ascending name.
    package let samples: [PreparedSample]
    /// The hash of the settings and the names of all samples.
    package let identity: String
    /// The resolutions that the folder was made with.
    package let resolutions: [Int]

    /// The number of samples.
    package var count: Int? { samples.count }

    /// - Throws: `noInput` when this is no such folder or its manifest was not written; `badData` when the manifest is
    ///   broken or has no sample.
    package init(path: String) throws(Failure) {
        self.path = path
        let manifest = "\(path)/\(PreparationFolder.manifestName)"
        guard access(manifest, R_OK) == 0 else {
            throw Failure(
                .noInput, file: manifest,
                "cannot open: \(systemMessage(errno)); ssdf-train prepare writes it when all meshes are done")
        }
        var byName: [String: PreparedSample] = [:]
        for entry in try ManifestEntry.read(path: manifest) {
            if case .made(let sample) = entry.outcome { byName[sample.name] = sample }
        }
        guard !byName.isEmpty else { throw .badData(file: manifest, "no sample", expected: "at least one") }
        samples = byName.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        resolutions = Set(samples.flatMap { $0.volumes.map(\.resolution) }).sorted()
        var hasher = ContentHasher()
        let settings = try FileBytes(path: "\(path)/\(PreparationFolder.settingsName)")
        try settings.withBytes { bytes throws(Failure) in hasher.update(bytes) }
        for sample in samples {
            let name = Array(sample.name.utf8)
            name.withUnsafeBytes { hasher.update($0) }
        }
        identity = "sha256:" + hasher.digest()
    }

    /// - Throws: `badData` naming a sample that has no volume of that resolution.
    package func check(resolution: Int) throws(Failure) {
        for sample in samples where !sample.volumes.contains(where: { $0.resolution == resolution }) {
            throw .badData(
                file: "\(path)/\(PreparationFolder.manifestName)", place: "sample \(sample.name)",
                "no volume of \(resolution) voxels a side", expected: "one; the configuration asks for it")
        }
    }

    /// The sample of a number: all come once before one comes again.
    private func sample(of number: Int) -> Int { SampleOrder(count: samples.count, seed: 0).sample(number) }

    /// The band of the sample that stands at a number; prepared meshes are not turned.
    /// - Throws: `badData` or `noInput` when its file is not what the manifest says.
    package func band(_ number: Int, resolution: Int, isRotated: Bool) throws(Failure) -> BandSamples {
        try band(ofSample: sample(of: number), resolution: resolution)
    }

    /// The bricks of that band.
    /// - Throws: as `band`.
    package func cells(_ number: Int, resolution: Int) throws(Failure) -> [BrickCoordinate] {
        try cells(ofSample: sample(of: number), resolution: resolution)
    }

    /// The band of `samples[index]`.
    package func band(ofSample index: Int, resolution: Int) throws(Failure) -> BandSamples {
        let file = try open(samples[index], resolution)
        let volume = try distances(file, resolution)
        let sharp = try file.read(file.grid(named: "sharp"), threads: 1)
        guard sharp.channels == 1 else {
            throw .badData(
                file: file.name, place: "grid \"sharp\"", "\(sharp.channels) values a voxel", expected: "1")
        }
        let band = BandSamples(volume, sharp: sharp)
        guard !band.bricks.isEmpty else {
            throw .badData(file: file.name, place: "grid \"sdf\"", "no voxel near the surface", expected: "some")
        }
        return band
    }

    /// The bricks of that band.
    package func cells(ofSample index: Int, resolution: Int) throws(Failure) -> [BrickCoordinate] {
        let file = try open(samples[index], resolution)
        return BandSamples(try distances(file, resolution)).bricks
    }

    /// The most bricks that a sample has, as the manifest says; 1 when none has that resolution.
    package func largestBand(resolution: Int) -> Int { max(1, bands(resolution).max() ?? 1) }

    /// The bricks that samples have on average, as the manifest says; 1 when none has that resolution.
    package func typicalBand(resolution: Int) -> Int {
        let bands = bands(resolution)
        return max(1, bands.reduce(0, +) / max(bands.count, 1))
    }

    /// The whole band is read.
    package func cellBytes(resolution: Int) -> Int { 512 * 26 * largestBand(resolution: resolution) }

    /// Bricks of the samples that have a resolution.
    private func bands(_ resolution: Int) -> [Int] {
        samples.compactMap { sample in sample.volumes.first { $0.resolution == resolution }?.bricks }
    }

    private func open(_ sample: PreparedSample, _ resolution: Int) throws(Failure) -> VolumeFile {
        try check(resolution: resolution, of: sample)
        let volume = sample.volumes.first { $0.resolution == resolution }!
        return try VolumeFile(path: "\(path)/\(PreparationFolder.samplesName)/\(sample.name)/\(volume.file)")
    }

    private func check(resolution: Int, of sample: PreparedSample) throws(Failure) {
        if sample.volumes.contains(where: { $0.resolution == resolution }) { return }
        try check(resolution: resolution)
    }

    /// Signed distances in the default cube, as wide as networks see them.
    private func distances(_ file: borrowing VolumeFile, _ resolution: Int) throws(Failure) -> SparseVolume {
        let volume = try file.read(file.grid(named: "sdf"), threads: 1)
        let metadata = volume.metadata
        let place = "grid \"sdf\""
        guard metadata.kind == .sdf, metadata.channels == 1, metadata.resolution == resolution else {
            throw .badData(
                file: file.name, place: place,
                "\(metadata.kind.name) with \(metadata.channels) channels at \(metadata.resolution)",
                expected: "sdf with 1 at \(resolution)")
        }
        let voxels = metadata.truncation / metadata.voxelSize
        guard voxels >= Double(BandSamples.halfWidth) - 1e-6 else {
            throw .badData(
                file: file.name, place: place, "a band of \(voxels) voxels",
                expected: "at least \(BandSamples.halfWidth)")
        }
        return volume
    }
}
