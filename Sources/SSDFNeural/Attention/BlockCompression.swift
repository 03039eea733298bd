import SSDFCore
import SSDFTensor

/// Keys or values of a cell become one: SPEC §5, step 2.
package struct BlockCompression: Sendable {
    /// The two networks that were released.
    package enum Version: String, Sendable {
        /// ↓SiLU(conv₁ u). Parameters `act_layers.0.conv.*`.
        case pooled = "v1"
        /// h = ↓SiLU(norm u), result conv₃(SiLU(norm(conv₃ h))) + ↓u. Parameters `act_layers.0.*`,
        /// `out_layers.0.conv.*`, `out_layers.1.*`, `out_layers.3.conv.*`.
        case residual = "v2"
    }

    private enum Network: Sendable {
        case pooled(SparseConvolution)
        case residual(
            entry: SparseGroupNorm, first: SparseConvolution, norm: SparseGroupNorm, second: SparseConvolution)
    }

    private let network: Network
    let size: Int

    /// - Throws: what the source throws: a parameter is missing or of another shape.
    package init(_ source: ParameterSource, channels: Int, size: Int, version: Version) throws(Failure) {
        self.size = size
        let act = source.scoped("act_layers.0")
        switch version {
        case .pooled:
            network = .pooled(try SparseConvolution(act, inputs: channels, outputs: channels, side: 1))
        case .residual:
            network = .residual(
                entry: try SparseGroupNorm(act, channels: channels),
                first: try SparseConvolution(source.scoped("out_layers.0"), inputs: channels, outputs: channels),
                norm: try SparseGroupNorm(source.scoped("out_layers.1"), channels: channels),
                second: try SparseConvolution(source.scoped("out_layers.3"), inputs: channels, outputs: channels))
        }
    }

    /// One token for each block that has any.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        switch network {
        case .pooled(let convolution):
            return compute.downsample(compute.apply(.silu, convolution(x, compute)), by: size)
        case .residual(let entry, let first, let norm, let second):
            let h = compute.downsample(compute.apply(.silu, entry(x, compute)), by: size)
            let r = compute.downsample(x, by: size)
            let y = second(compute.apply(.silu, norm(first(h, compute), compute)), compute)
            return y.with(compute.add(y.features, r.features))
        }
    }
}
