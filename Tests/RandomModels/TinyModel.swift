/// The parts of models as narrow as they can be, whose training is over in seconds.
package enum TinyModel {
    /// An image encoder of pictures of 32² pixels.
    package static let imageEncoder = """
        dense_image_encoder:
          target: DinoEncoder
          params: {version: dinov2_vits14_reg, embed_dim: 32, depth: 1, num_heads: 2, num_register_tokens: 2,
            patch_size: 8, img_size: 32, size: 32}

        """

    /// A dense transformer of 16³ cells, with its scheduler.
    package static let cellTransformer = dense(
        "resolution: 16, in_channels: 1, out_channels: 1", patch: 4, shape: "[1, 16, 16, 16]")

    /// A dense transformer of the latents of `structure`, which decode to 16³ cells, with its scheduler.
    package static let latentTransformer = dense(
        "resolution: 8, in_channels: 4, out_channels: 4", patch: 2, shape: "[4, 8, 8, 8]")

    private static func dense(_ grid: String, patch: Int, shape: String) -> String {
        """
        dense_dit:
          target: DenseDiT
          params: {\(grid), model_channels: 32, cond_channels: 32,
            num_blocks: 2, num_heads: 2, patch_size: \(patch), share_mod: true, qk_rms_norm: true,
            qk_rms_norm_cross: true, latent_shape: \(shape)}
        dense_scheduler:
          target: FlowMatchEulerDiscreteScheduler
          params: {num_train_timesteps: 1000, shift: 3, default_steps: 1, default_guidance: 0, default_start: zero}

        """
    }

    /// A structure auto-encoder of two levels.
    package static let structure = """
        dense_vae:
          target: DenseShapeVAE
          params: {embed_dim: 4, model_channels_encoder: [8, 16], model_channels_decoder: [16, 8],
            num_res_blocks_encoder: 1, num_res_blocks_middle_encoder: 1, num_res_blocks_decoder: 1,
            num_res_blocks_middle_decoder: 1}

        """

    /// A sparse auto-encoder with `cells`³ latents.
    package static func autoencoder(_ name: String = "vae", cells: Int) -> String {
        """
        \(name):
          target: SparseSDFVAE
          params: {embed_dim: 4, resolution: \(cells), model_channels_encoder: 32, num_blocks_encoder: 1,
            num_heads_encoder: 2, model_channels_decoder: 32, num_blocks_decoder: 1, num_heads_decoder: 2,
            norm_groups: 2, truncation_voxels: 4, value_scale: 1, iso_value: 0}

        """
    }

    /// A sparse transformer of `cells`³ latents with blocks of so many cells a side, and its scheduler.
    package static func sparseTransformer(cells: Int, blocks: Int, block: Int) -> String {
        """
        sparse_dit_\(8 * cells):
          target: SparseDiT
          params: {resolution: \(cells), in_channels: 4, out_channels: 4, model_channels: 32, cond_channels: 32,
            num_blocks: \(blocks), num_heads: 2, num_kv_heads: 1, compression_block_size: \(block),
            selection_block_size: \(block), topk: 8, compression_version: v1, share_mod: true, qk_rms_norm_cross: true,
            window_size: \(block)}
        sparse_scheduler_\(8 * cells):
          target: FlowMatchEulerDiscreteScheduler
          params: {num_train_timesteps: 1000, shift: 3, default_steps: 1, default_guidance: 0, default_start: zero}

        """
    }

    /// The parts of the built-in model, and how to train them; with a structure auto-encoder, those of a released one.
    package static func yaml(steps: Int, hasStructure: Bool = false) -> String {
        imageEncoder + (hasStructure ? structure + latentTransformer : cellTransformer)
            + autoencoder("sparse_vae_128", cells: 16) + sparseTransformer(cells: 16, blocks: 1, block: 8) + """
                training:
                  structure: {steps: \(steps), batch: 2, warmup: 1, measured: 2}
                  vae: {steps: \(steps), batch: 1, learning_rate: 0.001, warmup: 1, rotated: 0.5, seed: 1}
                  dense_dit: {steps: \(steps), batch: 4, group: 2, learning_rate: 0.001, warmup: 1, shapes: 4, views: 1, seed: 1}
                  sparse_dit: {steps: \(steps), batch: 2, learning_rate: 0.001, warmup: 1, encoder: frozen, shapes: 3, views: 1,
                    seed: 1}

                """
    }
}
