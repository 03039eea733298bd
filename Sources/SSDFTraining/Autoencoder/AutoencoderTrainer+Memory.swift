import SSDFNeural

extension AutoencoderTrainer {
    /// About how much memory training takes: the state, a gradient a sample, and what the tape of a sample on each thread
    /// holds.
    ///
    /// A shape has up to about 1,800 latent tokens at 16³ cells, and a token's 512 voxels keep about a dozen rows of the
    /// finest width each; both were measured, and grow with the square and the cube of the resolution's ratio.
    package func estimatedBytes(threads: Int) -> Int {
        let weights = 4 * parameterCount
        let scale = Double(model.resolution) / 16
        var tokens = 1800 * scale * scale
        if config.crop > 0, config.cropShare >= 1 {
            tokens = min(tokens, Double(config.crop * config.crop * config.crop))
        }
        let sample = tokens * 512 * Double(model.decoderChannels / 16) * 4 * 12
        return weights * (6 + config.optimization.batch) + Int(sample) * min(threads, config.optimization.batch)
            + (64 << 20)
    }
}
