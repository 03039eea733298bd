import SSDFCore
import SSDFTensor

/// The decoder's step to twice the resolution: SiLU(conv x), every voxel into eight, SiLU(conv ·); no norm, no skip
/// (SPEC §7). Parameters `act_layers.0.conv.*`, `out_layers.0.conv.*`.
package struct SparseSubdivideBlock: Sendable {
    let first: SparseConvolution
    let second: SparseConvolution

    package init(_ source: ParameterSource, inputs: Int, outputs: Int) throws(Failure) {
        first = try SparseConvolution(source.scoped("act_layers.0"), inputs: inputs, outputs: outputs)
        second = try SparseConvolution(source.scoped("out_layers.0"), inputs: outputs, outputs: outputs)
    }

    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        let h = compute.subdivide(compute.apply(.silu, first(x, compute)))
        return compute.apply(.silu, second(h, compute))
    }
}
