import SSDFNeural

extension SparseSDFVAEConfig {
    /// The section of a model's `config.yaml` that says this.
    package func yaml(name: String) -> String {
        """
        \(name):
          target: SparseSDFVAE
          params:
            embed_dim: \(embedDim)
            resolution: \(resolution)
            model_channels_encoder: \(encoderChannels)
            num_blocks_encoder: \(encoderBlocks)
            num_heads_encoder: \(encoderHeads)
            model_channels_decoder: \(decoderChannels)
            num_blocks_decoder: \(decoderBlocks)
            num_heads_decoder: \(decoderHeads)
            norm_groups: \(normGroups)
            truncation_voxels: \(truncationVoxels)
            value_scale: \(valueScale)
            iso_value: \(isoValue)
            latents_scale: \(latentsScale)
            latents_shift: \(latentsShift)

        """
    }
}

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
        return weights * (6 + config.batch) + Int(sample) * min(threads, config.batch) + (64 << 20)
    }
}
