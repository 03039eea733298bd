import SSDFCore
import SSDFTensor
import SSDFVolume

/// Options of `LatentDecoder`.
package struct DecodeOptions: Sendable {
    /// To work on; the volume does not depend on it.
    package var threads = 1
    /// Of the network's products.
    package var precision = Precision.f32
    /// Pieces along each axis; the result does not depend on it.
    package var chunks = 1
    /// Told after every piece how many are done.
    package var progress: ProgressHandler = { _, _ in }

    /// The defaults.
    package init() {}
}

/// The voxels of decoded latents: one 8×8×8 brick a token, all of it active, and what refiners need beside it.
package struct DecodedVolume: ~Copyable, Sendable {
    /// The decoded distances, in the cube's units.
    package var volume: SparseVolume
    /// `[bricks · 512, C/16]`, in the volume's order; empty unless asked for.
    package var features: Buffer<Float>
    /// Between the network's values and distances.
    package let scale: DistanceScale

    /// Channels of the features.
    package let featureChannels: Int
}

/// Latents that are to be decoded: checked, and their cost counted, before the network runs.
package struct LatentDecoder: Sendable {
    /// The model's autoencoder that the latents fit.
    package let autoencoder: SparseSDFAutoencoder
    private let decoder: SparseSDFDecoder
    private let latents: SparseTensor
    private let source: GridMetadata
    /// Between the network's values and distances.
    package let scale: DistanceScale

    /// - Throws: `badData` when the grid is not a latent of the model's width and resolution, is empty, lies outside its
    ///   cube, or holds a value that is not a number; `unavailable` without weights.
    package init(_ volume: borrowing SparseVolume, model: ModelDirectory) throws(Failure) {
        let metadata = volume.metadata
        let place = "grid \"\(metadata.name)\""
        guard metadata.kind == .latent else {
            throw .badData(place: place, "kind is \(metadata.kind.name)", expected: "latent")
        }
        guard volume.activeCount > 0 else {
            throw .badData(place: place, "no active voxels", expected: "at least one")
        }
        autoencoder = try SparseSDFAutoencoder.forLatents(of: metadata.resolution, place: place, in: model)
        let channels = autoencoder.config.embedDim
        guard metadata.channels == channels else {
            throw .badData(place: place, "\(metadata.channels) channels", expected: "\(channels), the model's latents")
        }
        guard autoencoder.config.outChannels == 1 else {
            throw .badData(
                file: model.path, place: autoencoder.component, "\(autoencoder.config.outChannels) output channels",
                expected: "1")
        }
        let coordinates = try CoordinateSet(volume, side: metadata.resolution)
        let features = Tensor(shape: [volume.activeCount, channels], storage: Storage(unpooled: volume.values.count))
        features.pointer.update(from: volume.values.pointer, count: volume.values.count)
        guard features.elements.allSatisfy(\.isFinite) else {
            throw .badData(place: place, "a value that is not a number", expected: "latents")
        }
        latents = SparseTensor(features: features, coordinates: coordinates)
        source = metadata
        scale = DistanceScale(autoencoder.config, voxelSize: metadata.voxelSize / 8)
        decoder = try autoencoder.decoder()
    }

    /// Ways to cut the grid, fewest pieces first.
    package var chunkings: [Int] { [1, 2, 4, 8, 16].filter { $0 == 1 || $0 * 4 <= autoencoder.config.resolution } }

    /// What decoding takes.
    package func cost(
        chunks: Int, keepsFeatures: Bool = false, threads: Int, precision: Precision
    ) -> NetworkCost {
        decoder.cost(latents.coordinates, chunks: chunks, keepsFeatures: keepsFeatures, threads: threads, precision)
    }

    /// The fewest pieces that keep within `bytes`, and their cost; the most pieces when none does.
    package func chunking(
        within bytes: Int, keepsFeatures: Bool = false, threads: Int, precision: Precision
    ) -> (chunks: Int, cost: NetworkCost) {
        var last = (chunks: 1, cost: NetworkCost())
        for chunks in chunkings {
            last = (chunks, cost(chunks: chunks, keepsFeatures: keepsFeatures, threads: threads, precision: precision))
            if last.cost.bytes <= bytes { break }
        }
        return last
    }

    /// The signed distances.
    package func decode(
        _ options: DecodeOptions, keepsFeatures: Bool = false
    ) throws(Failure) -> DecodedVolume {
        let compute = Compute(threads: options.threads, precision: options.precision)
        let pieces = SparseSDFDecoder.pieces(
            of: latents.coordinates, side: autoencoder.config.resolution, chunks: options.chunks)
        let blocks = decoder.transformer.blocks.count
        let steps = blocks + 6 * pieces.count
        let h = decoder.transform(latents, compute) { options.progress($0 + 1, steps) }
        // What the transformer worked in is not what the convolutions will ask for.
        latents.coordinates.forgetDerived()
        compute.pool.trim()
        let bricks = BrickOrder(latents.coordinates, threads: options.threads)
        let count = latents.count
        let values = Buffer<Float>(uninitialized: 512 * count)
        let width = decoder.featureChannels
        let features = Buffer<Float>(uninitialized: keepsFeatures ? 512 * count * width : 0)
        for (number, piece) in pieces.enumerated() {
            let part = try take(piece, of: h, compute)
            let decoded = decoder.children(of: part, keepsFeatures: keepsFeatures, compute) {
                options.progress(blocks + 6 * number + $0 + 1, steps)
            }
            place(decoded.values, of: piece, columns: 1, unit: Float(scale.unit), bricks, into: values.pointer)
            if let kept = decoded.features {
                place(kept, of: piece, columns: width, unit: 1, bricks, into: features.pointer)
            }
        }
        var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: 8 * source.resolution)
        metadata.indexToWorld = source.indexToWorld.refined(by: 8)
        metadata.worldToSource = source.worldToSource
        metadata.unit = source.unit
        metadata.sourceHash = source.sourceHash
        metadata.seed = source.seed
        scale.describe(&metadata)
        let masks = Buffer<UInt64>(uninitialized: 8 * count)
        masks.pointer.update(repeating: .max, count: 8 * count)
        let volume = SparseVolume(
            metadata: metadata, bricks: Buffer(bricks.coordinates), masks: masks, values: values)
        return DecodedVolume(volume: volume, features: features, scale: scale, featureChannels: width)
    }

    /// The tokens of a piece.
    private func take(
        _ piece: SparseSDFDecoder.Piece, of h: SparseTensor, _ compute: Compute
    ) throws(Failure) -> SparseTensor {
        guard piece.rows.count < h.count else { return h }
        let rows = Buffer(piece.rows.map { h.coordinates.rows.pointer[Int($0)] })
        return SparseTensor(
            features: compute.gather(h.features, RowMap(Buffer(piece.rows), targets: h.count)),
            coordinates: try CoordinateSet(rows))
    }

    /// Copies the children of a piece's own tokens to their bricks, times `unit`.
    private func place(
        _ x: Tensor, of piece: SparseSDFDecoder.Piece, columns: Int, unit: Float, _ bricks: BrickOrder,
        into target: UnsafeMutablePointer<Float>
    ) {
        let (source, destination) = (Unchecked(x.pointer), Unchecked(target))
        let nested = ChildOrder.nested
        parallelFor(piece.owned.count, threads: bricks.threads, grain: 64) { range in
            for index in range {
                let token = piece.owned[index]
                let from = source.value + token * 512 * columns
                let to = destination.value + Int(bricks.brickOfRow[Int(piece.rows[token])]) * 512 * columns
                for bit in 0..<512 {
                    let child = from + nested[bit] * columns
                    for column in 0..<columns { to[bit * columns + column] = child[column] * unit }
                }
            }
        }
        withExtendedLifetime(x) {}
    }
}

/// The bricks that the children of tokens make, in the order of volumes.
private struct BrickOrder: Sendable {
    let coordinates: [BrickCoordinate]
    /// Brick of each token.
    let brickOfRow: [Int32]
    let threads: Int

    init(_ tokens: CoordinateSet, threads: Int) {
        self.threads = threads
        let (order, _) = sortedGroups(of: tokens.count) { tokens.rows.pointer[$0] }
        var places = [Int32](repeating: 0, count: tokens.count)
        var coordinates: [BrickCoordinate] = []
        for (brick, row) in order.enumerated() {
            let c = tokens.rows.pointer[Int(row)]
            coordinates.append(BrickCoordinate(c.y, c.z, c.w))
            places[Int(row)] = Int32(brick)
        }
        self.coordinates = coordinates
        brickOfRow = places
    }
}

extension AffineTransform3 {
    /// The map of a grid of which every n-th voxel is one of this one's: the inverse of `coarsened`.
    package func refined(by n: Int) -> AffineTransform3 {
        composed(after: AffineTransform3(scale: 1 / Double(n), translation: .zero))
    }
}

extension SparseSDFDecoder {
    /// Channels of what the last layer reads.
    var featureChannels: Int { output.weight.value.columns }
}
