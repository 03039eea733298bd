import SSDFCore
import SSDFTensor

/// A block of the sparse diffusion transformer: spatial sparse attention and a feed-forward network, both modulated by
/// the timestep, around cross attention to the condition, which is not (SPEC §6).
///
/// Parameters `norm2.*`, `self_attn.*`, `cross_attn.*`, `mlp.mlp.*`, and `adaLN_modulation.1.*` unless the model has
/// one modulation for all blocks.
package struct ModulatedSparseBlock: Sendable {
    let attention: SpatialSparseAttention
    let crossNorm: (weight: Parameter, bias: Parameter)
    let crossAttention: CrossAttention
    let feedForward: FeedForward
    let modulation: Linear?

    /// - Throws: `badData` when heads do not divide the channels, or from the source.
    package init(
        _ source: ParameterSource, attention options: SpatialSparseAttention.Options, contextChannels: Int,
        crossHeads: Int, ratio: Double = 4, normalizesCrossHeads: Bool = false, sharesModulation: Bool = false
    ) throws(Failure) {
        let channels = options.channels
        attention = try SpatialSparseAttention(source.scoped("self_attn"), options)
        let norm = source.scoped("norm2")
        crossNorm = (try norm.parameter("weight", [channels]), try norm.parameter("bias", [channels]))
        crossAttention = try CrossAttention(
            source.scoped("cross_attn"), channels: channels, contextChannels: contextChannels, heads: crossHeads,
            normalizesHeads: normalizesCrossHeads)
        feedForward = try FeedForward(source.scoped("mlp"), channels: channels, ratio: ratio)
        modulation =
            sharesModulation
            ? nil : try Linear(source.scoped("adaLN_modulation.1"), inputs: channels, outputs: 6 * channels)
    }

    /// - Parameters:
    ///   - x: `[N, C]`
    ///   - time: `[B, C]`, the timestep's embedding; or `[B, 6C]`, the shared modulation.
    ///   - context: `[M, contextChannels]`
    ///   - plan: tokens of x with rows of the context.
    package func callAsFunction(
        _ x: SparseTensor, time: Tensor, context: Tensor, plan: AttentionPlan, _ compute: Compute
    ) throws(Failure) -> SparseTensor {
        let channels = x.channels
        let mixed = modulation.map { $0(compute.apply(.silu, time), compute) } ?? time
        let parts = compute.split(mixed, widths: [Int](repeating: channels, count: 6))
        /// LN(h)·(1 + scale) + shift, by batch item.
        func modulated(_ h: Tensor, shift: Tensor, scale: Tensor) -> Tensor {
            compute.layerNorm(
                h, weight: compute.affine(scale, scale: 1, shift: 1), bias: shift, epsilon: 1e-6,
                segments: x.coordinates.layout)
        }
        /// h + gate ⊙ y
        func added(_ h: Tensor, _ y: Tensor, gate: Tensor) -> Tensor {
            compute.add(h, y, times: gate, segments: x.coordinates.layout)
        }
        var h = x.features
        let attended = try attention(x.with(modulated(h, shift: parts[0], scale: parts[1])), compute)
        h = added(h, attended.features, gate: parts[2])
        let normed = compute.layerNorm(
            h, weight: crossNorm.weight.value, bias: crossNorm.bias.value, epsilon: 1e-6)
        h = compute.add(h, crossAttention(normed, context: context, plan: plan, compute))
        let fed = feedForward(modulated(h, shift: parts[3], scale: parts[4]), compute)
        return x.with(added(h, fed, gate: parts[5]))
    }
}
