import SSDFCore
import SSDFTensor
import SSDFVolume

/// How latents are drawn from what the encoder says of them.
package enum PosteriorChoice: String, Sendable, CaseIterable {
    /// The most likely.
    case mean
    /// One drawn at random.
    case sample
}

/// Options of `LatentEncoder`.
package struct EncodeOptions: Sendable {
    /// Which latents of those that the encoder thinks likely.
    package var posterior = PosteriorChoice.mean
    /// Of latents drawn at random.
    package var seed: UInt64 = 0
    /// To work on; the latents do not depend on it.
    package var threads = 1
    /// Of the network's products.
    package var precision = Precision.f32
    /// Told how far the work is.
    package var progress: ProgressHandler = { _, _ in }

    /// The defaults.
    package init() {}
}

/// A volume that is to be encoded: checked, cut into cells, and its cost counted, before the network runs.
package struct LatentEncoder: ~Copyable {
    private let autoencoder: SparseSDFAutoencoder
    private let encoder: SparseSDFEncoder
    private let cells: VoxelCells
    private let source: GridMetadata
    /// Between distances and the network's values.
    package let scale: DistanceScale
    /// What running the encoder takes.
    package let cost: NetworkCost
    /// What is odd about the input, one line each.
    package let warnings: [String]

    /// - Parameter precision: that it will be encoded at.
    /// - Throws: `badData` when the grid is not an sdf of one channel, is empty, of a resolution that the model was not
    ///   made for, or holds a value that is not a number; `unavailable` without weights.
    package init(
        _ volume: borrowing SparseVolume, model: ModelDirectory, threads: Int, precision: Precision
    ) throws(Failure) {
        let metadata = volume.metadata
        let place = "grid \"\(metadata.name)\""
        guard metadata.kind == .sdf else {
            throw .badData(place: place, "kind is \(metadata.kind.name)", expected: "sdf")
        }
        guard metadata.channels == 1 else {
            throw .badData(place: place, "\(metadata.channels) channels", expected: "1")
        }
        guard volume.activeCount > 0 else {
            throw .badData(place: place, "no active voxels", expected: "at least one")
        }
        let autoencoder = try SparseSDFAutoencoder.forVolumes(of: metadata.resolution, place: place, in: model)
        let scale = DistanceScale(autoencoder.config, voxelSize: metadata.voxelSize)
        var warnings: [String] = []
        let voxels = autoencoder.config.truncationVoxels
        if metadata.truncation > 0, metadata.truncation < scale.truncation * 0.999 {
            warnings.append(
                "\(place): the band ends \(rounded(metadata.truncation / metadata.voxelSize)) voxels from the surface, "
                    + "the model was made for \(rounded(voxels))")
        }
        let encoder = try autoencoder.encoder()
        let cells = try VoxelCells(volume, scale: scale, threads: threads)
        let half = cells.coordinates
        let quarter = half.coarser(by: 2).set
        cost = encoder.cost(
            [half, quarter, quarter.coarser(by: 2).set], values: cells.values.count,
            volumeBytes: volume.activeCount * 4 + volume.brickCount * 88, threads: threads, precision)
        self.autoencoder = autoencoder
        self.encoder = encoder
        self.scale = scale
        self.warnings = warnings
        self.cells = cells
        source = metadata
    }

    /// The latents, one token an eighth of the resolution: mean or sample.
    /// - Throws: `badData` when the network's result is not finite: weights of another kind.
    package func encode(_ options: EncodeOptions) throws(Failure) -> SparseVolume {
        let compute = Compute(threads: options.threads, precision: options.precision)
        let steps = 4 + encoder.transformer.blocks.count
        let posterior = encoder(cells, compute) { step in options.progress(step + 1, steps) }
        let gaussian = DiagonalGaussian(posterior.features, compute)
        let order = try posterior.coordinates.blockOrder(size: 8)
        func ordered(_ x: Tensor) -> Tensor { order.permutation.map { compute.gather(x, $0) } ?? x }
        var latents = ordered(gaussian.mean)
        if options.posterior == .sample {
            let noise = compute.empty(latents.shape)
            GaussianNoise(seed: options.seed, stream: NoiseStream.posterior).fill(
                UnsafeMutableBufferPointer(start: noise.pointer, count: noise.count), threads: options.threads)
            latents = compute.add(latents, compute.multiply(ordered(gaussian.deviation(compute)), noise))
        }
        guard latents.elements.allSatisfy(\.isFinite) else {
            throw .badData(
                place: autoencoder.component, "latents that are not numbers", expected: "weights of a trained model")
        }
        var metadata = GridMetadata(
            name: "latent", kind: .latent, channels: autoencoder.config.embedDim,
            resolution: autoencoder.config.resolution)
        metadata.indexToWorld = source.indexToWorld.coarsened(by: 8)
        metadata.worldToSource = source.worldToSource
        metadata.unit = source.unit
        metadata.sourceHash = source.sourceHash
        metadata.seed = options.posterior == .sample ? options.seed : 0
        return SparseVolume(
            metadata: metadata, SparseTensor(features: latents, coordinates: order.coordinates))
    }
}

extension AffineTransform3 {
    /// The map of a grid whose voxel (i, j, k) is voxel (n·i, n·j, n·k) of this one's.
    package func coarsened(by n: Int) -> AffineTransform3 {
        composed(after: AffineTransform3(scale: Double(n), translation: .zero))
    }
}
