import SSDFCore
import SSDFTensor

/// Which tokens of a sparse tensor attend to each other.
package enum AttentionExtent: Sendable, Equatable {
    /// All of a batch item.
    case full
    /// Those of a cubic window, shifted.
    case windowed(size: Int, shift: Int)

    /// The groups of tokens that attend to each other.
    package func plan(for coordinates: CoordinateSet) -> AttentionPlan {
        switch self {
        case .full: coordinates.fullAttention()
        case .windowed(let size, let shift): coordinates.windows(size: size, shift: shift).plan
        }
    }
}

/// x += attention(norm x); x += feed-forward(norm x). Norms have ε 1e-6 and no parameters. Parameters `attn.*`,
/// `mlp.*` (SPEC §4).
package struct SparseTransformerBlock: Sendable {
    let attention: SelfAttention
    let feedForward: FeedForward
    /// Which tokens attend to each other.
    package let extent: AttentionExtent

    /// - Throws: `badData` when the heads do not divide the channels, or from the source.
    package init(
        _ source: ParameterSource, channels: Int, heads: Int, ratio: Double = 4, extent: AttentionExtent,
        normalizesHeads: Bool = false
    ) throws(Failure) {
        attention = try SelfAttention(
            source.scoped("attn"), channels: channels, heads: heads, normalizesHeads: normalizesHeads)
        feedForward = try FeedForward(source.scoped("mlp"), channels: channels, ratio: ratio)
        self.extent = extent
    }

    /// Features of the same tokens.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        let plan = extent.plan(for: x.coordinates)
        var h = x.features
        h = compute.add(h, attention(compute.layerNorm(h, epsilon: 1e-6), plan: plan, compute))
        h = compute.add(h, feedForward(compute.layerNorm(h, epsilon: 1e-6), compute))
        return x.with(h)
    }
}
