import SSDFNeural

extension AutoencoderTrainer {
    /// About how much memory training takes: the state, a gradient a sample, and the tape of a sample on each thread.
    ///
    /// Nearly all of a tape is rows of the finest level, a row a voxel and as wide as the last step of either half; how many
    /// was measured, with blocks kept and with blocks run twice.
    static func estimatedBytes(
        _ config: AutoencoderTrainingConfig, _ model: SparseSDFVAEConfig, _ shapes: any ShapeSource,
        _ resolutions: [Int], threads: Int
    ) -> Int {
        var tokens = resolutions.map(shapes.largestBand).max() ?? 1
        if config.crop > 0, config.cropShare >= 1 { tokens = min(tokens, config.crop * config.crop * config.crop) }
        let rows = config.optimization.checkpointing ? 8.0 : 12.0
        let tape = Double(tokens) * 512 * Double(max(model.decoderChannels, model.encoderChannels) / 16) * 4 * rows
        return trainingBytes(
            parameters: ComponentConfig.sparseVAE(model).parameterCount, groups: config.optimization.batch, tape: tape,
            threads: threads)
    }
}
