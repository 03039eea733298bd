import SSDFCore

/// AdamW over a list of weights. The state is two moments of each weight and the number of steps taken; saving and
/// restoring those continues a run to the same bytes.
///
/// Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019.
package final class AdamW {
    /// The constants of the method but for the rate, which a schedule gives.
    package struct Options: Sendable, Equatable {
        /// Decay of the gradient's running mean.
        package var beta1: Float = 0.9
        /// Decay of the running mean of its square.
        package var beta2: Float = 0.999
        /// Added to the root of that mean.
        package var epsilon: Float = 1e-8
        /// Of weights with more than one axis: biases and the scales of norms are not decayed.
        package var weightDecay: Float = 0.01

        /// The constants of the paper.
        package init() {}
    }

    /// The tensors that steps write.
    package let weights: [Tensor]
    /// The constants; they may change between steps.
    package var options: Options
    /// Steps taken.
    package var stepCount = 0
    /// Running means of gradients and of their squares, in the weights' shapes.
    package let firstMoments: [Tensor]
    /// Running means of the gradients' squares, in the weights' shapes.
    package let secondMoments: [Tensor]

    /// - Parameter weights: tensors with variables, whose memory the steps write.
    package init(_ weights: [Tensor], options: Options = Options()) {
        self.weights = weights
        self.options = options
        firstMoments = weights.map { Tensor(repeating: 0, shape: $0.shape) }
        secondMoments = weights.map { Tensor(repeating: 0, shape: $0.shape) }
    }

    /// Moves every weight that has a gradient, and forgets the gradients.
    /// - Parameters:
    ///   - rate: learning rate.
    ///   - gradientScale: factor on all gradients, from `gradientNorm` and `clipScale`.
    package func step(rate: Float, gradientScale: Float = 1, _ compute: Compute) {
        stepCount += 1
        for (index, weight) in weights.enumerated() {
            guard let gradient = weight.variable?.gradient else { continue }
            let step = AdamStep(
                rate: rate, beta1: options.beta1, beta2: options.beta2, epsilon: options.epsilon,
                decay: weight.shape.count > 1 ? options.weightDecay : 0, number: stepCount,
                gradientScale: gradientScale)
            compute.backend.adamStep(
                step, weight: weight, gradient: gradient, first: firstMoments[index], second: secondMoments[index])
            weight.variable?.reset()
            weight.storage.noteChange()
        }
    }

    /// Euclidean norm of all gradients together.
    package func gradientNorm(_ compute: Compute) -> Double {
        var total = 0.0
        for weight in weights {
            if let gradient = weight.variable?.gradient { total += compute.backend.dot(gradient, gradient) }
        }
        return total.squareRoot()
    }

    /// The factor that brings gradients of norm `norm` down to `limit`, 1 when they are within it; 0 when the norm is
    /// not finite, so that one bad batch moves nothing.
    package static func clipScale(norm: Double, limit: Double) -> Float {
        guard norm.isFinite else { return 0 }
        return norm > limit ? Float(limit / norm) : 1
    }
}
