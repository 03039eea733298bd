import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// From a picture to latents, stage by stage (SPEC §14): the cells that hold the surface; latents in them at 512; the
/// mesh of these, refined, gives the cells at 1024, and these their latents. One network is in memory at a time.
package struct DiffusionPipeline: Sendable {
    package struct Options: Sendable {
        /// Steps and guidance of each stage, in the order of `DiffusionStage`.
        package var steps = DiffusionStage.allCases.map(\.defaultSteps)
        package var guidance = DiffusionStage.allCases.map { _ in DiffusionStage.defaultGuidance }
        package var seed: UInt64 = 0
        package var threads = 1
        package var precision = Precision.f32
        /// Whether decoded volumes are refined where the model has a refiner for them.
        package var refines = true
        /// Bytes that decoding between the stages may take.
        package var memory = physicalMemory() / 2

        package init() {}
    }

    /// What the pipeline tells of itself as it runs.
    package protocol Observer {
        /// A handler that shows how far a part has come.
        func progress(_ part: String) -> ProgressHandler
        /// A handler that is told, after a stage's first step, how many seconds are left of it.
        func expectation(_ stage: DiffusionStage) -> @Sendable (_ seconds: Double) -> Void
        /// A state to be kept, so that the run can be resumed from it.
        func keep(_ stage: DiffusionStage, _ state: SamplingState) throws(Failure)
        /// A stage's result.
        func finished(_ stage: DiffusionStage, _ result: borrowing SparseVolume) throws(Failure)
    }

    package let model: ModelDirectory
    package let modelHash: String
    package let options: Options

    /// - Throws: `unavailable` when the model's files cannot be read.
    package init(_ model: ModelDirectory, _ options: Options) throws(Failure) {
        self.model = model
        self.options = options
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
        let first = resumed?.stage ?? (structure == nil ? .dense : last)
        var cells = structure ?? []
        var tokens: ImageTokens?
        for stage in DiffusionStage.allCases where stage.order >= first.order && stage.order <= last.order {
            if tokens == nil || stage == .sparse512 {
                tokens = try ImageTokens(
                    picture, for: stage, in: model, threads: options.threads, precision: options.precision)
            }
            let state = resumed?.stage == stage ? resumed?.state : nil
            var sampling = self.sampling(stage, observer.progress(stage == .dense ? "structure" : stage.rawValue))
            sampling.expect = observer.expectation(stage)
            func keep(_ state: SamplingState) throws(Failure) { try observer.keep(stage, state) }
            var result: SparseVolume
            if stage == .dense {
                let dense = try DenseStage(model)
                let (found, chances) = try dense.sample(tokens!, sampling, resumed: state, finished: keep)
                cells = found
                result = structureVolume(found, chances: chances, side: dense.side)
                result.metadata.seed = options.seed
            } else {
                result = try SparseStage(stage, model).sample(
                    tokens!, cells: cells, sampling, resumed: state, finished: keep)
            }
            result.metadata.modelHash = modelHash
            try observer.finished(stage, result)
            if stage == last { return result }
            if stage == .sparse512 {
                cells = try mesh(result, progress: observer.progress("mesh at 512")).normalized()
                    .structure(size: 8 * SparseStage(.sparse1024, model).side)
            }
        }
        throw Failure(.internal, "no stage was run")
    }

    private func sampling(_ stage: DiffusionStage, _ progress: @escaping ProgressHandler) -> SamplingOptions {
        var sampling = SamplingOptions()
        sampling.steps = options.steps[stage.order]
        sampling.guidance = options.guidance[stage.order]
        sampling.seed = options.seed
        sampling.threads = options.threads
        sampling.precision = options.precision
        sampling.progress = progress
        return sampling
    }

    /// Decodes latents, refined where the model has a refiner, and extracts their surface in the cube's coordinates.
    package func mesh(
        _ latents: borrowing SparseVolume, progress: @escaping ProgressHandler
    ) throws(Failure) -> TriangleMesh {
        let volume = try decoded(latents, progress: progress)
        return try extractSurface(volume, options: ExtractOptions(method: .mc, threads: options.threads))
    }

    /// As `ssdf-decode`, with `--refine` where the model has a refiner.
    package func decoded(
        _ latents: borrowing SparseVolume, progress: @escaping ProgressHandler
    ) throws(Failure) -> SparseVolume {
        let decoder = try LatentDecoder(latents, model: model)
        let refiner = options.refines ? try RefinerPlan.find(for: decoder.autoencoder, in: model) : nil
        var decoding = DecodeOptions()
        decoding.threads = options.threads
        decoding.precision = options.precision
        decoding.chunks =
            decoder.chunking(
                within: options.memory, keepsFeatures: refiner?.needsFeatures ?? false, threads: options.threads
            ).chunks
        if refiner == nil { decoding.progress = progress }
        var decoded = try decoder.decode(decoding, keepsFeatures: refiner?.needsFeatures ?? false)
        if let refiner {
            try refiner.refine(
                &decoded, threads: options.threads, precision: options.precision, progress: progress)
        }
        var volume = decoded.takeVolume()
        volume.metadata.modelHash = modelHash
        return volume
    }

    /// What two runs must share to go on to the same result.
    package func key(picture: String, last: DiffusionStage, structure: String) -> String {
        let parts: [String] = [
            modelHash, picture, structure, last.rawValue, "\(options.steps)", "\(options.guidance)", "\(options.seed)",
            options.precision.rawValue,
        ]
        let text = Buffer(Array(parts.joined(separator: "\n").utf8))
        return contentHash(UnsafeRawBufferPointer(text.unsafeElements))
    }
}

extension DiffusionStage {
    /// Place among the stages.
    package var order: Int { Self.allCases.firstIndex(of: self)! }
}
