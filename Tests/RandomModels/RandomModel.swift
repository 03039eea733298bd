import SSDFCore
import SSDFNeural
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes a model folder whose weights are random: for tests and for timing, where what comes out need not mean anything.
package struct RandomModel {
    package let yaml: String
    package let seed: UInt64
    package var type = ElementType.f32

    package init(yaml: String, seed: UInt64 = 1, type: ElementType = .f32) {
        self.yaml = yaml
        self.seed = seed
        self.type = type
    }

    /// Weights uniform within ±1/√(fan in), biases 0, scales 1; those of a refiner as narrow as `refinerWidths` says.
    package func write(to folder: String, refinerWidths: [Int] = [8, 32, 128, 512]) throws(Failure) {
        mkdir(folder, 0o777)
        let config = try ModelConfig(yaml: yaml)
        try write(Array(yaml.utf8), to: "\(folder)/config.yaml")
        for component in config.components {
            var tensors = component.config.expectedTensors
            if case .refiner(var refiner) = component.config {
                refiner.blockChannels = refinerWidths
                tensors = refiner.expectedTensors
            }
            guard !tensors.isEmpty else { continue }
            try write(tensors, to: "\(folder)/\(component.name).safetensors")
        }
        let model = try ModelDirectory(path: folder)
        let sums = try model.checksums()
        try write(Array(sums.utf8), to: "\(folder)/SHA256SUMS")
    }

    private func write(_ tensors: [ExpectedTensor], to path: String) throws(Failure) {
        let source = ParameterSource.random(seed: seed)
        var writer = try SafetensorsWriter(
            items: tensors.map { SafetensorsWriter.Item(name: $0.name, type: type, shape: $0.shape) })
        guard let file = fopen(path, "w") else { throw Failure(.cannotCreate, file: path, "cannot create") }
        defer { fclose(file) }
        func sink(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
            guard fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count else {
                throw Failure(.inputOutput, file: path, "cannot write")
            }
        }
        try writer.writeHeader(to: sink)
        for item in writer.items {
            let values = try source.parameter(item.name, item.shape).value
            let bytes = Buffer<UInt8>(uninitialized: values.count * type.byteCount)
            convertFromFloat(
                UnsafeBufferPointer(start: values.pointer, count: values.count), type: type,
                into: UnsafeMutableRawBufferPointer(bytes.unsafeElements))
            try writer.write(UnsafeRawBufferPointer(bytes.unsafeElements), to: sink)
            withExtendedLifetime(values) {}
        }
    }

    private func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        guard let file = fopen(path, "w") else { throw Failure(.cannotCreate, file: path, "cannot create") }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    /// An autoencoder of 64 voxels a side, small enough for tests, whose band is 3 voxels wide on either side and whose
    /// surface lies at 0.1; with refiners of both kinds that fit its volumes.
    package static let tiny = """
        sparse_vae_64:
          target: models.SparseSDFVAE
          params: {embed_dim: 4, resolution: 8, model_channels_encoder: 32, num_blocks_encoder: 1, num_heads_encoder: 4,
                   model_channels_decoder: 512, num_blocks_decoder: 2, num_heads_decoder: 4, mlp_ratio: 0.25,
                   chunk_size: 2, truncation_voxels: 3, iso_value: 0.1}
        sparse_vae_128:
          target: models.SparseSDFVAE
          params: {embed_dim: 4, resolution: 16, model_channels_encoder: 32, num_blocks_encoder: 1, num_heads_encoder: 4,
                   model_channels_decoder: 32, num_blocks_decoder: 2, num_heads_decoder: 4, chunk_size: 2,
                   norm_groups: 8, iso_value: 0}
        refiner_64:
          target: models.Voxel_RefinerXL
          params: {layers_per_block: 1, layers_mid_block: 0, patch_size: 64, res: 64}
        refiner_128:
          target: models.Voxel_RefinerXL_sign
          params: {layers_per_block: 1, layers_mid_block: 0, patch_size: 32, res: 64}
        """

    /// The released autoencoders and refiners.
    package static let released = """
        sparse_vae_512:
          target: direct3d_s2.models.autoencoders.ss_vae.SparseSDFVAE
          params: {embed_dim: 16, resolution: 64}
        sparse_vae_1024:
          target: direct3d_s2.models.autoencoders.ss_vae.SparseSDFVAE
          params: {embed_dim: 16, resolution: 128, chunk_size: 4}
        refiner:
          target: direct3d_s2.models.refiner.unet_refiner.Voxel_RefinerXL
          params: {layers_per_block: 2, layers_mid_block: 2, patch_size: 192}
        refiner_1024:
          target: direct3d_s2.models.refiner.unet_refiner.Voxel_RefinerXL_sign
          params: {layers_per_block: 2, layers_mid_block: 2, patch_size: 256}
        """

    /// The configuration of the built-in model: a dense transformer whose result is the grid of cells itself, and one
    /// sparse stage at eight times as many voxels; the mean of all shapes is predicted in one step unless samples are asked for.
    /// - Parameter side: cells; 16 in the built-in model.
    package static func small(side: Int) -> String {
        """
        dense_image_encoder:
          target: models.DinoEncoder
          params: {version: dinov2_vits14_reg, embed_dim: 128, depth: 4, num_heads: 4, patch_size: 8, img_size: 112,
                   size: 112}
        dense_dit:
          target: models.DenseDiT
          params: {resolution: \(side), in_channels: 1, out_channels: 1, model_channels: 128, cond_channels: 128,
                   num_blocks: 4, num_heads: 4, patch_size: 4, share_mod: true, qk_rms_norm: true,
                   latent_shape: [1, \(side), \(side), \(side)], structure_threshold: 0.5}
        dense_scheduler:
          target: FlowMatchEulerDiscreteScheduler
          params: {num_train_timesteps: 1000, shift: 3, default_start: zero, default_steps: 1, default_guidance: 0,
                   noise_steps: 20, noise_guidance: 2}
        sparse_vae_\(8 * side):
          target: models.SparseSDFVAE
          params: {embed_dim: 8, resolution: \(side), model_channels_encoder: 128, num_blocks_encoder: 2,
                   num_heads_encoder: 4, model_channels_decoder: 128, num_blocks_decoder: 2, num_heads_decoder: 4,
                   norm_groups: 8, truncation_voxels: 4, iso_value: 0, latents_scale: 1.3, latents_shift: 0.03}
        sparse_dit_\(8 * side):
          target: models.SparseDiT
          params: {resolution: \(side), in_channels: 8, out_channels: 8, model_channels: 128, cond_channels: 128,
                   num_blocks: 6, num_heads: 4, num_kv_heads: 2, compression_block_size: 8, selection_block_size: 8,
                   topk: 8, compression_version: v1, share_mod: true}
        sparse_scheduler_\(8 * side):
          target: FlowMatchEulerDiscreteScheduler
          params: {num_train_timesteps: 1000, shift: 3, default_start: zero, default_steps: 1, default_guidance: 0,
                   noise_steps: 20, noise_guidance: 2}
        """
    }

    /// The released sparse transformer, version 1.1.
    package static let releasedTransformer = """
        sparse_dit_512:
          target: direct3d_s2.models.transformers.sparse_dit.SparseDiT
          params: {resolution: 64, in_channels: 16, out_channels: 16, model_channels: 1024, cond_channels: 1024,
                   num_blocks: 24, num_heads: 32, num_kv_heads: 2, compression_block_size: 8, selection_block_size: 8,
                   topk: 8, compression_version: v1}
        """

    /// All three stages, small enough for tests: a grid of `side` cells, latents in it and in one of twice as many.
    /// - Parameter side: a multiple of four.
    package static func tinyPipeline(sparseConditions: Bool = false, side: Int = 16) -> String {
        func autoencoder(_ side: Int) -> String {
            """
              target: models.SparseSDFVAE
              params: {embed_dim: 4, resolution: \(side), model_channels_encoder: 32, num_blocks_encoder: 1,
                       num_heads_encoder: 4, model_channels_decoder: 32, num_blocks_decoder: 1, num_heads_decoder: 4,
                       iso_value: 0, latents_scale: 0.8, latents_shift: 0.1}
            """
        }
        func transformer(_ side: Int) -> String {
            """
              target: models.SparseDiT
              params: {resolution: \(side), in_channels: 4, out_channels: 4, model_channels: 32, cond_channels: 32,
                       num_blocks: 2, num_heads: 4, num_kv_heads: 2, compression_block_size: \(sparseConditions ? 4 : 8),
                       selection_block_size: 8, topk: 4, compression_version: v1,
                       sparse_conditions: \(sparseConditions)}
            """
        }
        let encoder = """
              target: models.DinoEncoder
              params: {version: dinov2_vits14_reg, embed_dim: 32, depth: 1, num_heads: 2, img_size: 56, size: 56}
            """
        func scheduler(_ shift: Int) -> String {
            """
              target: FlowMatchEulerDiscreteScheduler
              params: {num_train_timesteps: 1000, shift: \(shift)}
            """
        }
        let dense = """
              target: models.DenseDiT
              params: {resolution: \(side / 4), in_channels: 8, out_channels: 8, model_channels: 32, cond_channels: 32, num_blocks: 1,
                       num_heads: 4, patch_size: 1, qk_rms_norm: true, latent_shape: [8, \(side / 4), \(side / 4), \(side / 4)]}
            """
        let denseAutoencoder = """
              target: models.DenseShapeVAE
              params: {embed_dim: 8, model_channels_encoder: [8, 16, 16], model_channels_decoder: [16, 16, 8],
                       num_res_blocks_encoder: 1, num_res_blocks_middle_encoder: 1, num_res_blocks_decoder: 1,
                       num_res_blocks_middle_decoder: 1}
            """
        let parts = [
            ("dense_vae", denseAutoencoder), ("dense_dit", dense), ("dense_scheduler", scheduler(6)),
            ("dense_image_encoder", encoder), ("sparse_image_encoder", encoder), ("sparse_vae_512", autoencoder(side)),
            ("sparse_dit_512", transformer(side)), ("sparse_scheduler_512", scheduler(6)),
            ("sparse_vae_1024", autoencoder(2 * side)), ("sparse_dit_1024", transformer(2 * side)),
            ("sparse_scheduler_1024", scheduler(8)),
        ]
        return parts.map { "\($0.0):\n\($0.1)\n" }.joined()
    }
}
