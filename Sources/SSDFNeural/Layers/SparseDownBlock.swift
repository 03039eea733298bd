import SSDFCore
import SSDFTensor

/// The encoder's step to half the resolution: a residual block on the coarse grid (SPEC §7).
///
/// h = ↓SiLU(norm x), s = ↓x, result conv(SiLU(norm(conv h))) + skip s. Parameters `act_layers.0.*`,
/// `out_layers.0.conv.*`, `out_layers.1.*`, `out_layers.3.conv.*`, and `skip_connection.conv.*` where widths differ.
package struct SparseDownBlock: Sendable {
    let entryNorm: SparseGroupNorm
    let first: SparseConvolution
    let norm: SparseGroupNorm
    let second: SparseConvolution
    let skip: SparseConvolution?

    /// - Parameter groups: of the norms, fewer in layers too narrow for them.
    /// - Throws: what the source throws.
    package init(
        _ source: ParameterSource, inputs: Int, outputs: Int, groups: Int = 32
    ) throws(Failure) {
        entryNorm = try SparseGroupNorm(
            source.scoped("act_layers.0"), channels: inputs, groups: SparseGroupNorm.groups(groups, channels: inputs))
        first = try SparseConvolution(source.scoped("out_layers.0"), inputs: inputs, outputs: outputs)
        norm = try SparseGroupNorm(
            source.scoped("out_layers.1"), channels: outputs, groups: SparseGroupNorm.groups(groups, channels: outputs))
        second = try SparseConvolution(source.scoped("out_layers.3"), inputs: outputs, outputs: outputs)
        skip =
            inputs == outputs
            ? nil
            : try SparseConvolution(source.scoped("skip_connection"), inputs: inputs, outputs: outputs, side: 1)
    }

    /// Features on cells of twice the side.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        let active = compute.downsample(compute.apply(.silu, entryNorm(x, compute)), by: 2)
        return refined(active: active, plain: compute.downsample(x, by: 2), compute)
    }

    /// The part on the coarse grid.
    /// - Parameters:
    ///   - active: ↓SiLU(norm x), `[M, inputs]`
    ///   - plain: ↓x, `[M, inputs]`
    func refined(active: SparseTensor, plain: SparseTensor, _ compute: Compute) -> SparseTensor {
        var h = first(active, compute)
        h = second(compute.apply(.silu, norm(h, compute)), compute)
        let s = skip.map { $0(plain, compute) } ?? plain
        return h.with(compute.add(h.features, s.features))
    }
}
