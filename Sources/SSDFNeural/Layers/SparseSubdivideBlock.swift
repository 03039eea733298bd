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
        let h = compute.apply(.silu, first(x, compute))
        guard !compute.isRecording else { return compute.apply(.silu, second(compute.subdivide(h), compute)) }
        return SparseTensor(features: subdivided(h, compute), coordinates: x.coordinates.finer().set)
    }

    /// SiLU(conv ·) of the children of SiLU(conv x), without the children's copies; with a head, what that makes of it.
    /// - Parameter h: SiLU(conv x).
    /// - Returns: `[8N, outputs]`, or `[8N, O]` with a head.
    func subdivided(_ h: SparseTensor, head: ConvolutionHead? = nil, _ compute: Compute) -> Tensor {
        compute.convolveSubdivided(
            h.features, second.kernel.value, bias: second.bias.value,
            map: h.coordinates.kernelMap(threads: compute.backend.threads), function: .silu, head: head)
    }
}
