import SSDFCore
import SSDFImage
import SSDFTensor

/// What a stage knows of a picture: the image encoder's tokens, and which of them show the object.
package struct ImageTokens: Sendable {
    /// `[1, L, C]`
    package let tokens: Tensor
    let mask: PatchMask
    let leading: Int

    /// Runs the image encoder of a stage.
    /// - Throws: `unavailable` when the model has none, or its weights are missing.
    package init(
        _ picture: RasterImage, for stage: DiffusionStage, in model: ModelDirectory, threads: Int,
        precision: Precision = .f32
    ) throws(Failure) {
        let component = stage.imageEncoder(in: model)
        guard case .imageEncoder(let config) = model.config[component] else {
            throw Failure(.unavailable, file: model.path, "the model has no \(component)")
        }
        let prepared = try ConditionImage(picture, side: config.size)
        let encoder = try ImageEncoder(ParameterSource(try model.open(component)), config)
        let compute = Compute(threads: threads, precision: precision)
        let side = prepared.side
        let pixels = side * side
        var colors = [Float](repeating: 0, count: 3 * pixels)
        for pixel in 0..<pixels {
            for channel in 0..<3 {
                colors[channel * pixels + pixel] = Float(prepared.colors[3 * pixel + channel]) / 255
            }
        }
        tokens = encoder(Tensor(colors, shape: [1, 3, side, side]), compute)
        mask = PatchMask(
            Tensor(prepared.mask.map { Float($0) / 255 }, shape: [1, side, side]), patch: config.patchSize)
        leading = encoder.leadingTokens
    }

    /// As a sparse stage takes it: all tokens, or with places, those of the object.
    func condition(isSparse: Bool, _ compute: Compute) throws(Failure) -> SparseDiffusionTransformer.Condition {
        isSparse ? .sparse(try mask.condition(tokens, leading: leading, compute)) : .dense(tokens)
    }

    /// Tokens of a picture.
    package var count: Int { tokens.shape[1] }

    /// What the image encoder of a stage takes.
    /// - Throws: `unavailable` when the model has none.
    package static func cost(
        for stage: DiffusionStage, in model: ModelDirectory, _ precision: Precision
    ) throws(Failure) -> NetworkCost {
        let component = stage.imageEncoder(in: model)
        guard case .imageEncoder(let config) = model.config[component] else {
            throw Failure(.unavailable, file: model.path, "the model has no \(component)")
        }
        return config.cost(precision)
    }

    /// Width of a token.
    var channels: Int { tokens.shape[2] }
}
