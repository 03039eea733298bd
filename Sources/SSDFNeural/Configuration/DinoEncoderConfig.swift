import SSDFCore

/// The image encoder, DINOv2 (SPEC §10).
package struct DinoEncoderConfig: Sendable, Equatable {
    /// "dinov2_vitl14_reg": the size of the network, of its patches, and whether it has registers.
    package var version = "dinov2_vitl14_reg"
    /// Side of the pictures it is given, in pixels.
    package var size = 518
    /// Side of the pictures whose position embeddings it holds, in pixels.
    package var imageSize = 518
    /// Side of a patch, in pixels.
    package var patchSize = 14
    /// Width of a token.
    package var embedDim = 1024
    /// Transformer blocks.
    package var depth = 24
    /// Heads of attention: a divisor of `embedDim`.
    package var numHeads = 16
    /// Tokens that stand for no part of the picture.
    package var registerTokens = 4
    /// Where the grid of positions is sampled when it is resized: an offset in patches (0.1 in the first release).
    package var interpolateOffset = 0.0
    /// Whether that resizing smooths before it samples.
    package var interpolateAntialias = true

    /// The encoder of the released models.
    package init() {}

    /// Width, blocks and heads of the published networks whose blocks have a plain MLP.
    private static let networks: [String: (Int, Int, Int)] = [
        "dinov2_vits14": (384, 12, 6), "dinov2_vitb14": (768, 12, 12), "dinov2_vitl14": (1024, 24, 16),
    ]

    /// - Throws: `badData` naming the key that is missing, of another type or out of range, or an unknown version.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        version = try reader.string("version", default: "dinov2_vitl14_reg")
        let base = version.hasSuffix("_reg") ? String(version.dropLast(4)) : version
        guard let (width, blocks, heads) = Self.networks[base] else {
            let names = Self.networks.keys.sorted().joined(separator: ", ")
            throw .badData(place: "\(reader.path).version", "\"\(version)\"", expected: "\(names), each also with _reg")
        }
        embedDim = try reader.int("embed_dim", default: width)
        depth = try reader.int("depth", default: blocks, in: 1...1024)
        numHeads = try reader.int("num_heads", default: heads)
        registerTokens = try reader.int("num_register_tokens", default: base == version ? 0 : 4, in: 0...64)
        patchSize = try reader.int("patch_size", default: 14, in: 1...64)
        imageSize = try reader.int("img_size", default: 518, in: 14...4096)
        size = try reader.int("size", default: 518, in: 14...4096)
        interpolateOffset = try reader.double("interpolate_offset", default: 0)
        interpolateAntialias = try reader.bool("interpolate_antialias", default: true)
        reader.ignore("model", "input_size", "init_values")
        guard embedDim % numHeads == 0 else {
            throw .badData(place: "\(reader.path).num_heads", "\(numHeads)", expected: "a divisor of \(embedDim)")
        }
    }

    /// Patches along one side of the pictures whose positions it holds.
    package var gridSide: Int { imageSize / patchSize }

    /// The tensors of this network, by the names of the published weights.
    package var expectedTensors: [ExpectedTensor] {
        var list = TensorLister()
        list.add("cls_token", [1, 1, embedDim])
        list.add("pos_embed", [1, gridSide * gridSide + 1, embedDim])
        if registerTokens > 0 { list.add("register_tokens", [1, registerTokens, embedDim]) }
        list.add("mask_token", [1, embedDim], optional: true)
        list.add("patch_embed.proj.weight", [embedDim, 3, patchSize, patchSize])
        list.add("patch_embed.proj.bias", [embedDim])
        for block in 0..<depth {
            let name = "blocks.\(block)"
            list.norm(name + ".norm1", embedDim)
            list.linear(name + ".attn.qkv", embedDim, 3 * embedDim)
            list.linear(name + ".attn.proj", embedDim, embedDim)
            list.add(name + ".ls1.gamma", [embedDim])
            list.norm(name + ".norm2", embedDim)
            list.linear(name + ".mlp.fc1", embedDim, 4 * embedDim)
            list.linear(name + ".mlp.fc2", 4 * embedDim, embedDim)
            list.add(name + ".ls2.gamma", [embedDim])
        }
        list.norm("norm", embedDim, optional: true)
        return list.tensors
    }
}
