import SSDFCore
import SSDFTensor

/// The decoder's step to twice the resolution: SiLU(conv x), every voxel into eight, SiLU(conv ·); no norm, no skip
/// (SPEC §7). Parameters `act_layers.0.conv.*`, `out_layers.0.conv.*`.
package struct SparseSubdivideBlock: Sendable {
    let first: SparseConvolution
    let second: SparseConvolution

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, inputs: Int, outputs: Int) throws(Failure) {
        first = try SparseConvolution(source.scoped("act_layers.0"), inputs: inputs, outputs: outputs)
        second = try SparseConvolution(source.scoped("out_layers.0"), inputs: outputs, outputs: outputs)
    }

    /// Features on the eight children of every voxel.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        let h = compute.apply(.silu, first(x, compute))
        guard !compute.isRecording else { return compute.apply(.silu, recorded(h, compute)) }
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

    /// The second convolution of the children of h, over the parents' map: the same numbers but for rounding, without
    /// the children's copies and kernel map, of which a gradient would need both again.
    private func recorded(_ h: SparseTensor, _ compute: Compute) -> SparseTensor {
        let outputs = second.bias.value.count
        let bias = compute.reshape(second.bias.value, [1, outputs])
        let wide = compute.convolve(
            h.features, compute.childKernel(second.kernel.value),
            bias: compute.reshape(compute.stack([Tensor](repeating: bias, count: 8)), [8 * outputs]),
            map: h.coordinates.kernelMap(threads: compute.backend.threads))
        return SparseTensor(
            features: compute.reshape(wide, [8 * h.count, outputs]), coordinates: h.coordinates.finer().set)
    }
}
