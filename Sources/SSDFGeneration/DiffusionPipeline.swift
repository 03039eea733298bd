import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// From a picture to latents, stage by stage (SPEC §14): the cells that hold the surface; latents in them at the first
/// resolution, 512; the mesh of these, refined, gives the cells at the next, 1024, and these their latents. One network
/// is in memory at a time.
package struct DiffusionPipeline: Sendable {
    /// How the pipeline is run.
    package struct Options: Sendable {
        /// How each stage of the model is integrated.
        package var plans: [DiffusionStage: SamplingPlan] = [:]
        /// Of the noise that stages start from.
        package var seed: UInt64 = 0
        /// To work on; the result does not depend on it.
        package var threads = 1
        /// Of the networks' products.
        package var precision = Precision.f32
        /// Whether decoded volumes are refined.
        package var refines = RefinementChoice.whereItFits
        /// Bytes that decoding between the stages may take.
        package var memory = physicalMemory() / 2

        /// The defaults; a stage without a plan takes the default plan.
        package init() {}
    }

    /// Whether decoded volumes are refined.
    package enum RefinementChoice: String, Sendable {
        case always
        case never
        /// Where the model has a refiner that can read what its decoder makes.
        case whereItFits = "fitting"
    }

    /// What the pipeline tells of itself as it runs.
    package protocol Observer {
        /// A handler that shows how far a part has come.
        func progress(_ part: String) -> ProgressHandler
        /// What a part is going to take, told before it starts.
        func foresees(_ part: String, _ cost: NetworkCost)
        /// A handler that is told, after a stage's first step, how many seconds are left of it.
        func expectation(_ stage: DiffusionStage) -> @Sendable (_ seconds: Double) -> Void
        /// A state to be kept, so that the run can be resumed from it.
        func keep(_ stage: DiffusionStage, _ state: SamplingState) throws(Failure)
        /// A stage's result.
        func finished(_ stage: DiffusionStage, _ result: borrowing SparseVolume) throws(Failure)
        /// Something that a person should know.
        func warn(_ message: String)
    }

    /// The model.
    package let model: ModelDirectory
    /// The hash of all its files, which is recorded in what is made.
    package let modelHash: String
    /// How it is run.
    package let options: Options
    /// The stages of the model, in order.
    package let stages: [DiffusionStage]

    /// - Throws: `unavailable` when the model's files cannot be read.
    package init(_ model: ModelDirectory, _ options: Options) throws(Failure) {
        self.model = model
        self.options = options
        stages = DiffusionStage.all(in: model)
        modelHash = try model.hash()
    }

    /// Runs the stages up to `last` and returns its result: a structure or latents.
    /// - Parameters:
    ///   - picture: with a matte.
    ///   - structure: a volume that stands for the cells of the first sparse stage that runs, which then is `last`.
    ///   - resumed: where an earlier run stood.
    /// - Throws: as the stages do, and what the observer throws.
    package func run(
        _ picture: RasterImage, through last: DiffusionStage, structure: [SIMD3<Int32>]? = nil,
        resumed: SamplingCheckpoint? = nil, observer: any Observer
    ) throws(Failure) -> SparseVolume {
        let first = resumed?.stage ?? (structure == nil ? stages.first ?? last : last)
        guard let from = stages.firstIndex(of: first), let to = stages.firstIndex(of: last), from <= to else {
            throw .badData(
                file: model.path, "no stage \(first.name)", expected: stages.map(\.name).joined(separator: ", "))
        }
        var cells = structure ?? []
        var tokens: (encoder: String, value: ImageTokens)?
        for (index, stage) in stages.enumerated() where (from...to).contains(index) {
            // Stages that share an encoder share what it saw.
            let encoder = stage.imageEncoder(in: model)
            if tokens?.encoder != encoder {
                try foresee(
                    "picture", ImageTokens.cost(for: stage, in: model, options.precision), observer)
                let value = try ImageTokens(
                    picture, for: stage, in: model, threads: options.threads, precision: options.precision)
                tokens = (encoder, value)
            }
            let image = tokens!.value
            let state = resumed?.stage == stage ? resumed?.state : nil
            var sampling = self.sampling(stage, observer.progress(stage == .dense ? "structure" : stage.name))
            sampling.expect = observer.expectation(stage)
            func keep(_ state: SamplingState) throws(Failure) { try observer.keep(stage, state) }
            var result: SparseVolume
            if stage == .dense {
                let dense = try DenseStage(model)
                try foresee("structure", dense.cost(context: image.count, sampling.plan, options.precision), observer)
                let (found, chances) = try dense.sample(image, sampling, resumed: state, finished: keep)
                if case .sparse? = stages.dropFirst(index + 1).first {
                    let next = stages[index + 1]
                    let side = try SparseStage(next, model).side
                    guard dense.side <= side else {
                        throw .badData(
                            file: model.path, place: stage.transformer, "\(dense.side) cells a side",
                            expected: "at most \(side), those of \(next.transformer)")
                    }
                }
                cells = found
                result = structureVolume(found, chances: chances, side: dense.side)
                result.metadata.seed = options.seed
            } else {
                let sparse = try SparseStage(stage, model)
                let places = state?.cells ?? cells
                try foresee(
                    "stage \(stage.name)",
                    try sparse.cost(cells: places, context: image.count, sampling.plan, options.precision), observer)
                result = try sparse.sample(image, cells: cells, sampling, resumed: state, finished: keep)
            }
            result.metadata.modelHash = modelHash
            try observer.finished(stage, result)
            if stage == last { return result }
            if stage != .dense {
                let surface = try mesh(result, observer: observer, part: "mesh at \(stage.name)")
                cells = try surface.normalized().structure(size: 8 * SparseStage(stages[index + 1], model).side)
            }
        }
        throw Failure(.internal, "no stage was run")
    }

    /// Tells what a part is going to take.
    /// - Throws: `unavailable` when that is more memory than there may be.
    private func foresee(_ part: String, _ cost: NetworkCost, _ observer: any Observer) throws(Failure) {
        observer.foresees(part, cost)
        guard cost.bytes <= options.memory else {
            throw Failure(
                .unavailable,
                "\(part) needs about \(byteText(cost.bytes)) of memory, expected at most \(byteText(options.memory))")
        }
    }

    private func sampling(_ stage: DiffusionStage, _ progress: @escaping ProgressHandler) -> SamplingOptions {
        var sampling = SamplingOptions()
        if let plan = options.plans[stage] { sampling.plan = plan }
        sampling.seed = options.seed
        sampling.threads = options.threads
        sampling.precision = options.precision
        sampling.progress = progress
        return sampling
    }

    /// Decodes latents, refined where the model has a refiner, and extracts their surface in the cube's coordinates.
    package func mesh(
        _ latents: borrowing SparseVolume, closes: Bool = true, observer: any Observer, part: String
    ) throws(Failure) -> TriangleMesh {
        let volume = try decoded(latents, closes: closes, observer: observer, part: part)
        return try extractSurface(volume, options: ExtractOptions(method: .mc, threads: options.threads))
    }

    /// As `ssdf-decode`, with `--refine` where the model has a refiner.
    /// - Parameter closes: whether a surface that leaves the cells is closed.
    package func decoded(
        _ latents: borrowing SparseVolume, closes: Bool = true, observer: any Observer, part: String
    ) throws(Failure) -> SparseVolume {
        let decoder = try LatentDecoder(latents, model: model)
        let refiner = try refiner(for: decoder.autoencoder, observer)
        let progress = observer.progress(part)
        var decoding = DecodeOptions()
        decoding.threads = options.threads
        decoding.precision = options.precision
        var cost: NetworkCost
        (decoding.chunks, cost) = decoder.chunking(
            within: options.memory, keepsFeatures: refiner?.needsFeatures ?? false, threads: options.threads,
            precision: options.precision)
        if let refiner {
            // It runs beside what was decoded, and the decoder is gone.
            let features = refiner.needsFeatures ? RefinerConfig.featureChannels : 0
            cost.bytes = max(
                cost.bytes, refiner.bytes(options.precision) + 4 * 512 * latents.activeCount * (1 + features))
        }
        try foresee(part, cost, observer)
        if refiner == nil { decoding.progress = progress }
        var decoded = try decoder.decode(decoding, keepsFeatures: refiner?.needsFeatures ?? false)
        if let refiner {
            try refiner.refine(
                &decoded, threads: options.threads, precision: options.precision, progress: progress)
        }
        var volume = decoded.takeVolume()
        if closes { volume.close(threads: options.threads) }
        volume.metadata.modelHash = modelHash
        return volume
    }

    /// The refiner to use, if any.
    private func refiner(
        for autoencoder: SparseSDFAutoencoder, _ observer: any Observer
    ) throws(Failure) -> RefinerPlan? {
        switch options.refines {
        case .never: return nil
        case .always: return try RefinerPlan(for: autoencoder, in: model)
        case .whereItFits:
            do throws(Failure) {
                return try RefinerPlan.find(for: autoencoder, in: model)
            } catch {
                observer.warn("\(error); nothing is refined")
                return nil
            }
        }
    }

    /// What two runs must share to go on to the same result.
    package func key(picture: String, last: DiffusionStage, structure: String) -> String {
        let plans = stages.map { "\($0.name): \(options.plans[$0].map { "\($0)" } ?? "")" }
        let parts: [String] =
            [
                modelHash, picture, structure, last.name, "\(options.seed)", options.precision.rawValue,
                options.refines.rawValue,
            ] + plans
        let text = Buffer(Array(parts.joined(separator: "\n").utf8))
        return contentHash(UnsafeRawBufferPointer(text.unsafeElements))
    }
}
