import Foundation
import SSDFCore
import SSDFNeural
import SSDFTensor

/// The modules of the dense transformer, the image encoder and the sampler.
extension ParityModule {
    @Sendable static func denseTransformer(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        var config = DenseDiTConfig()
        config.resolution = try parity.integer("resolution")
        config.inChannels = try parity.integer("in_channels")
        config.outChannels = try parity.integer("out_channels")
        config.modelChannels = try parity.integer("model_channels")
        config.condChannels = try parity.integer("cond_channels")
        config.numBlocks = try parity.integer("num_blocks")
        config.numHeads = try parity.integer("num_heads")
        config.mlpRatio = parity.number("mlp_ratio", default: 4)
        config.patchSize = parity.integer("patch_size", default: 2)
        config.shareMod = parity.flag("share_mod")
        config.qkRMSNorm = parity.flag("qk_rms_norm")
        config.qkRMSNormCross = parity.flag("qk_rms_norm_cross")
        let model = try DenseDiffusionTransformer(parity.source, config)
        let x = try parity.input("x")
        let t = try parity.input("t").array
        let condition = try parity.input("cond")
        var results: [String: ParityValue] = [:]
        let y = model(x, t: t, condition: condition, compute) { index, h in
            results["mid.block\(index)_out"] = .floats(h)
        }
        results["out.x"] = .floats(y)
        if parity.floats["out.x_uncond"] != nil {
            results["out.x_uncond"] = .floats(model(x, t: t, condition: compute.zeros(condition.shape), compute))
        }
        return results
    }

    @Sendable static func imageEncoder(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        var config = DinoEncoderConfig()
        config.imageSize = try parity.integer("img_size")
        config.patchSize = try parity.integer("patch_size")
        config.embedDim = try parity.integer("embed_dim")
        config.depth = try parity.integer("depth")
        config.numHeads = try parity.integer("num_heads")
        config.registerTokens = try parity.integer("num_register_tokens")
        config.interpolateAntialias = parity.flag("interpolate_antialias")
        config.interpolateOffset = parity.number("interpolate_offset", default: 0)
        let encoder = try ImageEncoder(parity.source.scoped("encoder"), config)
        let image = try parity.input("image")
        var results: [String: ParityValue] = [:]
        let tokens = encoder(image, compute) { name, value in results["mid.\(name)"] = .floats(value) }
        results["out.tokens"] = .floats(tokens)
        let mask = PatchMask(try parity.input("mask"), patch: config.patchSize)
        results["out.patch_mask"] = .integers(mask.isCovered.map { $0 ? 1 : 0 })
        let sparse = try mask.condition(tokens, leading: encoder.leadingTokens, compute)
        results["out.sparse_feats"] = .floats(sparse.features)
        results["out.sparse_coords"] = .coordinates(sparse.coordinates)
        return results
    }

    @Sendable static func scheduler(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        var results: [String: ParityValue] = [:]
        for name in parity.expected where name.hasPrefix("out.") {
            let parts = name.split(separator: "_")
            guard parts.count == 3, let steps = Int(parts[1]), let shift = Double(parts[2]) else { continue }
            var config = SchedulerConfig()
            config.trainTimesteps = try parity.integer("num_train_timesteps")
            config.shift = shift
            let schedule = FlowMatchingSchedule(config, steps: steps)
            let values = parts[0] == "out.sigmas" ? schedule.sigmas : schedule.timesteps
            results[name] = .floats(Tensor(values, shape: [values.count]))
        }
        return results
    }

    @Sendable static func trajectory(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let model = try transformer(parity, parity.source)
        var config = SchedulerConfig()
        config.shift = parity.number("shift", default: 1)
        let schedule = FlowMatchingSchedule(config, steps: try parity.integer("steps"))
        let condition = SparseDiffusionTransformer.Condition.dense(try parity.input("cond"))
        let coordinates = try parity.coordinates()
        var x = try parity.input("noise")
        let guidance = Float(parity.number("guidance_scale", default: 7))
        var results: [String: ParityValue] = [:]
        for step in 0..<schedule.steps {
            let latents = SparseTensor(features: x, coordinates: coordinates)
            let t = [Float](repeating: schedule.timesteps[step], count: coordinates.layout.count)
            let with = try model(latents, t: t, condition, compute).features
            let without = try model(latents, t: t, condition.emptied(compute), compute).features
            x = schedule.step(step, x, velocity: guided(with, without, scale: guidance, compute), compute)
            results["mid.step\(step)_pred_cond"] = .floats(with)
            results["mid.step\(step)_pred_uncond"] = .floats(without)
            results["mid.step\(step)_latents"] = .floats(x)
        }
        results["out.latents"] = .floats(x)
        results["out.decoder_input"] = .floats(
            compute.affine(
                x, scale: Float(1 / parity.number("latents_scale", default: 1)),
                shift: Float(parity.number("latents_shift", default: 0))))
        return results
    }
}
