import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// Encoder and decoder of a dense structure auto-encoder (SPEC §9), with the parameter names of a released one.
package struct StructureNetwork: Sendable {
    /// From cells to the latents' distribution, means and logarithms of variances.
    package let encoder: DenseShapeNetwork
    /// From latents to a logit a cell.
    package let decoder: DenseShapeNetwork
    /// Channels of a latent.
    package let latentChannels: Int

    /// - Throws: `badData` when widths do not fit together, or from the source.
    package init(_ config: DenseShapeVAEConfig, _ source: ParameterSource) throws(Failure) {
        encoder = try DenseShapeNetwork(
            source.scoped("encoder"), .encoder, inputs: config.inChannels, outputs: 2 * config.embedDim,
            widths: config.encoderChannels, blocks: config.encoderResBlocks, middleBlocks: config.encoderMiddleBlocks)
        decoder = try DenseShapeNetwork(
            source.scoped("decoder"), .decoder, inputs: config.embedDim, outputs: config.outChannels,
            widths: config.decoderChannels, blocks: config.decoderResBlocks, middleBlocks: config.decoderMiddleBlocks)
        latentChannels = config.embedDim
    }

    /// The posterior of occupancies, `[B · cells, latent]`, and the shape of its latents, `[B, x, y, z, latent]`.
    /// - Parameter occupancy: `[B, X, Y, Z, 1]`, 0 or 1.
    package func posterior(_ occupancy: Tensor, _ compute: Compute) -> (DiagonalGaussian, shape: [Int]) {
        let h = encoder(compute.affine(occupancy, scale: 2, shift: -1), compute)
        let cells = h.count / (2 * latentChannels)
        return (
            DiagonalGaussian(compute.reshape(h, [cells, 2 * latentChannels]), compute),
            Array(h.shape.dropLast()) + [latentChannels]
        )
    }

    /// Logits of the occupancy, `[B, X, Y, Z, 1]`, of occupancies decoded from their means.
    package func roundTrip(_ occupancy: Tensor, _ compute: Compute) -> Tensor {
        let (posterior, shape) = posterior(occupancy, compute)
        return decoder(compute.reshape(posterior.mean, shape), compute)
    }
}

/// The cells of shapes as occupancies, `[B, side, side, side, 1]`; cells outside the cube are left out.
package func occupancies(_ shapes: [[BrickCoordinate]], side: Int, _ compute: Compute) -> Tensor {
    let occupancy = compute.zeros([shapes.count, side, side, side, 1])
    let range = 0..<Int32(side)
    for (item, cells) in shapes.enumerated() {
        let first = occupancy.pointer + item * side * side * side
        for cell in cells where range.contains(cell.x) && range.contains(cell.y) && range.contains(cell.z) {
            first[(Int(cell.x) * side + Int(cell.y)) * side + Int(cell.z)] = 1
        }
    }
    return occupancy
}
