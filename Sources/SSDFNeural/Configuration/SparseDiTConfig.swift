import SSDFCore

/// How the keys and values of a block are summarised into one token (SPEC §5, step 2).
package enum CompressionVersion: String, Sendable, CaseIterable {
    /// A 1×1×1 convolution and a mean.
    case v1
    /// A residual block of 3×3×3 convolutions on the coarse grid.
    case v2
}

/// The sparse diffusion transformer (SPEC §6), with the constructor's defaults.
package struct SparseDiTConfig: Sendable, Equatable {
    /// Side of the latent grid.
    package var resolution = 64
    /// Channels of a latent that comes in.
    package var inChannels = 16
    /// Channels of the velocity that comes out.
    package var outChannels = 16
    /// Width of a token.
    package var modelChannels = 1024
    /// Width of an image token.
    package var condChannels = 1024
    /// Transformer blocks.
    package var numBlocks = 24
    /// Heads of the queries: a divisor of `modelChannels`.
    package var numHeads = 32
    /// Heads of keys and values: a divisor of `numHeads`.
    package var numKVHeads = 2
    /// Side of a compression cell, in tokens.
    package var compressionBlockSize = 4
    /// Side of a selection block, in tokens: a multiple of `compressionBlockSize`.
    package var selectionBlockSize = 8
    /// Blocks selected for each token.
    package var topk = 8
    /// How a cell's keys and values become one.
    package var compressionVersion = CompressionVersion.v2
    /// Width of the hidden layer of an MLP over that of a token.
    package var mlpRatio = 4.0
    /// Whether all blocks share one modulation.
    package var shareMod = false
    /// Accepted and without effect: the sparse transformer has no norm on queries and keys (SPEC §6, Q5).
    package var qkRMSNorm = false
    /// Whether queries and keys of cross-attention are normalised, head by head.
    package var qkRMSNormCross = false
    /// Whether the tokens of the object alone are the condition, projected and with their places.
    package var sparseConditions = false
    /// Multiplies the coordinates before they are embedded.
    package var factor = 1.0
    /// Side of a window, in tokens.
    package var windowSize = 8
    /// Without it every block is shifted, not none (SPEC §6, Q8).
    package var useShift = true
    /// Accepted and without effect: the precision is chosen when the network runs.
    package var useFP16 = false

    /// The constructor's defaults.
    package init() {}

    /// Width of a head.
    package var headChannels: Int { modelChannels / numHeads }
    /// Channels of keys, and of values.
    package var kvChannels: Int { numKVHeads * headChannels }
    /// Width of the hidden layer of an MLP.
    package var hiddenChannels: Int { Int(Double(modelChannels) * mlpRatio) }

    /// - Throws: `badData` naming the key that is missing, of another type or out of range.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        resolution = try reader.int("resolution")
        inChannels = try reader.int("in_channels")
        outChannels = try reader.int("out_channels")
        modelChannels = try reader.int("model_channels")
        condChannels = try reader.int("cond_channels")
        numBlocks = try reader.int("num_blocks", in: 1...1024)
        numHeads = try reader.heads(channels: modelChannels)
        numKVHeads = try reader.int("num_kv_heads", default: 2)
        compressionBlockSize = try reader.int("compression_block_size", default: 4, in: 1...64)
        selectionBlockSize = try reader.int("selection_block_size", default: 8, in: 1...64)
        topk = try reader.int("topk", default: 8)
        compressionVersion = try reader.choice("compression_version", default: .v2)
        mlpRatio = try reader.ratio("mlp_ratio")
        shareMod = try reader.bool("share_mod", default: false)
        qkRMSNorm = try reader.bool("qk_rms_norm", default: false)
        qkRMSNormCross = try reader.bool("qk_rms_norm_cross", default: false)
        sparseConditions = try reader.bool("sparse_conditions", default: false)
        factor = try reader.double("factor", default: 1)
        windowSize = try reader.int("window_size", default: 8, in: 1...64)
        useShift = try reader.bool("use_shift", default: true)
        useFP16 = try reader.bool("use_fp16", default: false)
        try reader.requireAbsolutePositions()
        guard numHeads % numKVHeads == 0 else {
            throw .badData(
                place: "\(reader.path).num_kv_heads", "\(numKVHeads)", expected: "a divisor of the \(numHeads) heads")
        }
        guard selectionBlockSize % compressionBlockSize == 0 else {
            throw .badData(
                place: "\(reader.path).selection_block_size", "\(selectionBlockSize)",
                expected: "a multiple of compression_block_size, \(compressionBlockSize)")
        }
    }

    /// The tensors of this network, by their names in a released state dictionary.
    package var expectedTensors: [ExpectedTensor] {
        var list = TensorLister()
        let channels = modelChannels
        list.timestepEmbedder(channels)
        if shareMod { list.linear("adaLN_modulation.1", channels, 6 * channels) }
        if sparseConditions { list.linear("cond_proj", condChannels, condChannels) }
        list.linear("input_layer", inChannels, channels)
        for block in 0..<numBlocks {
            let name = "blocks.\(block)"
            list.norm(name + ".norm2", channels)
            listAttention(&list, name + ".self_attn")
            list.crossAttention(
                name + ".cross_attn", channels, context: condChannels, heads: numHeads, headNorm: qkRMSNormCross)
            list.mlp(name + ".mlp", channels, hidden: hiddenChannels)
            if !shareMod { list.linear(name + ".adaLN_modulation.1", channels, 6 * channels) }
        }
        list.linear("out_layer", channels, outChannels)
        return list.tensors
    }

    private func listAttention(_ list: inout TensorLister, _ name: String) {
        let side = compressionBlockSize
        list.add(name + ".intra_block_pe", [side, side, side, kvChannels])
        list.linear(name + ".proj_q", modelChannels, modelChannels, bias: false)
        list.linear(name + ".proj_k", modelChannels, kvChannels, bias: false)
        list.linear(name + ".proj_v", modelChannels, kvChannels, bias: false)
        list.linear(name + ".proj_o", modelChannels, modelChannels, bias: false)
        for part in ["compression_key", "compression_value"] {
            let net = "\(name).\(part)"
            switch compressionVersion {
            case .v1:
                list.pointConv(net + ".act_layers.0", kvChannels, kvChannels)
            case .v2:
                list.norm(net + ".act_layers.0", kvChannels)
                list.sparseConv(net + ".out_layers.0", kvChannels, kvChannels)
                list.norm(net + ".out_layers.1", kvChannels)
                list.sparseConv(net + ".out_layers.3", kvChannels, kvChannels)
            }
        }
        list.linear(name + ".gate.0", modelChannels, 3, bias: false)
    }
}
