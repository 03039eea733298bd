import SSDFCore

/// An exponential moving average of weights: a ← d·a + (1 − d)·w after every step.
///
/// The decay warms up as (1 + steps)/(10 + steps), so that early averages do not remember the start.
package final class MovingAverage {
    /// a, in the weights' shapes.
    package let averages: [Tensor]
    /// The largest d.
    package let decay: Double
    /// Steps taken.
    package var stepCount = 0

    /// The average begins at the weights as they are.
    package init(_ weights: [Tensor], decay: Double) {
        self.decay = decay
        averages = weights.map { Tensor($0.array, shape: $0.shape) }
    }

    /// Takes one step towards weights of the same shapes.
    package func update(from weights: [Tensor], _ compute: Compute) {
        precondition(weights.count == averages.count)
        stepCount += 1
        let rate = min(decay, Double(1 + stepCount) / Double(10 + stepCount))
        for (average, weight) in zip(averages, weights) {
            compute.backend.affine(average, scale: Float(rate), shift: 0, into: average)
            compute.backend.add(
                average, weight.detached, scale: Float(1 - rate), broadcast: .same, into: average)
        }
    }
}
