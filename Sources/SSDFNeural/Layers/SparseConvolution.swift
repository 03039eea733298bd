import SSDFCore
import SSDFTensor

/// Submanifold convolution with side 3 or 1: results where the inputs are.
///
/// Parameters `conv.kernel`, `[27, I, O]` or, for side 1, `[I, O]`, which is not transposed like a linear layer's
/// weight; and `conv.bias` `[O]` (SPEC §2).
package struct SparseConvolution: Sendable {
    /// `[27, I, O]`, or `[I, O]` for side 1.
    package let kernel: Parameter
    /// `[O]`
    package let bias: Parameter
    /// 3 or 1.
    package let side: Int

    /// - Throws: `badData` for another side, or from the source.
    package init(_ source: ParameterSource, inputs: Int, outputs: Int, side: Int = 3) throws(Failure) {
        guard side == 1 || side == 3 else {
            throw .badData("a sparse convolution of side \(side)", expected: "side 1 or 3")
        }
        let convolution = source.scoped("conv")
        kernel = try convolution.parameter("kernel", side == 3 ? [27, inputs, outputs] : [inputs, outputs])
        bias = try convolution.parameter("bias", [outputs])
        self.side = side
    }

    /// Features on the same voxels.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        if side == 1 {
            return x.with(
                compute.linear(x.features, compute.transpose(kernel.value), bias: bias.value))
        }
        let map = x.coordinates.kernelMap(threads: compute.backend.threads)
        return x.with(compute.convolve(x.features, kernel.value, bias: bias.value, map: map))
    }
}
