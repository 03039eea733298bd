import SSDFCore
import SSDFNeural
import SSDFTensor

/// What computes the cases of a reference class.
struct ParityModule: Sendable {
    let run: @Sendable (ParityCase, Compute) throws -> [String: ParityValue]

    /// The module of a sidecar's class; nil for a class nobody has heard of.
    static func named(_ referenceClass: String) -> ParityModule? {
        if let module = modules[referenceClass] { return module }
        // Sidecars write classes with or without their package.
        let last = referenceClass.split(separator: ".").last.map(String.init) ?? referenceClass
        return modules[last]
    }

    private static let modules: [String: ParityModule] = [
        "SparseConv3d": ParityModule(run: convolution),
        "SparseGroupNorm32": ParityModule(run: groupNorm),
        "SparseDownsample": ParityModule(run: downsample),
        "SparseSubdivide": ParityModule(run: subdivide),
        "SparseDownBlock3d": ParityModule(run: downBlock),
        "SparseSubdivideBlock3d": ParityModule(run: subdivideBlock),
        "SparseGELU(tanh) / nn.GELU / SiLU / LayerNorm32(1e-6) / F.layer_norm(1e-5) / SparseGroupNorm32(1e-5) / "
            + "MultiHeadRMSNorm / ChannelLayerNorm32(1e-5)": ParityModule(run: pointwise),
        "sparse_windowed_scaled_dot_product_self_attention": ParityModule(run: windowedAttention),
        "same, uniform path (every window holds exactly 8 tokens)": ParityModule(run: windowedAttention),
        "SparseTransformerBlock": ParityModule(run: transformerBlock),
        "SparseMultiHeadAttention(type=cross)": ParityModule(run: crossAttention),
        "SparseSDFDecoder": ParityModule(run: sparseDecoder),
        "SparseSDFEncoder": ParityModule(run: sparseEncoder),
        "SparseSDFVAE": ParityModule(run: sparseAutoencoder),
        "sparse2mesh": ParityModule(run: denseSurface),
        "SpatialSparseAttention": ParityModule(run: spatialSparseAttention),
        "ModulatedSparseTransformerCrossBlock": ParityModule(run: modulatedBlock),
        "TimestepEmbedder(96), AbsolutePositionEmbedder": ParityModule(run: embeddings),
        "SparseDiT": ParityModule(run: sparseTransformer),
        "DenseDiT": ParityModule(run: denseTransformer),
        "DenseShapeVAE": ParityModule(run: denseAutoencoder),
        "DinoEncoder": ParityModule(run: imageEncoder),
        "FlowMatchEulerDiscreteScheduler": ParityModule(run: scheduler),
        "diffusers.FlowMatchEulerDiscreteScheduler (0.42.1)": ParityModule(run: scheduler),
        "pipeline sampling loop": ParityModule(run: trajectory),
        "models.refiner.unet_refiner.adaptive_conv/adaptive_block": ParityModule(run: adaptive),
        "GeoDecoder(32)": ParityModule(run: featureDecoder),
        "Voxel_RefinerXL_sign": ParityModule(run: signRefiner),
        "Voxel_RefinerXL": ParityModule(run: valueRefiner),
        "Voxel_RefinerXL.run (crop, blend)": ParityModule(run: blending),
        "UNet3DModel": ParityModule(run: volumeUNet),
        "DiagonalGaussianDistribution": ParityModule(run: gaussian),
        "utils.mesh.normalize_mesh + mesh2index": ParityModule(run: meshStructure),
        "sort_block": ParityModule(run: sortBlock),
    ]

    @Sendable private static func convolution(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue]
    {
        let layer = try SparseConvolution(
            parity.source, inputs: parity.integer("in_channels"), outputs: parity.integer("out_channels"),
            side: parity.integer("kernel_size"))
        return ["out.feats": .floats(layer(try parity.sparse(), compute).features)]
    }

    @Sendable private static func groupNorm(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let layer = try SparseGroupNorm(
            parity.source, channels: parity.integer("num_channels"), groups: parity.integer("num_groups"),
            epsilon: Float(parity.number("eps", default: 1e-5)))
        return ["out.feats": .floats(layer(try parity.sparse(), compute).features)]
    }

    @Sendable private static func downsample(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let x = try parity.sparse()
        let factor = try parity.integer("factor")
        let y = compute.downsample(x, by: factor)
        return [
            "out.feats": .floats(y.features), "out.coords": .coordinates(y.coordinates),
            "out.cell_index": .integers(x.coordinates.coarser(by: factor).map.index.array.map { Int($0) }),
        ]
    }

    @Sendable private static func subdivide(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let y = compute.subdivide(try parity.sparse())
        return ["out.feats": .floats(y.features), "out.coords": .coordinates(y.coordinates)]
    }

    @Sendable private static func downBlock(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let block = try SparseDownBlock(
            parity.source, inputs: parity.integer("channels"), outputs: parity.integer("out_channels"),
            groups: parity.integer("num_groups", default: 32))
        let y = block(try parity.sparse(), compute)
        return ["out.feats": .floats(y.features), "out.coords": .coordinates(y.coordinates)]
    }

    @Sendable private static func subdivideBlock(_ parity: ParityCase, _ compute: Compute) throws -> [String:
        ParityValue]
    {
        let block = try SparseSubdivideBlock(
            parity.source, inputs: parity.integer("channels"), outputs: parity.integer("out_channels"))
        let y = block(try parity.sparse(), compute)
        return ["out.feats": .floats(y.features), "out.coords": .coordinates(y.coordinates)]
    }

    @Sendable private static func pointwise(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let x = try parity.input("x")
        let small = SparseTensor(features: try parity.input("small"), coordinates: try parity.coordinates())
        let channels = small.channels
        let volume = try parity.input("volume")
        let voxels = volume.count / volume.shape[0] / channels
        let batched = compute.reshape(volume, [volume.shape[0], channels, voxels])
        let normed = compute.layerNorm(
            compute.transpose(batched), weight: try parity.weight("channel_ln.weight"),
            bias: try parity.weight("channel_ln.bias"), epsilon: 1e-5)
        let groupNorm = try SparseGroupNorm(parity.source.scoped("group_norm"), channels: channels)
        return [
            "out.mlp_gelu": .floats(compute.apply(.geluTanh, x)),
            "out.dino_gelu": .floats(compute.apply(.geluErf, x)),
            "out.silu": .floats(compute.apply(.silu, x)),
            "out.block_layernorm": .floats(compute.layerNorm(small.features, epsilon: 1e-6)),
            "out.final_layernorm": .floats(compute.layerNorm(small.features, epsilon: 1e-5)),
            "out.group_norm": .floats(groupNorm(small, compute).features),
            "out.rms": .floats(
                compute.rmsNorm(try parity.input("heads"), gamma: try parity.weight("rms.gamma"))),
            "out.channel_ln": .floats(compute.reshape(compute.transpose(normed), volume.shape)),
        ]
    }

    @Sendable private static func windowedAttention(
        _ parity: ParityCase, _ compute: Compute
    ) throws -> [String: ParityValue] {
        let coordinates = try parity.coordinates()
        let packed = try parity.input("qkv")
        let (tokens, heads, dimension) = (packed.shape[0], packed.shape[2], packed.shape[3])
        let parts = compute.split(
            compute.reshape(packed, [tokens, 3 * heads * dimension]),
            widths: [Int](repeating: heads * dimension, count: 3)
        ).map { compute.reshape($0, [tokens, heads, dimension]) }
        let size = try parity.integer("window_size")
        var results: [String: ParityValue] = [:]
        for shift in parity.config["shifts"] as? [Int] ?? [0] {
            let windows = coordinates.windows(size: size, shift: shift)
            results["out.shift\(shift)"] = .floats(
                compute.attention(parts[0], parts[1], parts[2], plan: windows.plan))
            results["mid.window_rank_shift\(shift)"] = .integers(windows.rank.map { Int($0) })
            results["mid.window_len_shift\(shift)"] = .integers(windows.lengths)
        }
        return results
    }

    @Sendable private static func transformerBlock(
        _ parity: ParityCase, _ compute: Compute
    ) throws -> [String: ParityValue] {
        let isWindowed = parity.string("attn_mode", default: "full") == "windowed"
        let block = try SparseTransformerBlock(
            parity.source, channels: parity.integer("channels"), heads: parity.integer("num_heads"),
            ratio: parity.number("mlp_ratio", default: 4),
            extent: isWindowed
                ? .windowed(
                    size: parity.integer("window_size", default: 8), shift: parity.integer("shift_window", default: 0))
                : .full,
            normalizesHeads: parity.flag("qk_rms_norm"))
        return ["out.feats": .floats(block(try parity.sparse(), compute).features)]
    }

    @Sendable private static func crossAttention(_ parity: ParityCase, _ compute: Compute) throws -> [String:
        ParityValue]
    {
        let x = try parity.sparse()
        let context = SparseTensor(
            features: try parity.input("ctx"), coordinates: try parity.coordinates("ctx_coords"))
        let layer = try CrossAttention(
            parity.source, channels: parity.integer("channels"), contextChannels: parity.integer("ctx_channels"),
            heads: parity.integer("num_heads"), normalizesHeads: parity.flag("qk_rms_norm"))
        let plan = AttentionPlan(queries: x.coordinates.layout, keys: context.coordinates.layout)
        return ["out.feats": .floats(layer(x.features, context: context.features, plan: plan, compute))]
    }
}
