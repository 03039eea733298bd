import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Losses: single numbers, means over elements. `weights`, where given, has one number an element, and the mean
/// divides by their sum.
extension Compute {
    /// mean (x − target)².
    package func squaredError(_ x: Tensor, _ target: Tensor, weights: Tensor? = nil) -> Tensor {
        let difference = add(x, target.detached, scale: -1)
        return mean(multiply(difference, difference), weights)
    }

    /// Σ w·|x − target|: the weights say how elements count, and are not normalised.
    package func absoluteError(_ x: Tensor, _ target: Tensor, weights: Tensor) -> Tensor {
        let count = x.count
        precondition(target.count == count && weights.count == count, "one target and one weight an element")
        let slopes = empty(x.shape)
        let (values, targets, factors, signs) = (x.pointer, target.pointer, weights.pointer, slopes.pointer)
        var total = 0.0
        for first in stride(from: 0, to: count, by: 1024) {
            var part: Float = 0
            for index in first..<min(first + 1024, count) {
                let difference = values[index] - targets[index]
                part += factors[index] * abs(difference)
                signs[index] = difference == 0 ? 0 : difference < 0 ? -factors[index] : factors[index]
            }
            total += Double(part)
        }
        let loss = empty([1])
        loss.pointer[0] = Float(total)
        return record(loss, [x]) { [self] dy, _ in
            let dx = empty(x.shape)
            backend.affine(slopes, scale: dy.pointer[0], shift: 0, into: dx)
            return [dx]
        }
    }

    /// mean h(x − target), h(d) = d²/2 for |d| < δ and δ(|d| − δ/2) beyond.
    package func huber(_ x: Tensor, _ target: Tensor, delta: Float, weights: Tensor? = nil) -> Tensor {
        elementLoss(.huber(delta: delta), x, target, weights)
    }

    /// Binary cross-entropy of σ(x) with targets in 0 … 1, from logits so that nothing overflows:
    /// max(x, 0) − x·t + ln(1 + e^−|x|).
    package func crossEntropy(logits x: Tensor, _ target: Tensor, weights: Tensor? = nil) -> Tensor {
        elementLoss(.crossEntropy, x, target, weights)
    }

    /// Divergence of a diagonal Gaussian from the unit one, ½·mean(μ² + σ² − 1 − ln σ²): a mean over elements, not a
    /// sum.
    /// - Parameters:
    ///   - mean: `[N, C]`
    ///   - logVariance: `[N, C]`
    package func gaussianDivergence(mean μ: Tensor, logVariance: Tensor) -> Tensor {
        let scale = 0.5 / Float(max(μ.count, 1))
        let squares = multiply(μ, μ)
        let terms = add(add(squares, apply(.exp, logVariance)), logVariance, scale: -1)
        return sum(affine(terms, scale: 1, shift: -1), scale: scale)
    }

    private func mean(_ x: Tensor, _ weights: Tensor?) -> Tensor {
        guard let weights else { return sum(x, scale: 1 / Float(max(x.count, 1))) }
        let total = weights.elements.reduce(0) { $0 + Double($1) }
        return sum(multiply(x, weights.detached), scale: total > 0 ? Float(1 / total) : 0)
    }

    /// The weighted mean of a loss.
    private func elementLoss(_ loss: ElementLoss, _ x: Tensor, _ target: Tensor, _ weights: Tensor?) -> Tensor {
        precondition(x.count == target.count && (weights == nil || weights!.count == x.count))
        let values = empty(x.shape)
        let slopes = empty(x.shape)
        backend.elementLoss(loss, x, target, values: values, slopes: slopes)
        let elements = record(values, [x]) { [self] dy, _ in
            let dx = empty(x.shape)
            backend.multiply(dy, slopes, broadcast: .same, into: dx)
            return [dx]
        }
        return mean(elements, weights)
    }
}

/// A function of a prediction and its target.
package enum ElementLoss: Sendable {
    case huber(delta: Float)
    /// Of logits.
    case crossEntropy
}

extension CPUBackend {
    /// The loss of every element, and its derivative by the prediction.
    package func elementLoss(_ loss: ElementLoss, _ x: Tensor, _ target: Tensor, values: Tensor, slopes: Tensor) {
        switch loss {
        case .huber(let delta):
            elementLoss(x, target, values, slopes) { x, t in
                let d = x - t
                return abs(d) < delta
                    ? (0.5 * d * d, d) : (delta * (abs(d) - 0.5 * delta), d < 0 ? -delta : delta)
            }
        case .crossEntropy:
            elementLoss(x, target, values, slopes) { x, t in
                let e = expf(-abs(x))
                let sigmoid = x >= 0 ? 1 / (1 + e) : e / (1 + e)
                return (max(x, 0) - x * t + log1pf(e), sigmoid - t)
            }
        }
    }

    private func elementLoss(
        _ x: Tensor, _ target: Tensor, _ values: Tensor, _ slopes: Tensor,
        _ function: (_ x: Float, _ target: Float) -> (value: Float, slope: Float)
    ) {
        let (x, target, values, slopes, count) = (
            x.elements, target.elements, values.pointer, slopes.pointer, x.count
        )
        for index in 0..<count { (values[index], slopes[index]) = function(x[index], target[index]) }
    }
}
