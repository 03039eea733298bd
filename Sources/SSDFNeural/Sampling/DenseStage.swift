import SSDFCore
import SSDFTensor

/// The first stage: from a picture to the cells that hold the surface.
package struct DenseStage: Sendable {
    private let model: ModelDirectory
    private let transformer: DenseDiTConfig
    private let autoencoder: DenseShapeVAEConfig
    /// A cell belongs to the structure when its chance is at least this: the released pipeline's.
    package static let threshold: Float = 0.1

    /// Cells along a side of the result.
    package let side: Int

    /// - Throws: `unavailable` when the model has no dense stage; `badData` when its parts do not fit each other.
    package init(_ model: ModelDirectory) throws(Failure) {
        guard case .denseDiT(let transformer) = model.config[DiffusionStage.dense.transformer],
            case .denseVAE(let autoencoder) = model.config[DiffusionStage.dense.autoencoder]
        else { throw Failure(.unavailable, file: model.path, "the model has no dense stage") }
        guard transformer.outChannels == autoencoder.embedDim, transformer.inChannels == autoencoder.embedDim else {
            throw .badData(
                file: model.path, place: "dense_dit", "\(transformer.outChannels) channels",
                expected: "\(autoencoder.embedDim), those of dense_vae")
        }
        self.model = model
        self.transformer = transformer
        self.autoencoder = autoencoder
        side = transformer.resolution << (autoencoder.decoderChannels.count - 1)
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
        let schedule = try model.schedule(of: .dense, steps: options.steps)
        let r = transformer.resolution
        let shape = [1, transformer.inChannels, r, r, r]
        try resumed?.check(shape, steps: options.steps)
        let start =
            resumed.map { Tensor($0.x, shape: shape) }
            ?? Sampler.noise(
                shape, seed: options.seed, stream: DiffusionStage.dense.noiseStream, threads: options.threads)
        var latents = start
        do {
            let network = try DenseDiffusionTransformer(
                ParameterSource(try model.open(DiffusionStage.dense.transformer)), transformer)
            let none = compute.zeros(image.tokens.shape)
            latents = try Sampler(schedule: schedule, options: options, compute: compute).run(
                from: start, after: resumed?.step ?? 0,
                finished: { (steps, x) throws(Failure) in
                    try finished(SamplingState(step: steps, x: x.array, shape: shape, cells: []))
                },
                velocity: { (x, t, isConditional) throws(Failure) in
                    network(x, t: [t], condition: isConditional ? image.tokens : none, compute)
                })
        }
        return try decode(latents, compute)
    }

    /// The cells whose chance reaches the threshold.
    private func decode(_ latents: Tensor, _ compute: Compute) throws(Failure) -> ([SIMD3<Int32>], [Float]) {
        let decoder = try DenseShapeNetwork(
            ParameterSource(try model.open(DiffusionStage.dense.autoencoder)).scoped("decoder"), .decoder,
            inputs: autoencoder.embedDim, outputs: autoencoder.outChannels, widths: autoencoder.decoderChannels,
            blocks: autoencoder.decoderResBlocks, middleBlocks: autoencoder.decoderMiddleBlocks)
        let input = compute.affine(
            latents, scale: Float(1 / autoencoder.latentsScale), shift: Float(autoencoder.latentsShift))
        let chances = compute.apply(.sigmoid, decoder(compute.channelsLast(input), compute))
        var cells: [SIMD3<Int32>] = []
        var kept: [Float] = []
        for place in 0..<side * side * side where chances.pointer[place] >= Self.threshold {
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
