import SSDFCore
import SSDFTensor

/// The first stage: from a picture to the cells that hold the surface.
///
/// The transformer's result is a latent that a dense autoencoder decodes to the logits of cells; or, in a model without
/// one, the grid of cells itself, 1 where a cell holds the surface and −1 elsewhere.
package struct DenseStage: Sendable {
    private let model: ModelDirectory
    private let transformer: DenseDiTConfig
    /// Nil where the transformer's result is the grid.
    private let autoencoder: DenseShapeVAEConfig?
    /// A cell belongs to the structure when its chance is at least this.
    package let threshold: Float

    /// Cells along a side of the result.
    package let side: Int

    /// - Throws: `unavailable` when the model has no dense stage; `badData` when its parts do not fit each other.
    package init(_ model: ModelDirectory) throws(Failure) {
        let stage = DiffusionStage.dense
        guard case .denseDiT(let transformer) = model.config[stage.transformer] else {
            throw Failure(.unavailable, file: model.path, "the model has no dense stage")
        }
        self.model = model
        self.transformer = transformer
        let channels: Int
        if case .denseVAE(let autoencoder) = model.config[stage.autoencoder] {
            self.autoencoder = autoencoder
            channels = autoencoder.embedDim
            side = transformer.resolution << (autoencoder.decoderChannels.count - 1)
            threshold = Float(transformer.structureThreshold ?? 0.1)
        } else {
            autoencoder = nil
            channels = 1
            side = transformer.resolution
            threshold = Float(transformer.structureThreshold ?? 0.5)
        }
        guard transformer.outChannels == channels, transformer.inChannels == channels else {
            throw .badData(
                file: model.path, place: "dense_dit", "\(transformer.outChannels) channels",
                expected: autoencoder == nil
                    ? "1, a grid of cells, in a model without dense_vae" : "\(channels), those of dense_vae")
        }
    }

    /// What the stage takes with `context` image tokens: all its steps' operations, and its memory.
    package func cost(context: Int, _ plan: SamplingPlan, _ precision: Precision) -> NetworkCost {
        let isBatched = plan.guidance > 0 && SamplingPass.shareABatch(tokens: transformer.tokenCount)
        var cost = transformer.cost(items: isBatched ? 2 : 1, context: context, precision)
            .repeated(plan.steps * (plan.guidance > 0 && !isBatched ? 2 : 1))
        guard let autoencoder else { return cost }
        // The transformer is gone when the decoder runs.
        let decoding = autoencoder.cost(side: transformer.resolution, precision)
        cost.operations += decoding.operations
        cost.performed += decoding.performed
        cost.bytes = max(cost.bytes, decoding.bytes)
        return cost
    }

    /// Samples a structure: the cells, ascending by x, y, z, and their chances.
    /// - Parameters:
    ///   - resumed: where an earlier run stood.
    ///   - finished: sees the state after every step.
    /// - Throws: `badData` when the condition does not fit or no cell is left; `unavailable` without weights.
    package func sample(
        _ image: ImageTokens, _ options: SamplingOptions, resumed: SamplingState? = nil,
        finished: (SamplingState) throws(Failure) -> Void = { _ in }
    ) throws(Failure) -> (cells: [SIMD3<Int32>], chances: [Float]) {
        guard image.channels == transformer.condChannels else {
            throw .badData(
                file: model.path, place: "dense_dit.params.cond_channels", "\(transformer.condChannels)",
                expected: "\(image.channels), the image encoder's width")
        }
        let compute = Compute(threads: options.threads, precision: options.precision)
        let schedule = try model.schedule(of: .dense, steps: options.plan.steps)
        let r = transformer.resolution
        let shape = [1, transformer.inChannels, r, r, r]
        try resumed?.check(shape, steps: options.plan.steps)
        let start = resumed.map { Tensor($0.x, shape: shape) } ?? Sampler.start(shape, of: .dense, options)
        var latents = start
        do {
            let network = try DenseDiffusionTransformer(
                ParameterSource(try model.open(DiffusionStage.dense.transformer)), transformer)
            let conditions = [image.tokens, compute.zeros(image.tokens.shape)]
            let both = compute.stack(conditions)
            latents = try Sampler(schedule: schedule, options: options, compute: compute).run(
                from: start, after: resumed?.step ?? 0,
                finished: { (steps, x) throws(Failure) in
                    try finished(SamplingState(step: steps, x: x.array, shape: shape, cells: []))
                },
                velocity: { (x, t, passes) throws(Failure) in
                    guard passes.count == 2, SamplingPass.shareABatch(tokens: transformer.tokenCount) else {
                        return zip(passes, conditions).map { network(x, t: [t], condition: $1, compute) }
                    }
                    let v = network(compute.stack([x, x]), t: [t, t], condition: both, compute)
                    return [compute.rows(v, 0..<1), compute.rows(v, 1..<2)]
                })
        }
        return try cells(of: try chances(of: latents, compute))
    }

    /// `[side³]`: the chance of every cell, x outermost.
    private func chances(of latents: Tensor, _ compute: Compute) throws(Failure) -> Tensor {
        guard let autoencoder else {
            let chances = compute.affine(latents, scale: 0.5, shift: 0.5)
            for place in 0..<chances.count { chances.pointer[place] = min(max(chances.pointer[place], 0), 1) }
            return chances
        }
        let decoder = try DenseShapeNetwork(
            ParameterSource(try model.open(DiffusionStage.dense.autoencoder)).scoped("decoder"), .decoder,
            inputs: autoencoder.embedDim, outputs: autoencoder.outChannels, widths: autoencoder.decoderChannels,
            blocks: autoencoder.decoderResBlocks, middleBlocks: autoencoder.decoderMiddleBlocks)
        let input = compute.affine(
            latents, scale: Float(1 / autoencoder.latentsScale), shift: Float(autoencoder.latentsShift))
        return compute.apply(.sigmoid, decoder(compute.channelsLast(input), compute))
    }

    /// The cells whose chance reaches the threshold.
    private func cells(of chances: Tensor) throws(Failure) -> ([SIMD3<Int32>], [Float]) {
        var cells: [SIMD3<Int32>] = []
        var kept: [Float] = []
        for place in 0..<side * side * side where chances.pointer[place] >= threshold {
            cells.append(SIMD3(Int32(place / (side * side)), Int32(place / side % side), Int32(place % side)))
            kept.append(chances.pointer[place])
        }
        withExtendedLifetime(chances) {}
        guard !cells.isEmpty else {
            throw .badData("the dense stage found no surface", expected: "another seed, or a picture of an object")
        }
        return (cells, kept)
    }
}
