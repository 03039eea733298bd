import SSDFCore
import SSDFTensor

/// A dense convolution with its parameters, `weight` `[O, I, k, k, k]` and `bias`; transposed, the weight is
/// `[I, O, k, k, k]`.
package struct VolumeConvolution: Sendable {
    let weight: Parameter
    let bias: Parameter?
    let window: VolumeWindow
    let isTransposed: Bool

    /// - Throws: what the source throws.
    package init(
        _ source: ParameterSource, inputs: Int, outputs: Int, window: VolumeWindow, hasBias: Bool = true,
        isTransposed: Bool = false
    ) throws(Failure) {
        let side = window.side
        let channels = isTransposed ? [inputs, outputs] : [outputs, inputs]
        weight = try source.parameter("weight", channels + [side, side, side])
        bias = hasBias ? try source.parameter("bias", [outputs]) : nil
        self.window = window
        self.isTransposed = isTransposed
    }

    /// `[B, X, Y, Z, I]` → `[B, X', Y', Z', O]`
    package func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        isTransposed
            ? compute.convolveVolumeTransposed(x, weight.value, bias: bias?.value, window: window)
            : compute.convolveVolume(x, weight.value, bias: bias?.value, window: window)
    }
}

extension VolumeWindow {
    /// 3×3×3, the size kept.
    package static let three = VolumeWindow(side: 3, padding: 1)
    /// 2×2×2, to half the size or twice.
    package static let half = VolumeWindow(side: 2, stride: 2)
    /// One voxel.
    package static let one = VolumeWindow(side: 1)
}
