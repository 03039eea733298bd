import CSSDFKernels
import SSDFCore

/// What one step of AdamW needs besides the tensors.
package struct AdamStep: Sendable {
    package var rate: Float
    package var beta1: Float
    package var beta2: Float
    package var epsilon: Float
    /// Weight decay, applied to the weights and not to the gradient.
    package var decay: Float
    /// The step's number, from 1.
    package var number: Int
    /// Factor on the gradient, from clipping.
    package var gradientScale: Float

    package init(
        rate: Float, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, decay: Float = 0.01,
        number: Int, gradientScale: Float = 1
    ) {
        self.rate = rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.decay = decay
        self.number = number
        self.gradientScale = gradientScale
    }

    /// 1 − βᵗ of both moments.
    var corrections: (Float, Float) {
        func correction(_ beta: Float) -> Float {
            var power = 1.0
            var base = Double(beta)
            var exponent = number
            while exponent > 0 {
                if exponent & 1 == 1 { power *= base }
                base *= base
                exponent >>= 1
            }
            return Float(1 - power)
        }
        return (correction(beta1), correction(beta2))
    }
}

extension CPUBackend {
    /// m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← (1 − rate·decay)·w − rate·m̂/(√v̂ + ε), m̂ and v̂ freed of their bias.
    ///
    /// Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.
    package func adamStep(_ step: AdamStep, weight: Tensor, gradient: Tensor, first: Tensor, second: Tensor) {
        let (correction1, correction2) = step.corrections
        var parameters = ssdf_adam(
            rate: step.rate, beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon, decay: step.decay,
            correction1: correction1, correction2: correction2,
            gradient_scale: step.gradientScale)
        withUnsafePointer(to: &parameters) { parameters in
            parallelRows(weight.count, columns: 1) { range in
                let at = range.lowerBound
                kernels.adam_step(
                    parameters, weight.pointer + at, gradient.pointer + at, first.pointer + at,
                    second.pointer + at, range.count)
            }
        }
    }
}
