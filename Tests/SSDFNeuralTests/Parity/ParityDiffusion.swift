import Foundation
import SSDFCore
import SSDFNeural
import SSDFTensor

/// The modules of the diffusion transformer and of the dense autoencoder.
extension ParityModule {
    private static func attentionOptions(
        _ parity: ParityCase, channels: Int
    ) throws -> SpatialSparseAttention.Options {
        let heads = try parity.integer("num_heads")
        var options = SpatialSparseAttention.Options(
            channels: channels, queryHeads: heads, keyHeads: parity.integer("num_kv_heads", default: 2),
            headDimension: channels / heads)
        options.compressionSize = parity.integer("compression_block_size", default: 4)
        options.selectionSize = parity.integer("selection_block_size", default: 8)
        options.best = parity.integer("topk", default: 8)
        options.windowSize = parity.integer("window_size", default: 8)
        options.windowShift = parity.integer("shift_window", default: 0)
        options.compression = .init(rawValue: parity.string("compression_version", default: "v2")) ?? .residual
        return options
    }

    @Sendable static func modulatedBlock(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let block = try ModulatedSparseBlock(
            parity.source, attention: attentionOptions(parity, channels: parity.integer("channels")),
            contextChannels: parity.integer("ctx_channels"), crossHeads: parity.integer("num_heads"),
            ratio: parity.number("mlp_ratio", default: 4), sharesModulation: parity.flag("share_mod"))
        let x = try parity.sparse()
        let context = try parity.input("context")
        let (items, length) = (context.shape[0], context.shape[1])
        let plan = AttentionPlan(
            queries: x.coordinates.layout, keys: (0..<items).map { $0 * length..<($0 + 1) * length })
        let y = try block(
            x, time: parity.input("mod"), context: compute.reshape(context, [items * length, context.shape[2]]),
            plan: plan, compute)
        return ["out.feats": .floats(y.features)]
    }

    static func transformer(
        _ parity: ParityCase, _ source: ParameterSource
    ) throws -> SparseDiffusionTransformer {
        var options = SparseDiffusionTransformer.Options(
            inputs: try parity.integer("in_channels"), outputs: try parity.integer("out_channels"),
            contextChannels: try parity.integer("cond_channels"), blocks: try parity.integer("num_blocks"),
            attention: try attentionOptions(parity, channels: parity.integer("model_channels")))
        options.ratio = parity.number("mlp_ratio", default: 4)
        options.positionFactor = Float(parity.number("factor", default: 1))
        options.alternatesShift = parity.config["use_shift"] == nil || parity.flag("use_shift")
        options.sharesModulation = parity.flag("share_mod")
        options.normalizesCrossHeads = parity.flag("qk_rms_norm_cross")
        options.hasSparseConditions = parity.flag("sparse_conditions")
        return try SparseDiffusionTransformer(source, options)
    }

    private static func condition(_ parity: ParityCase) throws -> SparseDiffusionTransformer.Condition {
        if let tokens = parity.floats["mid.cond_feats"], let (shape, values) = parity.integers["mid.cond_coords"] {
            let rows = (0..<shape[0]).map { row -> SIMD4<Int32> in
                var place = SIMD4<Int32>()
                for axis in 0..<4 { place[axis] = Int32(values[row * 4 + axis]) }
                return place
            }
            return .sparse(SparseTensor(features: tokens, coordinates: try CoordinateSet(Buffer(rows))))
        }
        return .dense(try parity.input("cond"))
    }

    @Sendable static func sparseTransformer(
        _ parity: ParityCase, _ compute: Compute
    ) throws -> [String: ParityValue] {
        let source = parity.source
        let model = try transformer(parity, source)
        let t = try parity.input("t").array
        let given = try condition(parity)
        var results: [String: ParityValue] = [:]
        if parity.floats["in.x0"] != nil {
            // Flow matching: x_σ = (1 − σ)x₀ + σn, the target is n − x₀.
            let (clean, noise) = (try parity.input("x0"), try parity.input("noise"))
            let coordinates = try parity.coordinates()
            let parts = coordinates.layout.enumerated().map { item, rows in
                let σ = t[item] / 1000
                return compute.add(
                    compute.affine(compute.rows(clean, rows), scale: 1 - σ), compute.rows(noise, rows), scale: σ)
            }
            let mixed = compute.stack(parts)
            let target = compute.add(noise, clean, scale: -1)
            let x = SparseTensor(features: mixed, coordinates: coordinates)
            let loss = try compute.differentiate {
                let predicted = try model(x, t: t, given, compute)
                results["out.pred"] = .floats(predicted.features)
                return compute.squaredError(predicted.features, target)
            }
            results["mid.x_t"] = .floats(mixed)
            results["out.loss"] = .floats(Tensor([loss], shape: [1]))
            for parameter in source.registry.parameters {
                results["grad.w.\(parameter.name)"] = parameter.gradient.map { .floats($0) }
            }
            return results
        }
        let x = try parity.sparse()
        let y = try model(x, t: t, given, compute) { index, h in
            results["mid.block\(index)_out"] = .floats(h.features)
        }
        results["out.feats"] = .floats(y.features)
        results["out.feats_uncond"] = .floats(try model(x, t: t, given.emptied(compute), compute).features)
        return results
    }

    @Sendable static func denseAutoencoder(
        _ parity: ParityCase, _ compute: Compute
    ) throws -> [String: ParityValue] {
        let latent = try parity.integer("embed_dim")
        let encoder = try DenseShapeNetwork(
            parity.source.scoped("encoder"), .encoder, inputs: parity.integer("in_channels", default: 1),
            outputs: 2 * latent, widths: parity.integers("model_channels_encoder"),
            blocks: parity.integer("num_res_blocks_encoder", default: 2),
            middleBlocks: parity.integer("num_res_blocks_middle_encoder", default: 2))
        let decoder = try DenseShapeNetwork(
            parity.source.scoped("decoder"), .decoder, inputs: latent,
            outputs: parity.integer("out_channels", default: 1), widths: parity.integers("model_channels_decoder"),
            blocks: parity.integer("num_res_blocks_decoder", default: 2),
            middleBlocks: parity.integer("num_res_blocks_middle_decoder", default: 2))
        let voxels = compute.affine(try parity.input("voxels"), scale: 2, shift: -1)
        let encoded = encoder(compute.channelsLast(voxels), compute)
        let flat = compute.reshape(encoded, [encoded.count / (2 * latent), 2 * latent])
        let gaussian = DiagonalGaussian(flat, compute)
        func volume(_ x: Tensor) -> Tensor {
            compute.channelsFirst(compute.reshape(x, encoded.shape.dropLast() + [latent]))
        }
        let logits = compute.channelsFirst(decoder(compute.channelsLast(try parity.input("latents")), compute))
        var results: [String: ParityValue] = [
            "out.logits": .floats(logits), "out.encoded_mean": .floats(volume(gaussian.mean)),
            "out.encoded_logvar": .floats(volume(gaussian.logVariance)),
        ]
        let chances = compute.apply(.sigmoid, logits)
        let side = logits.shape[4]
        let size = side * logits.shape[2] * logits.shape[3]
        for name in parity.expected where name.hasPrefix("out.index_") {
            let parts = name.dropFirst("out.index_".count).components(separatedBy: "_item")
            guard parts.count == 2, let threshold = Float(parts[0]), let item = Int(parts[1]) else { continue }
            var rows: [Int] = []
            for place in 0..<size where chances.elements[item * size + place] >= threshold {
                rows += [0, place / side / logits.shape[3], place / side % logits.shape[3], place % side]
            }
            results[name] = .integers(rows)
        }
        return results
    }
}
