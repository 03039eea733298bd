/// A configuration of the built-in model's parts, as narrow as they can be, whose training is over in seconds.
enum TinyModel {
    static func yaml(steps: Int) -> String {
        """
        dense_image_encoder:
          target: DinoEncoder
          params: {version: dinov2_vits14_reg, embed_dim: 32, depth: 1, num_heads: 2, num_register_tokens: 2,
            patch_size: 8, img_size: 32, size: 32}
        dense_dit:
          target: DenseDiT
          params: {resolution: 16, in_channels: 1, out_channels: 1, model_channels: 32, cond_channels: 32,
            num_blocks: 2, num_heads: 2, patch_size: 4, share_mod: true, qk_rms_norm: true, qk_rms_norm_cross: true,
            latent_shape: [1, 16, 16, 16]}
        dense_scheduler:
          target: FlowMatchEulerDiscreteScheduler
          params: {num_train_timesteps: 1000, shift: 3, default_steps: 1, default_guidance: 0, default_start: zero}
        sparse_vae_128:
          target: SparseSDFVAE
          params: {embed_dim: 4, resolution: 16, model_channels_encoder: 32, num_blocks_encoder: 1,
            num_heads_encoder: 2, model_channels_decoder: 32, num_blocks_decoder: 1, num_heads_decoder: 2,
            norm_groups: 2, truncation_voxels: 4, value_scale: 1, iso_value: 0}
        sparse_dit_128:
          target: SparseDiT
          params: {resolution: 16, in_channels: 4, out_channels: 4, model_channels: 32, cond_channels: 32,
            num_blocks: 1, num_heads: 2, num_kv_heads: 1, compression_block_size: 8, selection_block_size: 8, topk: 8,
            compression_version: v1, share_mod: true, qk_rms_norm_cross: true, window_size: 8}
        sparse_scheduler_128:
          target: FlowMatchEulerDiscreteScheduler
          params: {num_train_timesteps: 1000, shift: 3, default_steps: 1, default_guidance: 0, default_start: zero}
        training:
          vae: {steps: \(steps), batch: 1, learning_rate: 0.001, warmup: 1, rotated: 0.5, seed: 1}
          dense_dit: {steps: \(steps), batch: 4, group: 2, learning_rate: 0.001, warmup: 1, shapes: 4, views: 1, seed: 1}
          sparse_dit: {steps: \(steps), batch: 2, learning_rate: 0.001, warmup: 1, encoder: frozen, shapes: 3, views: 1,
            seed: 1}

        """
    }
}
