import SSDFCore
import SSDFTensor
import SSDFVolume

/// A model's autoencoder for volumes of one resolution: which component it is and what it says of itself.
package struct SparseSDFAutoencoder: Sendable {
    /// The component's name: "sparse_vae_512".
    package let component: String
    /// The component's configuration.
    package let config: SparseSDFVAEConfig
    private let model: ModelDirectory

    /// Voxels along a side of the volumes.
    package var resolution: Int { 8 * config.resolution }

    /// All autoencoders of a model.
    /// - Throws: `unavailable` when it has none.
    package static func all(in model: ModelDirectory) throws(Failure) -> [SparseSDFAutoencoder] {
        let found = model.config.components.compactMap { component -> SparseSDFAutoencoder? in
            guard case .sparseVAE(let config) = component.config else { return nil }
            return SparseSDFAutoencoder(component: component.name, config: config, model: model)
        }
        guard !found.isEmpty else {
            throw Failure(.unavailable, file: model.path, "the model has no autoencoder of volumes")
        }
        return found
    }

    /// The one for volumes of a resolution.
    /// - Throws: `badData` when the model was made for others.
    package static func forVolumes(
        of resolution: Int, place: String, in model: ModelDirectory
    ) throws(Failure) -> SparseSDFAutoencoder {
        let known = try all(in: model)
        if let match = known.first(where: { $0.resolution == resolution }) { return match }
        let sides = known.map { "\($0.resolution)" }.joined(separator: " or ")
        throw .badData(
            place: place, "resolution is \(resolution)", expected: "\(sides), which the model was made for")
    }

    /// The one for latents of a grid.
    /// - Throws: `badData` when the model was made for others.
    package static func forLatents(
        of resolution: Int, place: String, in model: ModelDirectory
    ) throws(Failure) -> SparseSDFAutoencoder {
        let known = try all(in: model)
        if let match = known.first(where: { $0.config.resolution == resolution }) { return match }
        let sides = known.map { "\($0.config.resolution)" }.joined(separator: " or ")
        throw .badData(
            place: place, "resolution is \(resolution)", expected: "\(sides), which the model was made for")
    }

    /// Reads the encoder's weights.
    package func encoder() throws(Failure) -> SparseSDFEncoder {
        try SparseSDFEncoder(
            ParameterSource(try model.open(component)).scoped("encoder"), channels: config.encoderChannels,
            latentChannels: config.embedDim, blocks: config.encoderBlocks, heads: config.encoderHeads,
            ratio: config.mlpRatio, groups: config.normGroups)
    }

    /// Reads the decoder's weights.
    package func decoder() throws(Failure) -> SparseSDFDecoder {
        try SparseSDFDecoder(
            ParameterSource(try model.open(component)).scoped("decoder"), channels: config.decoderChannels,
            latentChannels: config.embedDim, blocks: config.decoderBlocks, heads: config.decoderHeads,
            ratio: config.mlpRatio, outputs: config.outChannels, resolution: config.resolution)
    }
}

/// Streams of one seed, so that no two uses draw the same numbers.
package enum NoiseStream {
    /// Latents drawn from the encoder's posterior.
    package static let posterior: UInt64 = 1
    /// Sparse stages have the stream of their resolution, which is 8 or more.
    package static let denseStage: UInt64 = 2
}
