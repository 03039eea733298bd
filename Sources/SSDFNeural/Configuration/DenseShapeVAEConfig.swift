import SSDFCore

/// The dense occupancy auto-encoder (SPEC §9), with the constructor's defaults.
package struct DenseShapeVAEConfig: Sendable, Equatable {
    /// Channels of a latent.
    package var embedDim = 8
    /// Channels of the grid that comes in.
    package var inChannels = 1
    /// Channels of the grid that comes out.
    package var outChannels = 1
    /// Widths from fine to coarse.
    package var encoderChannels = [32, 128, 512]
    /// Widths from coarse to fine.
    package var decoderChannels = [512, 128, 32]
    /// Residual blocks of each of the encoder's levels.
    package var encoderResBlocks = 2
    /// Residual blocks on the encoder's coarsest level, after the others.
    package var encoderMiddleBlocks = 2
    /// Residual blocks of each of the decoder's levels.
    package var decoderResBlocks = 2
    /// Residual blocks on the decoder's coarsest level, before the others.
    package var decoderMiddleBlocks = 2
    /// What a sampled latent is divided by before it is decoded; not 0.
    package var latentsScale = 1.0
    /// What is added to it then.
    package var latentsShift = 0.0
    /// Accepted and without effect: the precision is chosen when the network runs.
    package var useFP16 = false

    /// The constructor's defaults.
    package init() {}

    /// - Throws: `badData` naming the key that is missing, of another type or out of range.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        embedDim = try reader.int("embed_dim")
        inChannels = try reader.int("in_channels", default: 1)
        outChannels = try reader.int("out_channels", default: 1)
        encoderChannels = try reader.ints("model_channels_encoder", default: [32, 128, 512])
        decoderChannels = try reader.ints("model_channels_decoder", default: [512, 128, 32])
        encoderResBlocks = try reader.int("num_res_blocks_encoder", default: 2, in: 0...64)
        encoderMiddleBlocks = try reader.int("num_res_blocks_middle_encoder", default: 2, in: 0...64)
        decoderResBlocks = try reader.int("num_res_blocks_decoder", default: 2, in: 0...64)
        decoderMiddleBlocks = try reader.int("num_res_blocks_middle_decoder", default: 2, in: 0...64)
        latentsScale = try reader.double("latents_scale", default: 1)
        latentsShift = try reader.double("latents_shift", default: 0)
        useFP16 = try reader.bool("use_fp16", default: false)
        reader.ignore("use_checkpoint")
        guard latentsScale != 0 else {
            throw .badData(place: "\(reader.path).latents_scale", "0", expected: "another number")
        }
    }

    /// The tensors of this network, by their names in a released state dictionary.
    package var expectedTensors: [ExpectedTensor] {
        var list = TensorLister()
        list.conv("encoder.input_layer", inChannels, encoderChannels[0])
        var index = 0
        for (level, channels) in encoderChannels.enumerated() {
            for _ in 0..<encoderResBlocks {
                listResBlock(&list, "encoder.blocks.\(index)", channels)
                index += 1
            }
            if level + 1 < encoderChannels.count {
                list.conv("encoder.blocks.\(index).conv", channels, encoderChannels[level + 1], kernel: 2)
                index += 1
            }
        }
        let coarse = encoderChannels[encoderChannels.count - 1]
        for block in 0..<encoderMiddleBlocks { listResBlock(&list, "encoder.middle_block.\(block)", coarse) }
        list.norm("encoder.out_layer.0", coarse)
        list.conv("encoder.out_layer.2", coarse, 2 * embedDim)

        list.conv("decoder.input_layer", embedDim, decoderChannels[0])
        for block in 0..<decoderMiddleBlocks {
            listResBlock(&list, "decoder.middle_block.\(block)", decoderChannels[0])
        }
        index = 0
        for (level, channels) in decoderChannels.enumerated() {
            for _ in 0..<decoderResBlocks {
                listResBlock(&list, "decoder.blocks.\(index)", channels)
                index += 1
            }
            if level + 1 < decoderChannels.count {
                // Eight values for each voxel, which a shuffle spreads over its eight halves.
                list.conv("decoder.blocks.\(index).conv", channels, 8 * decoderChannels[level + 1])
                index += 1
            }
        }
        let fine = decoderChannels[decoderChannels.count - 1]
        list.norm("decoder.out_layer.0", fine)
        list.conv("decoder.out_layer.2", fine, outChannels)
        return list.tensors
    }

    private func listResBlock(_ list: inout TensorLister, _ name: String, _ channels: Int) {
        list.norm(name + ".norm1", channels)
        list.norm(name + ".norm2", channels)
        list.conv(name + ".conv1", channels, channels)
        list.conv(name + ".conv2", channels, channels)
    }
}
