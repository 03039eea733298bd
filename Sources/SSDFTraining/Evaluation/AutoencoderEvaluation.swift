import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// How well a shape survives encoding and decoding.
package struct RoundTripScore: Sendable {
    /// Harmonic mean of the shares of either surface that lie within one voxel of the other.
    package var fScore = 0.0
    /// The same within half a voxel.
    package var fScoreAtHalf = 0.0
    /// Intersection over union of the insides, over the voxels of the bricks with a surface.
    package var overlap = 0.0
    /// Mean difference of the distances at the input's voxels, in voxels.
    package var error = 0.0
    /// Voxels beside the input's on the wrong side.
    package var wrongSigns = 0
    package var tokens = 0
    /// Whether the decoded surface is closed, oriented and manifold.
    package var isClosed = false
}

/// Measures an auto-encoder: encode at the latents' means, decode, extract, compare.
package final class AutoencoderEvaluation {
    private let network: AutoencoderNetwork
    private let isoValue: Double
    package let resolution: Int
    private let threads: Int

    /// - Throws: `unavailable` when the model has no sparse auto-encoder.
    package init(model: ModelDirectory, threads: Int) throws(Failure) {
        var found: (String, SparseSDFVAEConfig)?
        for component in model.config.components {
            if case .sparseVAE(let config) = component.config, found == nil { found = (component.name, config) }
        }
        guard let (name, config) = found else {
            throw Failure(.unavailable, file: model.path, "the model has no sparse auto-encoder")
        }
        let weights = try model.open(name)
        var tensors: [String: Tensor] = [:]
        for entry in weights.file.entries {
            let values = try weights.file.floats(of: entry)
            tensors[entry.name] = Tensor(values.array, shape: entry.shape)
        }
        network = try AutoencoderNetwork(config, ParameterSource(tensors: tensors))
        isoValue = config.isoValue
        resolution = 8 * config.resolution
        self.threads = threads
    }

    /// The scores of many bands, on all threads; they do not depend on how many there are.
    package func scores(
        _ count: Int, name: @Sendable (Int) -> String, band: @Sendable (Int) -> BandSamples,
        finished: ProgressHandler
    ) throws -> [(name: String, score: RoundTripScore)] {
        let shared = Unchecked(self)
        let done = Counter()
        let results = parallelMap(count, threads: threads) { index in
            Result<(name: String, score: RoundTripScore), any Error> {
                let score = try shared.value.score(band(index), threads: 1)
                finished(done.next(), count)
                return (name(index), score)
            }
        }
        return try results.map { try $0.get() }
    }

    /// The score of one band.
    package func score(_ band: borrowing BandSamples, threads: Int) throws -> RoundTripScore {
        let compute = Compute(threads: threads)
        let sample = try AutoencoderSample(band)
        let values = network.roundTrip(sample, compute)
        var score = RoundTripScore()
        score.tokens = sample.brickCount
        let iso = Float(isoValue)
        let (bits, found, targets) = (AutoencoderSample.bitOfChild, values.pointer, sample.target.pointer)
        let truth = Buffer<Float>(uninitialized: 512 * band.bricks.count)
        let decoded = Buffer<Float>(uninitialized: 512 * band.bricks.count)
        var (both, either, active, error) = (0, 0, 0, 0.0)
        for brick in 0..<band.bricks.count {
            for child in 0..<512 {
                let from = 512 * brick + child
                let to = 512 * brick + bits[child]
                let (x, t) = (found[from] - iso, targets[from])
                decoded.pointer[to] = x
                truth.pointer[to] = t
                if x < 0 || t < 0 { either += 1 }
                if x < 0 && t < 0 { both += 1 }
                if abs(t) < 1 {
                    active += 1
                    error += Double(abs(x - t))
                } else if (x < 0) != (t < 0) {
                    score.wrongSigns += 1
                }
            }
        }
        score.overlap = either > 0 ? Double(both) / Double(either) : 1
        score.error = error / Double(max(active, 1)) * Double(BandSamples.halfWidth)
        let original = try surface(band.bricks, truth, threads)
        let result = try surface(band.bricks, decoded, threads)
        score.isClosed = MeshReport(result, threads: threads).isClosedOrientedManifold
        let voxel = 2 / Float(resolution)
        let (forward, backward) = (
            SurfaceShares(of: result, near: original, voxel: voxel, threads: threads),
            SurfaceShares(of: original, near: result, voxel: voxel, threads: threads)
        )
        func harmonic(_ a: Double, _ b: Double) -> Double { a + b > 0 ? 2 * a * b / (a + b) : 0 }
        score.fScore = harmonic(forward.one, backward.one)
        score.fScoreAtHalf = harmonic(forward.half, backward.half)
        return score
    }

    private func surface(
        _ bricks: [BrickCoordinate], _ values: borrowing Buffer<Float>, _ threads: Int
    ) throws(Failure) -> TriangleMesh {
        let metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: resolution)
        let masks = Buffer<UInt64>(uninitialized: 8 * bricks.count)
        masks.pointer.update(repeating: .max, count: masks.count)
        let copy = Buffer<Float>(uninitialized: values.count)
        copy.pointer.update(from: values.pointer, count: values.count)
        let volume = SparseVolume(metadata: metadata, bricks: Buffer(bricks), masks: masks, values: copy)
        return try extractSurface(volume, options: ExtractOptions(method: .mc, coordinates: .cube, threads: threads))
    }
}

/// The shares of a surface that lie near another.
private struct SurfaceShares {
    /// Within one voxel, and within half of one.
    var one = 0.0, half = 0.0

    /// Measured at about 20,000 points, even over the area.
    init(of mesh: TriangleMesh, near other: TriangleMesh, voxel: Float, threads: Int) {
        guard mesh.triangleCount > 0, other.triangleCount > 0 else { return }
        let points = mesh.surfacePoints(20_000)
        let tree = TriangleBVH(other, threads: threads)
        var (near, veryNear) = (0, 0)
        for point in points {
            guard let place = tree.closestPoint(to: point, within: voxel) else { continue }
            near += 1
            if place.distanceSquared <= voxel * voxel / 4 { veryNear += 1 }
        }
        one = Double(near) / Double(max(points.count, 1))
        half = Double(veryNear) / Double(max(points.count, 1))
    }
}
