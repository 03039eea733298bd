import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// How near a generated shape is to the one pictured.
package struct GenerationScore: Sendable {
    /// Intersection over union of the insides at 64³ points.
    package var overlap = 0.0
    /// Mean distance of the surfaces from one another, both ways added, in the cube's units; infinite without a surface.
    package var distance = Double.infinity
    /// Whether no other held-out shape is as near.
    package var isIdentified = false
    /// Whether the surface is closed, oriented and manifold, and there is one.
    package var isClosed = false
}

/// What a model made of a picture of a shape.
package struct PictureScore: Sendable {
    /// The family of the shape, and its number.
    package var name = ""
    /// Intersection over union of the occupied cells; nil for a model without a dense stage.
    package var structure: Double?
    /// On the cells that the dense stage found.
    package var generated: GenerationScore?
    /// On the true cells: the sparse stage alone.
    package var onTruth: GenerationScore?
}

/// Measures generation from pictures of held-out shapes, by the way that `ssdf-generate` takes.
package final class GenerationEvaluation: Sendable {
    /// How stages are sampled where the model's own way is not wanted.
    package struct Sampling: Sendable {
        /// Passes of every stage; nil for the model's own number.
        package var steps: Int?
        /// Guidance scale of every stage; nil for the model's own.
        package var guidance: Double?
        /// What stages begin with; nil for the model's own way.
        package var start: SamplingStart?
        /// Of the noise.
        package var seed: UInt64 = 0

        /// The model's own way.
        package init() {}
    }

    /// A picture with what was made of it.
    package struct Example: Sendable {
        /// What the model was given.
        package var picture: RasterImage
        /// From where and how that shows the shape.
        package var view: ShapeView
        /// What it made of it.
        package var mesh: TriangleMesh
    }

    private let model: ModelDirectory
    private let dense: DenseStage?
    private let sparse: SparseStage
    private let stage: DiffusionStage
    private let pictureSide: Int
    private let sampling: Sampling
    private let shapes: ProceduralShapes
    private let threads: Int
    /// Voxels along the cube's side.
    package let resolution: Int

    /// Points along each axis of the overlap's lattice.
    private static var latticeSide: Int { 64 }
    /// Points of a surface whose distances are averaged.
    private static var surfacePoints: Int { 1000 }

    /// - Returns: nil for a model without a sparse stage or an image encoder.
    /// - Throws: `badData` when the model's parts do not fit each other.
    package init?(
        model: ModelDirectory, shapes: ProceduralShapes, sampling: Sampling, threads: Int
    ) throws(Failure) {
        let stages = DiffusionStage.all(in: model)
        guard let first = stages.first(where: { $0 != .dense }),
            case .imageEncoder(let encoder) = model.config[first.imageEncoder(in: model)]
        else { return nil }
        self.model = model
        self.shapes = shapes
        self.sampling = sampling
        self.threads = threads
        stage = first
        sparse = try SparseStage(first, model)
        dense = stages.contains(.dense) ? try DenseStage(model) : nil
        pictureSide = encoder.size
        resolution = 8 * sparse.side
    }

    private struct Made: Sendable {
        var score: PictureScore
        var truth: TriangleMesh
        var generated: TriangleMesh?
        var onTruth: TriangleMesh?
        var example: Example?
    }

    /// The scores of shapes 0 ..< count, and the first `examples` of what was made. They do not depend on the number of
    /// threads.
    package func run(
        count: Int, examples: Int, progress: ProgressHandler
    ) throws -> (scores: [PictureScore], examples: [Example]) {
        let done = Counter()
        let total = 2 * count
        let results = parallelMap(count, threads: threads) { index in
            Result<Made, any Error> {
                let made = try self.make(index, keepsExample: index < examples)
                progress(done.next(), total)
                return made
            }
        }
        var made = try results.map { try $0.get() }
        let surfaces = Surfaces(made.map(\.truth), points: Self.surfacePoints, threads: threads)
        let pieces = made
        let distances = parallelMap(count, threads: threads) { index in
            let lists = [pieces[index].generated, pieces[index].onTruth].map { mesh in
                mesh.map { surfaces.distances(from: $0) }
            }
            progress(done.next(), total)
            return lists
        }
        for index in 0..<count {
            func filled(_ score: GenerationScore?, _ list: [Double]?) -> GenerationScore? {
                guard var score, let list else { return score }
                score.distance = list[index]
                score.isIdentified =
                    list[index].isFinite && list.indices.allSatisfy { $0 == index || list[$0] > list[index] }
                return score
            }
            made[index].score.generated = filled(made[index].score.generated, distances[index][0])
            made[index].score.onTruth = filled(made[index].score.onTruth, distances[index][1])
        }
        return (made.map(\.score), made.compactMap(\.example))
    }

    private func options(_ stage: DiffusionStage) throws(Failure) -> SamplingOptions {
        guard case .scheduler(let scheduler) = model.config[stage.scheduler] else {
            throw Failure(.unavailable, file: model.path, "the model has no \(stage.scheduler)")
        }
        var options = SamplingOptions()
        options.plan = SamplingPlan(
            stage, scheduler, steps: sampling.steps, guidance: sampling.guidance, start: sampling.start,
            wantsNoise: false)
        options.seed = sampling.seed
        return options
    }

    private func make(_ index: Int, keepsExample: Bool) throws -> Made {
        let (family, shape) = shapes.shape(index, .heldOut)
        let band = BandSamples(shape, resolution: resolution)
        let recipe = PictureSet.Recipe(
            seed: shapes.seed, split: .heldOut, shapes: 1, views: 1, side: pictureSide, resolution: resolution)
        let picture = viewPicture(shape, cells: band.bricks, recipe: recipe, number: index)
        let inside = Lattice(shape, side: Self.latticeSide)
        let truth = Set(band.bricks.map { SIMD3($0.x, $0.y, $0.z) })
        var made = Made(score: PictureScore(), truth: try band.surface())
        made.score.name = "\(family.rawValue) \(index)"
        let image = try ImageTokens(picture, for: stage, in: model, threads: 1)
        func score(_ mesh: TriangleMesh) -> GenerationScore {
            var score = GenerationScore()
            score.overlap = inside.overlap(Lattice(mesh, side: Self.latticeSide))
            score.isClosed = mesh.triangleCount > 0 && MeshReport(mesh, threads: 1).isClosedOrientedManifold
            return score
        }
        if let dense {
            let own =
                DiffusionStage.dense.imageEncoder(in: model) == stage.imageEncoder(in: model)
                ? image : try ImageTokens(picture, for: .dense, in: model, threads: 1)
            let found = try dense.sampleIfAny(own, options(.dense))
            let cells = Set(found)
            made.score.structure = Double(cells.intersection(truth).count) / Double(max(cells.union(truth).count, 1))
            let mesh = found.isEmpty ? TriangleMesh(positions: [], triangles: []) : try surface(image, found)
            made.score.generated = score(mesh)
            made.generated = mesh
        }
        let mesh = try surface(image, band.bricks.map { SIMD3($0.x, $0.y, $0.z) })
        made.score.onTruth = score(mesh)
        made.onTruth = mesh
        if keepsExample {
            var large = recipe
            large.side = 224
            made.example = Example(
                picture: try conditionPicture(shape, cells: band.bricks, recipe: large, number: index).image,
                view: shapeView(large, number: index), mesh: made.generated ?? mesh)
        }
        return made
    }

    /// Latents in the cells, decoded, closed and extracted.
    private func surface(_ image: ImageTokens, _ cells: [SIMD3<Int32>]) throws -> TriangleMesh {
        let latents = try sparse.sample(image, cells: cells, options(stage))
        var volume = try LatentDecoder(latents, model: model).decode(DecodeOptions()).takeVolume()
        volume.close(threads: 1)
        return try extractSurface(volume, options: ExtractOptions(method: .mc, coordinates: .cube, threads: 1))
    }
}

extension DenseStage {
    /// As `sample`, but no cells where it finds none.
    fileprivate func sampleIfAny(
        _ image: ImageTokens, _ options: SamplingOptions
    ) throws(Failure) -> [SIMD3<Int32>] {
        do throws(Failure) {
            return try sample(image, options).cells
        } catch {
            // The one thing about a picture that sampling refuses.
            guard error.cause == .badData, error.message.contains("found no surface") else { throw error }
            return []
        }
    }
}

extension BandSamples {
    /// The zero level.
    fileprivate func surface() throws(Failure) -> TriangleMesh {
        try extractSurface(volume(), options: ExtractOptions(method: .mc, coordinates: .cube, threads: 1))
    }
}

/// Which points of a lattice in the cube are inside.
private struct Lattice {
    let isInside: [Bool]

    init(_ shape: Shape, side: Int) {
        let step = 2 / Float(side)
        let samples = ShapeSamples(side: side, origin: Vector3f(repeating: -1 + step / 2), step: step, shape)
        isInside = (0..<samples.count).map { samples.values.pointer[$0] < 0 }
    }

    /// By the winding numbers that lines along z cross.
    init(_ mesh: TriangleMesh, side: Int) {
        var inside = [Bool](repeating: false, count: side * side * side)
        if mesh.triangleCount > 0 {
            let tree = TriangleBVH(mesh, threads: 1)
            let step = 2 / Float(side)
            for column in 0..<side * side {
                let (x, y) = (-1 + step * (Float(column / side) + 0.5), -1 + step * (Float(column % side) + 0.5))
                let hits = tree.hits(Ray(origin: Vector3f(x, y, -2), direction: Vector3f(0, 0, 1)))
                var (winding, next) = (0, 0)
                for place in 0..<side where !hits.isEmpty {
                    let t = 1 + step * (Float(place) + 0.5)
                    while next < hits.count, hits[next].t < t {
                        winding += hits[next].enters ? 1 : -1
                        next += 1
                    }
                    inside[column * side + place] = winding > 0
                }
            }
        }
        isInside = inside
    }

    func overlap(_ other: Lattice) -> Double {
        var (both, either) = (0, 0)
        for (a, b) in zip(isInside, other.isInside) {
            if a && b { both += 1 }
            if a || b { either += 1 }
        }
        return either > 0 ? Double(both) / Double(either) : 1
    }
}

/// Surfaces that others are compared with.
private final class Surfaces: Sendable {
    private let trees: [TriangleBVH]
    private let points: [[Vector3f]]
    private let count: Int

    init(_ meshes: [TriangleMesh], points count: Int, threads: Int) {
        self.count = count
        trees = parallelMap(meshes.count, threads: threads) { TriangleBVH(meshes[$0], threads: 1) }
        points = parallelMap(meshes.count, threads: threads) { meshes[$0].surfacePoints(count) }
    }

    /// The mean distances of a surface from each, both ways added.
    func distances(from mesh: TriangleMesh) -> [Double] {
        guard mesh.triangleCount > 0 else { return [Double](repeating: .infinity, count: trees.count) }
        let tree = TriangleBVH(mesh, threads: 1)
        let own = mesh.surfacePoints(count)
        return zip(trees, points).map { other, others in
            Self.mean(own, to: other) + Self.mean(others, to: tree)
        }
    }

    private static func mean(_ points: [Vector3f], to tree: TriangleBVH) -> Double {
        var sum = 0.0
        for point in points {
            guard let place = tree.closestPoint(to: point) else { return .infinity }
            sum += Double(place.distanceSquared).squareRoot()
        }
        return points.isEmpty ? .infinity : sum / Double(points.count)
    }
}
