import FixtureMeshes
import RandomModels
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume
import Testing

/// Encoding and decoding of volumes, by a small model with random weights.
@Suite struct AutoencoderTests {
    private static func model() throws -> (folder: TemporaryFolder, model: ModelDirectory) {
        let folder = TemporaryFolder()
        try RandomModel(yaml: RandomModel.tiny).write(to: folder.path, refinerWidths: [8, 8, 8, 8])
        return (folder, try ModelDirectory(path: folder.path))
    }

    private static func ball(_ resolution: Int) throws -> SparseVolume {
        var options = VoxelizeOptions()
        options.resolution = resolution
        options.threads = 2
        return try voxelize(TriangleMesh.icosphere(radius: 0.8, frequency: 12), options: options)
    }

    private static func encoded(_ resolution: Int, _ model: ModelDirectory) throws -> SparseVolume {
        var options = EncodeOptions()
        options.threads = 2
        return try LatentEncoder(ball(resolution), model: model, threads: 2, precision: .f32).encode(options)
    }

    /// The cells' short cut through layer, norm and activation against the layers one by one.
    @Test func encodesAsTheLayersDo() throws {
        let (folder, model) = try Self.model()
        let volume = try Self.ball(128)
        let autoencoder = try SparseSDFAutoencoder.forVolumes(of: 128, place: "", in: model)
        let scale = DistanceScale(autoencoder.config, voxelSize: volume.metadata.voxelSize)
        let compute = Compute(threads: 2)
        let limit = Float(scale.truncation * (1 + 1e-6))
        var rows: [SIMD4<Int32>] = []
        var values: [Float] = []
        volume.forEachActiveVoxel { row, voxel in
            let inside = [voxel.x, voxel.y, voxel.z].allSatisfy { (0..<128).contains($0) }
            guard inside, abs(volume.values.pointer[row]) <= limit else { return }
            rows.append(SIMD4(0, voxel.x, voxel.y, voxel.z))
            values.append(volume.values.pointer[row] / Float(scale.truncation))
        }
        let plain = try autoencoder.encoder()(
            SparseTensor(
                features: Tensor(values, shape: [values.count, 1]), coordinates: try CoordinateSet(Buffer(rows))),
            compute)
        let order = try plain.coordinates.blockOrder(size: 8)
        let mean = DiagonalGaussian(plain.features, compute).mean
        let expected = order.permutation.map { compute.gather(mean, $0) } ?? mean
        let found = try Self.encoded(128, model)
        #expect(found.activeCount == expected.rows)
        let tensor = Tensor(found.values.array, shape: expected.shape)
        #expect(relativeError(tensor, expected) < 1e-5)
        withExtendedLifetime(folder) {}
    }

    /// However the grid is cut, the same numbers come out: those of the layers one by one.
    @Test(arguments: [64, 128]) func decodesTheSameInPieces(resolution: Int) throws {
        let (folder, model) = try Self.model()
        let latents = try Self.encoded(resolution, model)
        let decoder = try LatentDecoder(latents, model: model)
        var options = DecodeOptions()
        options.threads = 2
        let whole = try decoder.decode(options).takeVolume()
        #expect(whole.activeCount == 512 * latents.activeCount)
        for chunks in decoder.chunkings.dropFirst() {
            options.chunks = chunks
            let pieces = try decoder.decode(options).takeVolume()
            #expect(pieces.bricks.array == whole.bricks.array)
            #expect(pieces.values.array == whole.values.array, "\(chunks) pieces")
        }
        let compute = Compute(threads: 2)
        let network = try decoder.autoencoder.decoder()
        let input = SparseTensor(
            features: Tensor(latents.values.array, shape: [latents.activeCount, latents.channels]),
            coordinates: try CoordinateSet(latents, side: latents.metadata.resolution))
        let reference = try network(input, chunks: 1, compute)
        var (difference, norm) = (0.0, 0.0)
        let unit = decoder.scale.unit
        for (row, place) in reference.rows.enumerated() {
            guard let found = whole.row(of: VoxelCoordinate(place.y, place.z, place.w)) else {
                Issue.record("voxel \(place) is not active")
                break
            }
            let expected = Double(reference.values.array[row]) * unit
            difference += (Double(whole.values[found]) - expected) * (Double(whole.values[found]) - expected)
            norm += expected * expected
            if row > 20_000 { break }
        }
        #expect((difference / norm).squareRoot() < 1e-5)
        withExtendedLifetime(folder) {}
    }

    /// What the values mean goes from the configuration into the file.
    @Test func writesTheMeaningOfValues() throws {
        let (folder, model) = try Self.model()
        let latents = try Self.encoded(64, model)
        #expect(latents.metadata.kind == .latent && latents.metadata.channels == 4)
        #expect(abs(latents.metadata.voxelSize - 0.25) < 1e-12)
        let decoded = try LatentDecoder(latents, model: model).decode(DecodeOptions()).takeVolume()
        let voxel = 2.0 / 64
        #expect(abs(decoded.metadata.truncation - 3 * voxel) < 1e-12)
        #expect(abs(decoded.metadata.isoValue - 0.1 * 3 * voxel) < 1e-12)
        #expect(abs(decoded.metadata.voxelSize - voxel) < 1e-12)
        #expect(decoded.metadata.indexToWorld == (try Self.ball(64)).metadata.indexToWorld)
        let span = decoded.values.array.reduce(0) { max($0, abs($1)) }
        #expect(Double(span) <= decoded.metadata.truncation)
        withExtendedLifetime(folder) {}
    }

    @Test func samplesBySeed() throws {
        let (folder, model) = try Self.model()
        let encoder = try LatentEncoder(Self.ball(64), model: model, threads: 2, precision: .f32)
        func latents(_ choice: PosteriorChoice, seed: UInt64, threads: Int = 2) throws -> [Float] {
            var options = EncodeOptions()
            options.posterior = choice
            options.seed = seed
            options.threads = threads
            return try encoder.encode(options).values.array
        }
        let mean = try latents(.mean, seed: 1)
        let sample = try latents(.sample, seed: 1)
        #expect(try latents(.mean, seed: 2) == mean)
        #expect(try latents(.sample, seed: 1, threads: 1) == sample)
        #expect(try latents(.sample, seed: 2) != sample)
        #expect(sample != mean)
        withExtendedLifetime(folder) {}
    }

    /// Both refiners keep the decoded bricks and add whole ones where the dense volume's surface passes.
    @Test(arguments: [64, 128]) func refines(resolution: Int) throws {
        let (folder, model) = try Self.model()
        let decoder = try LatentDecoder(Self.encoded(resolution, model), model: model)
        let plan = try RefinerPlan(for: decoder.autoencoder, in: model)
        #expect(plan.needsFeatures == (resolution == 64))
        var results: [[Float]] = []
        for threads in [1, 2] {
            var options = DecodeOptions()
            options.threads = threads
            let plain = try decoder.decode(options).takeVolume()
            var decoded = try decoder.decode(options, keepsFeatures: plan.needsFeatures)
            try plan.refine(&decoded, threads: threads, precision: .f32) { _, _ in }
            let refined = decoded.takeVolume()
            let factor = resolution == 64 ? 2.0 : 1
            #expect(refined.metadata.isoValue == factor * plain.metadata.isoValue)
            #expect(refined.brickCount >= plain.brickCount)
            var kept = 0
            for brick in 0..<plain.brickCount {
                guard let place = refined.brickIndex(of: plain.bricks[brick]) else { continue }
                kept += 1
                guard resolution == 128 else { continue }
                for bit in 0..<512 {
                    let (a, b) = (plain.values[brick * 512 + bit], refined.values[place * 512 + bit])
                    #expect(abs(a - b) <= 1e-6 * abs(a))
                }
            }
            #expect(kept == plain.brickCount)
            results.append(refined.values.array)
        }
        #expect(results[0] == results[1])
        withExtendedLifetime(folder) {}
    }

    /// The estimate against the pool and the maps is compared in CommandTests, where a process is all there is.
    @Test func countsOperations() throws {
        let (folder, model) = try Self.model()
        let decoder = try LatentDecoder(Self.encoded(64, model), model: model)
        let whole = decoder.cost(chunks: 1, threads: 2, precision: .f32)
        let pieces = decoder.cost(chunks: 2, threads: 2, precision: .f32)
        #expect(whole.performed < whole.operations)
        #expect(pieces.operations == whole.operations && pieces.performed > whole.performed)
        withExtendedLifetime(folder) {}
    }
}
