import SSDFCore
import SSDFTensor
import SSDFVolume

/// A model's refiner for volumes of one resolution.
///
/// The reference works on dense volumes and extracts from them. Here the result stays sparse: the decoded bricks, and
/// those others that a surface of the dense volume passes, so that the extracted mesh is the same.
package struct RefinerPlan: Sendable {
    private let config: RefinerConfig
    private let component: String
    private let model: ModelDirectory
    private let layout: PatchLayout
    /// Pieces along an axis that the reference decodes in: where they overlap it counts voxels twice (SPEC Q9).
    private let referenceChunks: Int

    /// - Throws: `unavailable` when the model has no refiner for the autoencoder's volumes; `badData` when its patches do
    ///   not fit them.
    package init(for autoencoder: SparseSDFAutoencoder, in model: ModelDirectory) throws(Failure) {
        let resolution = autoencoder.resolution
        var found: (name: String, config: RefinerConfig)?
        for component in model.config.components {
            guard case .refiner(let config) = component.config else { continue }
            let side = config.kind == .values ? config.resolution : 2 * config.resolution
            if side == resolution { found = (component.name, config) }
        }
        guard let found else {
            throw Failure(
                .unavailable, file: model.path, "the model has no refiner for volumes of \(resolution)")
        }
        (component, config) = found
        self.model = model
        referenceChunks = autoencoder.config.chunkSize
        do throws(Failure) {
            layout =
                config.kind == .values
                ? try .blended(side: config.resolution, patch: config.patchSize)
                : try .overwriting(side: config.resolution, patch: config.patchSize)
        } catch {
            throw Failure(error.cause, file: model.path, place: "\(component).params.patch_size", error.message)
        }
        guard config.kind == .sign || autoencoder.config.decoderChannels / 16 == RefinerConfig.featureChannels else {
            throw .badData(
                file: model.path, place: component,
                "a decoder with \(autoencoder.config.decoderChannels / 16) features",
                expected: "\(RefinerConfig.featureChannels), which the refiner reads")
        }
    }

    /// The refiner for an autoencoder's volumes, or nil when the model has none.
    /// - Throws: `badData` when its patches or the decoder's features do not fit.
    package static func find(
        for autoencoder: SparseSDFAutoencoder, in model: ModelDirectory
    ) throws(Failure) -> RefinerPlan? {
        let isThere = model.config.components.contains { component in
            guard case .refiner(let config) = component.config else { return false }
            return (config.kind == .values ? config.resolution : 2 * config.resolution) == autoencoder.resolution
        }
        return isThere ? try RefinerPlan(for: autoencoder, in: model) : nil
    }

    /// Whether the decoder's features are read.
    package var needsFeatures: Bool { config.kind == .values }

    /// Bytes that refining takes beside the decoded volume.
    package func bytes(_ precision: Precision) -> Int {
        let voxels = layout.patch * layout.patch * layout.patch
        let side = layout.side
        // On the way up at the finest level: skips, the two halves joined, their norm, its activation.
        // And the two halves once more where products round them.
        let rounded = precision.roundsRows ? 1 : 0
        let widest = 4 * voxels * (config.layersPerBlock + 1 + 6 + rounded) * config.blockChannels[0]
        let filters = config.kind == .values ? 4 * voxels * (27 + 4 * RefinerConfig.bodyChannels) : 0
        let dense = config.kind == .values ? 4 * side * side * side : side * side * side
        return max(widest, filters) + dense + 4 * config.expectedTensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
    }

    /// Replaces a decoded volume's values, or the signs of the empty space around it.
    /// - Throws: `unavailable` or `badData` when the weights cannot be read.
    package func refine(
        _ decoded: inout DecodedVolume, threads: Int, precision: Precision, progress: ProgressHandler
    ) throws(Failure) {
        let weights = try model.open(component)
        guard case .refiner(let adapted) = weights.config else {
            throw Failure(.internal, file: model.path, "\(component) is not a refiner")
        }
        let source = ParameterSource(weights)
        let compute = Compute(threads: threads, precision: precision)
        switch config.kind {
        case .values:
            try refineValues(
                &decoded, try ValueRefiner(source, adapted), compute, progress: progress)
        case .sign:
            refineSigns(&decoded, try SignRefiner(source, adapted), compute, progress: progress)
        }
    }

    // MARK: Values

    private func refineValues(
        _ decoded: inout DecodedVolume, _ network: ValueRefiner, _ compute: Compute, progress: ProgressHandler
    ) throws(Failure) {
        let raw = decoded.takeFeatures()
        precondition(raw.count > 0, "values are refined with features")
        let rows = decoded.volume.activeCount
        let body = RefinerConfig.bodyChannels
        // What the network reads of the features, once a voxel, and of voxels that have none.
        let features = compute.empty([rows, body])
        let batch = 1 << 18
        for start in stride(from: 0, to: rows, by: batch) {
            let count = min(batch, rows - start)
            let part = compute.empty([count, RefinerConfig.featureChannels])
            part.pointer.update(from: raw.pointer + start * part.columns, count: part.count)
            let result = network.features(part, compute)
            (features.pointer + start * body).update(from: result.pointer, count: result.count)
        }
        let none = network.features(compute.zeros([1, RefinerConfig.featureChannels]), compute)
        let side = layout.side
        let dense = Buffer<Float>(zeros: side * side * side)
        let unit = Float(decoded.scale.unit)
        for number in 0..<layout.count {
            let origin = layout.origin(of: number)
            let (distances, around) = patch(decoded.volume, features, none, at: origin, unit: unit, compute)
            let refined = network(distances: distances, features: around, compute)
            layout.blend(refined.pointer, of: number, into: dense.pointer, threads: compute.backend.threads)
            withExtendedLifetime(refined) {}
            progress(number + 1, layout.count)
        }
        // The pipeline extracts refined volumes at twice the level.
        decoded.volume.metadata.isoValue = 2 * decoded.scale.iso * decoded.scale.unit
        let iso = Float(2 * decoded.scale.iso)
        let values = Unchecked(dense.pointer)
        decoded.replaceVolume(side: side / 8, iso: iso, threads: compute.backend.threads) { brick, target in
            for bit in 0..<512 {
                let voxel = brick.voxel(atBit: bit)
                target[bit] = values.value[(Int(voxel.x) * side + Int(voxel.y)) * side + Int(voxel.z)]
            }
        }
        withExtendedLifetime(dense.count) {}
    }

    /// A patch of distances and features.
    private func patch(
        _ volume: borrowing SparseVolume, _ features: Tensor, _ none: Tensor, at origin: (x: Int, y: Int, z: Int),
        unit: Float, _ compute: Compute
    ) -> (distances: Tensor, features: Tensor) {
        let (size, body) = (layout.patch, RefinerConfig.bodyChannels)
        let distances = compute.empty([1, size, size, size, 1])
        let around = compute.empty([1, size, size, size, body])
        distances.pointer.update(repeating: 1, count: distances.count)
        for voxel in 0..<size * size * size {
            (around.pointer + voxel * body).update(from: none.pointer, count: body)
        }
        volume.forEachBrick(from: origin, size: size) { brick, first in
            for bit in 0..<512 {
                guard let row = volume.row(brick: brick, bit: bit) else { continue }
                guard let place = place(first, bit, size) else { continue }
                distances.pointer[place] = volume.values.pointer[row] / unit
                (around.pointer + place * body).update(from: features.pointer + row * body, count: body)
            }
        }
        return (distances, around)
    }

    // MARK: Signs

    private func refineSigns(
        _ decoded: inout DecodedVolume, _ network: SignRefiner, _ compute: Compute, progress: ProgressHandler
    ) {
        let (side, size) = (layout.side, layout.patch)
        let unit = Float(decoded.scale.unit)
        let half = decoded.volume.halved(unit: unit, overlapping: referenceChunks)
        let outside = Buffer<Bool>(uninitialized: side * side * side)
        outside.pointer.update(repeating: true, count: side * side * side)
        for number in 0..<layout.count {
            let origin = layout.origin(of: number)
            let distances = compute.empty([1, size, size, size, 1])
            distances.pointer.update(repeating: 1, count: distances.count)
            half.forEachBrick(from: origin, size: size) { brick, first in
                for bit in 0..<512 {
                    guard let row = half.row(brick: brick, bit: bit), let place = place(first, bit, size) else {
                        continue
                    }
                    distances.pointer[place] = half.values.pointer[row]
                }
            }
            let logits = network(distances, compute)
            for x in 0..<size {
                for y in 0..<size {
                    let target = outside.pointer + ((origin.x + x) * side + origin.y + y) * side + origin.z
                    let source = logits.pointer + (x * size + y) * size
                    for z in 0..<size { target[z] = source[z] >= 0 }
                }
            }
            withExtendedLifetime(logits) {}
            progress(number + 1, layout.count)
        }
        let signs = Unchecked(outside.pointer)
        // Only where nothing was decoded does the sign count.
        decoded.replaceVolume(
            side: side / 4, iso: Float(decoded.scale.iso), threads: compute.backend.threads, keepsDecoded: true
        ) { brick, target in
            for bit in 0..<512 {
                let v = brick.voxel(atBit: bit)
                let place = (Int(v.x) / 2 * side + Int(v.y) / 2) * side + Int(v.z) / 2
                target[bit] = signs.value[place] ? 1 : -1
            }
        }
        withExtendedLifetime(outside.count) {}
    }

    /// Place of a brick's voxel in a patch, or nil outside it.
    @inline(__always)
    private func place(_ first: (x: Int, y: Int, z: Int), _ bit: Int, _ size: Int) -> Int? {
        let (x, y, z) = (first.x + (bit >> 6), first.y + (bit >> 3 & 7), first.z + (bit & 7))
        guard x >= 0, y >= 0, z >= 0, x < size, y < size, z < size else { return nil }
        return (x * size + y) * size + z
    }
}
