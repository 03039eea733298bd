import SSDFCore
import SSDFTensor
import SSDFVolume

/// A sparse stage: from a picture and the cells that hold the surface to the latents in them.
package struct SparseStage: Sendable {
    /// Which of the model's stages.
    package let stage: DiffusionStage
    private let model: ModelDirectory
    private let transformer: SparseDiTConfig
    private let autoencoder: SparseSDFVAEConfig

    /// Cells along a side.
    package var side: Int { transformer.resolution }

    /// - Throws: `unavailable` when the model has no such stage; `badData` when its parts do not fit each other.
    package init(_ stage: DiffusionStage, _ model: ModelDirectory) throws(Failure) {
        guard case .sparseDiT(let transformer) = model.config[stage.transformer],
            case .sparseVAE(let autoencoder) = model.config[stage.autoencoder]
        else { throw Failure(.unavailable, file: model.path, "the model has no stage \(stage.name)") }
        guard transformer.outChannels == autoencoder.embedDim, transformer.inChannels == autoencoder.embedDim else {
            throw .badData(
                file: model.path, place: stage.transformer, "\(transformer.outChannels) channels",
                expected: "\(autoencoder.embedDim), those of \(stage.autoencoder)")
        }
        guard transformer.resolution == autoencoder.resolution else {
            throw .badData(
                file: model.path, place: stage.transformer, "resolution is \(transformer.resolution)",
                expected: "\(autoencoder.resolution), that of \(stage.autoencoder)")
        }
        self.stage = stage
        self.model = model
        self.transformer = transformer
        self.autoencoder = autoencoder
    }

    /// What the stage takes on some cells with `context` image tokens: all its steps' operations, and its memory.
    /// - Throws: `badData` when there are no cells.
    package func cost(
        cells: [SIMD3<Int32>], context: Int, _ plan: SamplingPlan, _ precision: Precision
    ) throws(Failure) -> NetworkCost {
        let coordinates = try CoordinateSet(Buffer(cells.map { SIMD4(0, $0.x, $0.y, $0.z) }))
        let isBatched = plan.guidance > 0 && SamplingPass.shareABatch(tokens: coordinates.count)
        let counted = isBatched ? try coordinates.followed(by: coordinates) : coordinates
        return transformer.cost(counted, context: context, precision)
            .repeated(plan.steps * (plan.guidance > 0 && !isBatched ? 2 : 1))
    }

    /// Samples latents for the autoencoder's decoder.
    /// - Parameters:
    ///   - cells: in any order.
    ///   - resumed: where an earlier run stood; its cells count, not `cells`.
    ///   - finished: sees the state after every step.
    /// - Throws: `badData` when the condition does not fit; `unavailable` without weights.
    package func sample(
        _ image: ImageTokens, cells: [SIMD3<Int32>], _ options: SamplingOptions, resumed: SamplingState? = nil,
        finished: (SamplingState) throws(Failure) -> Void = { _ in }
    ) throws(Failure) -> SparseVolume {
        guard image.channels == transformer.condChannels else {
            throw .badData(
                file: model.path, place: "\(stage.transformer).params.cond_channels", "\(transformer.condChannels)",
                expected: "\(image.channels), the image encoder's width")
        }
        let given = resumed?.cells ?? cells
        guard !given.isEmpty else { throw .badData("a structure without cells", expected: "at least one") }
        let range = 0..<Int32(side)
        guard given.allSatisfy({ range.contains($0.x) && range.contains($0.y) && range.contains($0.z) }) else {
            throw .badData("a cell outside the grid", expected: "0 to \(side - 1) on each axis")
        }
        let unsorted = try CoordinateSet(Buffer(given.map { SIMD4(0, $0.x, $0.y, $0.z) }))
        let coordinates = try unsorted.blockOrder(size: 8).coordinates
        let sorted = coordinates.rows.array.map { SIMD3($0.y, $0.z, $0.w) }
        let compute = Compute(threads: options.threads, precision: options.precision)
        let schedule = try model.schedule(of: stage, steps: options.plan.steps)
        let shape = [coordinates.count, transformer.inChannels]
        try resumed?.check(shape, steps: options.plan.steps)
        let start = resumed.map { Tensor($0.x, shape: shape) } ?? Sampler.start(shape, of: stage, options)
        let network = try SparseDiffusionTransformer(
            ParameterSource(try model.open(stage.transformer)), .init(transformer))
        let with = try image.condition(isSparse: transformer.sparseConditions, compute)
        let conditions = [with, with.emptied(compute)]
        let isBatched = options.plan.guidance > 0 && SamplingPass.shareABatch(tokens: coordinates.count)
        let pair = isBatched ? try conditions[0].followed(by: conditions[1], compute) : nil
        let twice = isBatched ? try coordinates.followed(by: coordinates) : coordinates
        let latents = try Sampler(schedule: schedule, options: options, compute: compute).run(
            from: start, after: resumed?.step ?? 0,
            finished: { (steps, x) throws(Failure) in
                try finished(SamplingState(step: steps, x: x.array, shape: shape, cells: sorted))
            },
            velocity: { (x, t, passes) throws(Failure) in
                if passes.count == 2, let pair {
                    let both = SparseTensor(features: compute.stack([x, x]), coordinates: twice)
                    let v = try network(both, t: [t, t], pair, compute).features
                    return [compute.rows(v, 0..<x.rows), compute.rows(v, x.rows..<2 * x.rows)]
                }
                var results: [Tensor] = []
                for (_, condition) in zip(passes, conditions) {
                    let latents = SparseTensor(features: x, coordinates: coordinates)
                    results.append(try network(latents, t: [t], condition, compute).features)
                }
                return results
            })
        let scaled = compute.affine(
            latents, scale: Float(1 / autoencoder.latentsScale), shift: Float(autoencoder.latentsShift))
        var metadata = GridMetadata(
            name: "latent", kind: .latent, channels: autoencoder.embedDim, resolution: transformer.resolution)
        metadata.seed = options.seed
        return SparseVolume(metadata: metadata, SparseTensor(features: scaled, coordinates: coordinates))
    }
}

extension CoordinateSet {
    /// The items of another set after those of this one.
    func followed(by other: CoordinateSet) throws(Failure) -> CoordinateSet {
        let shift = SIMD4<Int32>(Int32(layout.count), 0, 0, 0)
        return try CoordinateSet(Buffer(rows.array + other.rows.array.map { $0 &+ shift }))
    }
}

extension SparseDiffusionTransformer.Condition {
    /// The items of another condition of the same kind after those of this one.
    fileprivate func followed(by other: Self, _ compute: Compute) throws(Failure) -> Self {
        switch (self, other) {
        case (.dense(let own), .dense(let others)): .dense(compute.stack([own, others]))
        case (.sparse(let own), .sparse(let others)):
            .sparse(
                SparseTensor(
                    features: compute.stack([own.features, others.features]),
                    coordinates: try own.coordinates.followed(by: others.coordinates)))
        default: throw Failure(.internal, "conditions of two kinds")
        }
    }
}

extension SparseDiffusionTransformer.Options {
    /// The options that a configuration states.
    package init(_ config: SparseDiTConfig) {
        var attention = SpatialSparseAttention.Options(
            channels: config.modelChannels, queryHeads: config.numHeads, keyHeads: config.numKVHeads,
            headDimension: config.headChannels)
        attention.compressionSize = config.compressionBlockSize
        attention.selectionSize = config.selectionBlockSize
        attention.best = config.topk
        attention.windowSize = config.windowSize
        attention.compression = config.compressionVersion == .v1 ? .pooled : .residual
        self.init(
            inputs: config.inChannels, outputs: config.outChannels, contextChannels: config.condChannels,
            blocks: config.numBlocks, attention: attention)
        ratio = config.mlpRatio
        positionFactor = Float(config.factor)
        alternatesShift = config.useShift
        sharesModulation = config.shareMod
        normalizesCrossHeads = config.qkRMSNormCross
        hasSparseConditions = config.sparseConditions
    }
}
