import SSDFCore
import SSDFTensor

/// Linear, GELU in its tanh form, linear. Parameters `mlp.0.*`, `mlp.2.*`.
package struct FeedForward: Sendable {
    let expand: Linear
    let contract: Linear

    /// - Parameter ratio: width of the hidden layer over `channels`.
    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, channels: Int, ratio: Double) throws(Failure) {
        let hidden = Int(Double(channels) * ratio)
        expand = try Linear(source.scoped("mlp.0"), inputs: channels, outputs: hidden)
        contract = try Linear(source.scoped("mlp.2"), inputs: hidden, outputs: channels)
    }

    /// `[..., C]` → `[..., C]`
    package func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        compute.feedForward(
            x, expand: LayerWeights(weight: expand.weight.value, bias: expand.bias?.value), .geluTanh,
            contract: LayerWeights(weight: contract.weight.value, bias: contract.bias?.value))
    }
}
