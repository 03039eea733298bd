import SSDFCore
import SSDFTensor

/// y = x·Wᵀ + b. Parameters `weight` `[O, I]` and `bias` `[O]`.
package struct Linear: Sendable {
    /// W, `[O, I]`.
    package let weight: Parameter
    /// b, `[O]`; nil in a layer without.
    package let bias: Parameter?

    /// - Throws: what the source throws.
    package init(
        _ source: ParameterSource, inputs: Int, outputs: Int, hasBias: Bool = true
    ) throws(Failure) {
        weight = try source.parameter("weight", [outputs, inputs])
        bias = hasBias ? try source.parameter("bias", [outputs]) : nil
    }

    /// `[..., I]` → `[..., O]`
    package func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        compute.linear(x, weight.value, bias: bias?.value)
    }
}
