import SSDFCore
import SSDFTensor
import Testing

/// Compares the recorded gradient of `body` with central differences.
///
/// The loss is a fixed random weighting of the result, so every element of it counts. For each operand the gradient's
/// component along random directions is compared: all elements take part in each.
/// - Parameters:
///   - step: of the difference, relative to directions of unit entries.
///   - tolerance: of the difference, relative to the norms of gradient and direction.
func expectGradients(
    of operands: [Tensor], step: Float = 1e-2, tolerance: Double = 2e-3, threads: Int = 2,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping (Compute, [Tensor]) -> Tensor
) {
    let compute = Compute(threads: threads)
    var generator = Philox(seed: 99)
    let shape = body(compute, operands).shape
    let weights = randomTensor(shape, &generator)
    func loss(_ operands: [Tensor]) -> Double {
        let y = body(compute, operands)
        return zip(y.elements, weights.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    var leaves = operands
    for index in leaves.indices { leaves[index].variable = Variable() }
    let value = compute.differentiate { compute.sum(compute.multiply(body(compute, leaves), weights)) }
    let plain = loss(operands)
    #expect(abs(Double(value) - plain) <= 1e-4 * max(1, abs(plain)), sourceLocation: sourceLocation)
    for (index, leaf) in leaves.enumerated() {
        guard let gradient = leaf.variable?.gradient else {
            Issue.record("operand \(index) got no gradient", sourceLocation: sourceLocation)
            continue
        }
        #expect(gradient.count == leaf.count, sourceLocation: sourceLocation)
        let norm = gradient.elements.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        for _ in 0..<4 {
            let direction = randomTensor(leaf.shape, &generator)
            func moved(_ sign: Float) -> Double {
                var copy = operands
                copy[index] = Tensor(
                    zip(leaf.elements, direction.elements).map { $0 + sign * step * $1 }, shape: leaf.shape)
                return loss(copy)
            }
            let numeric = (moved(1) - moved(-1)) / Double(2 * step)
            let recorded = zip(gradient.elements, direction.elements).reduce(0) {
                $0 + Double($1.0) * Double($1.1)
            }
            #expect(
                abs(numeric - recorded) <= tolerance * max(norm, 1e-2),
                "operand \(index): difference quotient \(numeric), gradient \(recorded), norm \(norm)",
                sourceLocation: sourceLocation)
        }
    }
}

/// Uniform in ±1.
func randomTensor(_ shape: [Int], _ generator: inout Philox) -> Tensor {
    let count = shape.reduce(1, *)
    return Tensor((0..<count).map { _ in Float(generator.uniform() * 2 - 1) }, shape: shape)
}

func randomTensor(_ shape: [Int], seed: UInt64) -> Tensor {
    var generator = Philox(seed: seed)
    return randomTensor(shape, &generator)
}
