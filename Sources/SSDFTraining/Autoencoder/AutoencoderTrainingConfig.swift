import SSDFCore
import SSDFNeural

/// How a sparse SDF auto-encoder is trained: the section `vae` of a configuration's `training`.
package struct AutoencoderTrainingConfig: Sendable, Equatable {
    /// The batch, the optimiser and the schedule.
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

    /// Voxels along the cube's side; each sample has one of them. Empty for the model's own, eight times its cells.
    package var resolutions: [Int] = []

    /// The defaults.
    package init() {}

    /// - Throws: `badData` with line and key.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        optimization = try OptimizationConfig(&reader)
        divergence = try reader.double("divergence", default: divergence, in: 0...1e3)
        rotated = try reader.double("rotated", default: rotated, in: 0...1)
        crop = try reader.int("crop", default: crop, in: 0...1024)
        cropShare = try reader.double("crop_share", default: cropShare, in: 0...1)
        sharpEdges = try reader.double("sharp_edges", default: sharpEdges, in: 0...1e3)
        if reader.node("resolutions") != nil { resolutions = try reader.ints("resolutions") }
        for resolution in resolutions where resolution % 8 != 0 || !(16...4096).contains(resolution) {
            throw .badData(
                place: "\(reader.path).resolutions", "\(resolution)", expected: "multiples of 8 from 16 to 4096")
        }
        try reader.finish()
    }
}
