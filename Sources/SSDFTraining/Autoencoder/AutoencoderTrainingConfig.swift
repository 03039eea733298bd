import SSDFCore
import SSDFNeural

/// How a sparse SDF auto-encoder is trained: the section `vae` of a configuration's `training`.
package struct AutoencoderTrainingConfig: Sendable, Equatable {
    package var optimization = OptimizationConfig()
    /// Weight of the latents' divergence from a unit Gaussian.
    package var divergence = 1e-3
    /// Share of samples under a random rotation.
    package var rotated = 0.5
    /// Side of crops in latent cells; 0 for whole shapes.
    package var crop = 0
    /// Share of the steps, from the first, that see crops.
    package var cropShare = 0.5
    /// How much more a voxel at a sharp edge weighs: 1 + this, falling to 1 where the surface is flat.
    package var sharpEdges = 0.0

    package init() {}

    /// - Throws: `badData` with line and key.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        optimization = try OptimizationConfig(&reader)
        divergence = try reader.double("divergence", default: divergence, in: 0...1e3)
        rotated = try reader.double("rotated", default: rotated, in: 0...1)
        crop = try reader.int("crop", default: crop, in: 0...1024)
        cropShare = try reader.double("crop_share", default: cropShare, in: 0...1)
        sharpEdges = try reader.double("sharp_edges", default: sharpEdges, in: 0...1e3)
        try reader.finish()
    }
}
