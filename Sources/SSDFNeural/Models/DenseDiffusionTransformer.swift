import SSDFCore
import SSDFTensor

/// A block of the dense diffusion transformer: full self-attention and a feed-forward network, both modulated by the
/// timestep, around cross attention to the condition, which is not (SPEC §8). Parameters as those of the sparse one,
/// with `self_attn.to_qkv.*`, `self_attn.to_out.*`.
struct ModulatedDenseBlock: Sendable {
    let attention: SelfAttention
    let crossNorm: (weight: Parameter, bias: Parameter)
    let crossAttention: CrossAttention
    let feedForward: FeedForward
    let modulation: Linear?

    init(_ source: ParameterSource, _ config: DenseDiTConfig) throws(Failure) {
        let channels = config.modelChannels
        attention = try SelfAttention(
            source.scoped("self_attn"), channels: channels, heads: config.numHeads,
            normalizesHeads: config.qkRMSNorm)
        let norm = source.scoped("norm2")
        crossNorm = (try norm.parameter("weight", [channels]), try norm.parameter("bias", [channels]))
        crossAttention = try CrossAttention(
            source.scoped("cross_attn"), channels: channels, contextChannels: config.condChannels,
            heads: config.numHeads, normalizesHeads: config.qkRMSNormCross)
        feedForward = try FeedForward(source.scoped("mlp"), channels: channels, ratio: config.mlpRatio)
        modulation =
            config.shareMod
            ? nil : try Linear(source.scoped("adaLN_modulation.1"), inputs: channels, outputs: 6 * channels)
    }

    /// - Parameters:
    ///   - x: `[items · tokens, C]`
    ///   - time: `[items, C]`, the timestep's embedding; or `[items, 6C]`, the shared modulation.
    ///   - layout: rows of each item.
    ///   - plans: every token of an item with every token, and with every row of its context.
    func callAsFunction(
        _ x: Tensor, time: Tensor, context: Tensor, layout: [Range<Int>],
        plans: (own: AttentionPlan, context: AttentionPlan), _ compute: Compute
    ) -> Tensor {
        let mixed = modulation.map { $0(compute.apply(.silu, time), compute) } ?? time
        let parts = compute.split(mixed, widths: [Int](repeating: x.columns, count: 6))
        func modulated(_ h: Tensor, shift: Tensor, scale: Tensor) -> Tensor {
            compute.layerNorm(
                h, weight: compute.affine(scale, scale: 1, shift: 1), bias: shift, epsilon: 1e-6, segments: layout)
        }
        func added(_ h: Tensor, _ y: Tensor, gate: Tensor) -> Tensor {
            compute.add(h, y, times: gate, segments: layout)
        }
        var h = x
        h = added(
            h, attention(modulated(h, shift: parts[0], scale: parts[1]), plan: plans.own, compute), gate: parts[2])
        let normed = compute.layerNorm(h, weight: crossNorm.weight.value, bias: crossNorm.bias.value, epsilon: 1e-6)
        h = compute.add(h, crossAttention(normed, context: context, plan: plans.context, compute))
        return added(h, feedForward(modulated(h, shift: parts[3], scale: parts[4]), compute), gate: parts[5])
    }
}

/// The dense diffusion transformer: predicts the velocity of a small dense latent volume from a timestep and an image's
/// tokens (SPEC §8).
///
/// Parameters `pos_emb`, `t_embedder.mlp.*`, `input_layer.*`, `blocks.i.*`, `adaLN_modulation.1.*` (one modulation for
/// all blocks only), `out_layer.*`.
package struct DenseDiffusionTransformer: Sendable {
    /// Its sizes.
    package let config: DenseDiTConfig
    let position: Parameter
    let time: TimestepEmbedding
    let input: Linear
    let blocks: [ModulatedDenseBlock]
    let modulation: Linear?
    let output: Linear

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, _ config: DenseDiTConfig) throws(Failure) {
        self.config = config
        let channels = config.modelChannels
        position = try source.parameter("pos_emb", [config.tokenCount, channels])
        time = try TimestepEmbedding(source.scoped("t_embedder"), channels: channels)
        input = try Linear(
            source.scoped("input_layer"), inputs: config.inChannels * config.patchVolume, outputs: channels)
        var blocks: [ModulatedDenseBlock] = []
        for index in 0..<config.numBlocks {
            blocks.append(try ModulatedDenseBlock(source.scoped("blocks.\(index)"), config))
        }
        self.blocks = blocks
        modulation =
            config.shareMod
            ? try Linear(source.scoped("adaLN_modulation.1"), inputs: channels, outputs: 6 * channels) : nil
        output = try Linear(
            source.scoped("out_layer"), inputs: channels, outputs: config.outChannels * config.patchVolume)
    }

    /// The velocity.
    /// - Parameters:
    ///   - x: `[B, in, R, R, R]`
    ///   - t: one timestep an item, 0 … 1000.
    ///   - condition: `[B, L, ctx]`
    ///   - observe: sees the result of every block, `[B · tokens, C]`; for tests.
    /// - Returns: `[B, out, R, R, R]`
    package func callAsFunction(
        _ x: Tensor, t: [Float], condition: Tensor, _ compute: Compute,
        observe: (_ block: Int, Tensor) -> Void = { _, _ in }
    ) -> Tensor {
        let y = velocity(
            patched(x, inverse: false, channels: config.inChannels, compute), t: t, condition: condition, compute,
            observe: observe)
        return patched(y, inverse: true, channels: config.outChannels, compute)
    }

    /// The velocity of patches, which gradients flow through.
    /// - Parameters:
    ///   - patches: `[B · tokens, in · p³]`: rows in the order of the patches, each channel by channel, the place in a
    ///     patch varying fastest.
    ///   - t: one timestep an item, 0 … 1000.
    ///   - condition: `[B, L, ctx]`
    /// - Returns: `[B · tokens, out · p³]`
    package func velocity(
        _ patches: Tensor, t: [Float], condition: Tensor, _ compute: Compute,
        observe: (_ block: Int, Tensor) -> Void = { _, _ in }
    ) -> Tensor {
        let (items, tokens) = (t.count, config.tokenCount)
        precondition(
            patches.rows == items * tokens && condition.shape[0] == items, "one timestep and one condition an item")
        let embedded = time(t, compute)
        let mixed = modulation.map { $0(compute.apply(.silu, embedded), compute) } ?? embedded
        let layout = (0..<items).map { $0 * tokens..<($0 + 1) * tokens }
        let length = condition.shape[1]
        let context = compute.reshape(condition, [items * length, condition.shape[2]])
        let plans = (
            own: AttentionPlan(queries: layout, keys: layout),
            context: AttentionPlan(
                queries: layout, keys: (0..<items).map { $0 * length..<($0 + 1) * length })
        )
        let places = RowMap(Buffer((0..<items * tokens).map { Int32($0 % tokens) }), targets: tokens)
        var h = compute.add(
            input(patches, compute),
            compute.gather(position.value, places))
        for (index, block) in blocks.enumerated() {
            h = compute.segment([h, mixed, context]) {
                block($0[0], time: $0[1], context: $0[2], layout: layout, plans: plans, compute)
            }
            observe(index, h)
        }
        return output(compute.layerNorm(h, epsilon: 1e-5), compute)
    }

    /// Volumes `[B, C, R, R, R]` to tokens `[B · tokens, C · p³]`, the place in a patch varying fastest; or back.
    private func patched(_ x: Tensor, inverse: Bool, channels: Int, _ compute: Compute) -> Tensor {
        let (side, p, across) = (config.resolution, config.patchSize, config.tokenSide)
        let items = inverse ? x.rows / config.tokenCount : x.shape[0]
        let width = channels * config.patchVolume
        let y = compute.empty(
            inverse ? [items, channels, side, side, side] : [items * config.tokenCount, width])
        for item in 0..<items {
            for channel in 0..<channels {
                for voxel in 0..<side * side * side {
                    let place = (voxel / (side * side), voxel / side % side, voxel % side)
                    let token = ((place.0 / p) * across + place.1 / p) * across + place.2 / p
                    let inside = ((place.0 % p) * p + place.1 % p) * p + place.2 % p
                    let row =
                        (item * config.tokenCount + token) * width + channel * config.patchVolume + inside
                    let dense = (item * channels + channel) * side * side * side + voxel
                    if inverse { y.pointer[dense] = x.pointer[row] } else { y.pointer[row] = x.pointer[dense] }
                }
            }
        }
        withExtendedLifetime(x) {}
        return y
    }
}
