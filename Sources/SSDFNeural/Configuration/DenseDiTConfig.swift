import SSDFCore

/// The dense diffusion transformer (SPEC §8), with the constructor's defaults.
package struct DenseDiTConfig: Sendable, Equatable {
    /// Side of the latent grid.
    package var resolution = 16
    /// Channels of the latent that comes in.
    package var inChannels = 8
    /// Channels of the velocity that comes out.
    package var outChannels = 8
    /// Width of a token.
    package var modelChannels = 1024
    /// Width of an image token.
    package var condChannels = 1024
    /// Transformer blocks.
    package var numBlocks = 24
    /// Heads of attention: a divisor of `modelChannels`.
    package var numHeads = 16
    /// Width of the hidden layer of an MLP over that of a token.
    package var mlpRatio = 4.0
    /// Side of the cube of latent cells that makes a token: a divisor of `resolution`.
    package var patchSize = 2
    /// Whether all blocks share one modulation.
    package var shareMod = false
    /// Whether queries and keys of self-attention are normalised, head by head.
    package var qkRMSNorm = false
    /// Whether queries and keys of cross-attention are.
    package var qkRMSNormCross = false
    /// Accepted and without effect: the precision is chosen when the network runs.
    package var useFP16 = false
    /// Channels and sides of a latent.
    package var latentShape = [8, 16, 16, 16]
    /// A cell belongs to the structure when its chance is at least this; nil: 0.1 as in the released pipeline, or 0.5
    /// where the transformer's result is the grid of cells itself. A key of our own.
    package var structureThreshold: Double?

    /// The constructor's defaults.
    package init() {}

    /// Tokens along one side.
    package var tokenSide: Int { resolution / patchSize }
    /// Tokens of a grid.
    package var tokenCount: Int { tokenSide * tokenSide * tokenSide }
    /// Numbers in a patch of one channel.
    package var patchVolume: Int { patchSize * patchSize * patchSize }
    /// Width of the hidden layer of an MLP.
    package var hiddenChannels: Int { Int(Double(modelChannels) * mlpRatio) }

    /// - Throws: `badData` naming the key that is missing, of another type or out of range.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        resolution = try reader.int("resolution", in: 1...1024)
        inChannels = try reader.int("in_channels")
        outChannels = try reader.int("out_channels")
        modelChannels = try reader.int("model_channels")
        condChannels = try reader.int("cond_channels")
        numBlocks = try reader.int("num_blocks", in: 1...1024)
        numHeads = try reader.heads(channels: modelChannels)
        mlpRatio = try reader.ratio("mlp_ratio")
        patchSize = try reader.int("patch_size", default: 2, in: 1...16)
        shareMod = try reader.bool("share_mod", default: false)
        qkRMSNorm = try reader.bool("qk_rms_norm", default: false)
        qkRMSNormCross = try reader.bool("qk_rms_norm_cross", default: false)
        useFP16 = try reader.bool("use_fp16", default: false)
        latentShape = try reader.ints("latent_shape", default: [8, 16, 16, 16])
        try reader.requireAbsolutePositions()
        if reader.node("structure_threshold") != nil {
            let threshold = try reader.double("structure_threshold")
            guard threshold > 0, threshold < 1 else {
                throw .badData(
                    place: "\(reader.path).structure_threshold", "\(threshold)", expected: "a chance between 0 and 1")
            }
            structureThreshold = threshold
        }
        guard resolution % patchSize == 0 else {
            throw .badData(
                place: "\(reader.path).patch_size", "\(patchSize)",
                expected: "a divisor of the resolution, \(resolution)")
        }
    }

    /// The tensors of this network, by their names in a released state dictionary.
    package var expectedTensors: [ExpectedTensor] {
        var list = TensorLister()
        let channels = modelChannels
        list.add("pos_emb", [tokenCount, channels])
        list.timestepEmbedder(channels)
        if shareMod { list.linear("adaLN_modulation.1", channels, 6 * channels) }
        list.linear("input_layer", inChannels * patchVolume, channels)
        for block in 0..<numBlocks {
            let name = "blocks.\(block)"
            list.norm(name + ".norm2", channels)
            list.selfAttention(name + ".self_attn", channels, heads: numHeads, headNorm: qkRMSNorm)
            list.crossAttention(
                name + ".cross_attn", channels, context: condChannels, heads: numHeads, headNorm: qkRMSNormCross)
            list.mlp(name + ".mlp", channels, hidden: hiddenChannels)
            if !shareMod { list.linear(name + ".adaLN_modulation.1", channels, 6 * channels) }
        }
        list.linear("out_layer", channels, outChannels * patchVolume)
        return list.tensors
    }
}
