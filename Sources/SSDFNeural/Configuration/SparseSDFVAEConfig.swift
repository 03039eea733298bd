import SSDFCore

/// The sparse SDF auto-encoder (SPEC §7), with the constructor's defaults.
package struct SparseSDFVAEConfig: Sendable, Equatable {
    /// Channels of a latent.
    package var embedDim = 16
    /// Side of the latent grid; the volume has eight times as many voxels along a side.
    package var resolution = 64
    /// Width of the encoder's transformer.
    package var encoderChannels = 512
    /// Transformer blocks of the encoder.
    package var encoderBlocks = 4
    /// Heads of the encoder's attention.
    package var encoderHeads = 8
    /// Width of the decoder's transformer.
    package var decoderChannels = 512
    /// Transformer blocks of the decoder.
    package var decoderBlocks = 4
    /// Heads of the decoder's attention.
    package var decoderHeads = 8
    /// Channels of a decoded voxel.
    package var outChannels = 1
    /// Width of the hidden layer of an MLP over that of a token.
    package var mlpRatio = 4.0
    /// Parts along one side of the grid that are decoded separately; 1 decodes everything at once.
    package var chunkSize = 1
    /// What a sampled latent is divided by before it is decoded; not 0.
    package var latentsScale = 1.0
    /// What is added to it then.
    package var latentsShift = 0.0
    /// Accepted and without effect: the precision is chosen when the network runs.
    package var useFP16 = false
    /// Groups of the encoder's norms.
    package var normGroups = 32
    /// Half width of the band that the encoder was trained on, in voxels; its ends are the input −1 and 1, times
    /// `valueScale`. Released configurations do not state it.
    package var truncationVoxels = 4.0
    /// What the network holds at the truncation.
    package var valueScale = 1.0
    /// Where the surface lies in the decoder's output: the released pipeline's level.
    package var isoValue = 0.2

    /// The constructor's defaults.
    package init() {}

    /// - Throws: `badData` naming the key that is missing, of another type or out of range.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        embedDim = try reader.int("embed_dim")
        resolution = try reader.int("resolution", default: 64)
        encoderChannels = try reader.int("model_channels_encoder", default: 512)
        encoderBlocks = try reader.int("num_blocks_encoder", default: 4, in: 1...1024)
        encoderHeads = try reader.int("num_heads_encoder", default: 8)
        decoderChannels = try reader.int("model_channels_decoder", default: 512)
        decoderBlocks = try reader.int("num_blocks_decoder", default: 4, in: 1...1024)
        decoderHeads = try reader.int("num_heads_decoder", default: 8)
        outChannels = try reader.int("out_channels", default: 1)
        mlpRatio = try reader.ratio("mlp_ratio")
        chunkSize = try reader.int("chunk_size", default: 1, in: 1...64)
        latentsScale = try reader.double("latents_scale", default: 1)
        latentsShift = try reader.double("latents_shift", default: 0)
        useFP16 = try reader.bool("use_fp16", default: false)
        normGroups = try reader.int("norm_groups", default: 32, in: 1...1024)
        truncationVoxels = try reader.double("truncation_voxels", default: 4)
        valueScale = try reader.double("value_scale", default: 1)
        isoValue = try reader.double("iso_value", default: 0.2)
        reader.ignore("num_head_channels_encoder", "num_head_channels_decoder", "use_checkpoint")
        for (key, channels, heads) in [
            ("encoder", encoderChannels, encoderHeads), ("decoder", decoderChannels, decoderHeads),
        ] {
            guard channels % 16 == 0, channels % heads == 0 else {
                throw .badData(
                    place: "\(reader.path).model_channels_\(key)", "\(channels)",
                    expected: "a multiple of 16 and of the \(heads) heads")
            }
        }
        guard truncationVoxels >= 1, truncationVoxels <= 64 else {
            throw .badData(
                place: "\(reader.path).truncation_voxels", "\(truncationVoxels)", expected: "1 to 64 voxels")
        }
        guard valueScale > 0, valueScale <= 1 else {
            throw .badData(
                place: "\(reader.path).value_scale", "\(valueScale)",
                expected: "a number above 0 and at most 1, the hyperbolic tangent's range")
        }
        guard abs(isoValue) < valueScale else {
            throw .badData(
                place: "\(reader.path).iso_value", "\(isoValue)", expected: "less than the value_scale, \(valueScale)")
        }
        guard latentsScale != 0 else {
            throw .badData(place: "\(reader.path).latents_scale", "0", expected: "another number")
        }
    }

    /// The tensors of this network, by their names in a released state dictionary.
    package var expectedTensors: [ExpectedTensor] {
        var list = TensorLister()
        listTransformer(
            &list, "encoder", input: encoderChannels, channels: encoderChannels, blocks: encoderBlocks,
            heads: encoderHeads)
        let coarse = encoderChannels
        let widths = [coarse / 16, coarse / 8, coarse / 4, coarse]
        list.linear("encoder.input_layer1", 1, widths[0])
        for level in 0..<3 {
            let name = "encoder.downsample.\(level)"
            let (input, output) = (widths[level], widths[level + 1])
            list.norm(name + ".act_layers.0", input)
            list.sparseConv(name + ".out_layers.0", input, output)
            list.norm(name + ".out_layers.1", output)
            list.sparseConv(name + ".out_layers.3", output, output)
            list.pointConv(name + ".skip_connection", input, output)
        }
        list.linear("encoder.out_layer", coarse, 2 * embedDim)

        listTransformer(
            &list, "decoder", input: embedDim, channels: decoderChannels, blocks: decoderBlocks, heads: decoderHeads)
        let fine = [decoderChannels, decoderChannels / 4, decoderChannels / 8, decoderChannels / 16]
        for level in 0..<3 {
            let name = "decoder.upsample.\(level)"
            list.sparseConv(name + ".act_layers.0", fine[level], fine[level + 1])
            list.sparseConv(name + ".out_layers.0", fine[level + 1], fine[level + 1])
        }
        list.linear("decoder.out_layer", fine[3], outChannels)
        return list.tensors
    }

    private func listTransformer(
        _ list: inout TensorLister, _ name: String, input: Int, channels: Int, blocks: Int, heads: Int
    ) {
        list.linear(name + ".input_layer", input, channels)
        for block in 0..<blocks {
            list.selfAttention("\(name).blocks.\(block).attn", channels, heads: heads)
            list.mlp("\(name).blocks.\(block).mlp", channels, hidden: Int(Double(channels) * mlpRatio))
        }
    }
}
