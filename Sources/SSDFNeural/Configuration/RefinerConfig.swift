import SSDFCore

/// The refiners of dense volumes (SPEC §13), with the constructor's defaults.
package struct RefinerConfig: Sendable, Equatable {
    /// What a refiner improves.
    package enum Kind: Sendable {
        /// `Voxel_RefinerXL`: improves the values of a 512³ volume with the decoder's features.
        case values
        /// `Voxel_RefinerXL_sign`: improves the signs of a 1024³ volume.
        case sign
    }

    /// What it improves.
    package var kind: Kind
    /// Widths of the U-Net. The released classes fix them; no configuration states them.
    package var blockChannels = [8, 32, 128, 512]
    /// Convolutions of each of the U-Net's levels.
    package var layersPerBlock = 2
    /// Convolutions on its coarsest level.
    package var layersMidBlock = 2
    /// Side of a patch, in voxels.
    package var patchSize = 192
    /// Side of the volume the U-Net runs on, in voxels.
    package var resolution = 512
    /// Channels of the volume that comes in.
    package var inChannels = 1
    /// Channels of the volume that comes out.
    package var outChannels = 1
    /// Accepted and without effect: the precision is chosen when the network runs.
    package var useFP16 = false

    /// The constructor's defaults.
    package init(kind: Kind) { self.kind = kind }

    /// - Throws: `badData` naming the key that is missing, of another type or out of range.
    package init(_ reader: inout ConfigReader, kind: Kind) throws(Failure) {
        self.kind = kind
        blockChannels = try reader.ints("block_out_channels", default: [8, 32, 128, 512])
        layersPerBlock = try reader.int("layers_per_block", default: 2, in: 1...64)
        layersMidBlock = try reader.int("layers_mid_block", default: 2, in: 0...64)
        patchSize = try reader.int("patch_size", default: 192, in: 1...4096)
        resolution = try reader.int("res", default: 512, in: 1...4096)
        inChannels = try reader.int("in_channels", default: 1)
        outChannels = try reader.int("out_channels", default: 1)
        useFP16 = try reader.bool("use_fp16", default: false)
        reader.ignore("use_checkpoint", "infer_patch_size")
    }

    /// Channels between the layers around the U-Net, which the released classes fix like its widths.
    package static let bodyChannels = 8
    /// Channels of the decoder's features.
    package static let featureChannels = 32

    /// The tensors of this network, by their names in a released state dictionary.
    package var expectedTensors: [ExpectedTensor] {
        var list = TensorLister()
        let body = Self.bodyChannels
        let feature = Self.featureChannels
        listUNet(&list, "unet3d1", input: kind == .values ? 2 * body : body)
        list.conv("conv_in", inChannels, body)
        if kind == .values {
            for layer in [0, 2, 4] { list.linear("latent_mlp.net.\(layer)", feature, feature) }
            list.linear("latent_mlp.net.6", feature, body)
            for number in 1...3 {
                list.conv("adaptive_conv\(number).0", blockChannels[0], body)
                list.conv("adaptive_conv\(number).2", body, 27, bias: false)
            }
            list.conv("mid_conv", blockChannels[0], body)
        }
        list.conv("conv_out", body, outChannels)
        return list.tensors
    }

    private func listUNet(_ list: inout TensorLister, _ name: String, input: Int) {
        let widths = blockChannels
        list.conv(name + ".conv_in", input, widths[0])
        // What the way down leaves for the way up, last on top.
        var skips = [widths[0]]
        var channels = widths[0]
        for (level, width) in widths.enumerated() {
            for layer in 0..<layersPerBlock {
                listResNet(&list, "\(name).down_blocks.\(level).resnets.\(layer)", channels, width)
                channels = width
                skips.append(width)
            }
            if level + 1 < widths.count {
                list.conv("\(name).down_blocks.\(level).downsamplers.0.conv", width, width, kernel: 2)
                skips.append(width)
            }
        }
        for layer in 0...layersMidBlock {
            listResNet(&list, "\(name).mid_block.resnets.\(layer)", channels, channels)
        }
        for (level, width) in widths.reversed().enumerated() {
            for layer in 0...layersPerBlock {
                listResNet(&list, "\(name).up_blocks.\(level).resnets.\(layer)", channels + skips.removeLast(), width)
                channels = width
            }
            if level + 1 < widths.count {
                list.conv("\(name).up_blocks.\(level).upsamplers.0.conv", width, width, kernel: 2)
            }
        }
        list.norm(name + ".conv_norm_out", widths[0])
    }

    private func listResNet(_ list: inout TensorLister, _ name: String, _ input: Int, _ output: Int) {
        list.norm(name + ".norm1", input)
        list.conv(name + ".conv1", input, output)
        list.norm(name + ".norm2", output)
        list.conv(name + ".conv2", output, output)
        if input != output { list.conv(name + ".conv_shortcut", input, output, kernel: 1) }
    }

    /// The same configuration with the widths that the weights have: where the file's shapes are known, they decide
    /// what no configuration states.
    package func adapted(toShapes shape: (String) -> [Int]?) -> Self {
        var copy = self
        for level in blockChannels.indices {
            let bias = shape("unet3d1.down_blocks.\(level).resnets.0.conv1.bias")
            if let bias, bias.count == 1, 1...65536 ~= bias[0] { copy.blockChannels[level] = bias[0] }
        }
        return copy
    }
}
