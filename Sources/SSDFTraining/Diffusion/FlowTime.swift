import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How a sample is made noisy: rectified flow between data x₀ and noise n, x = (1 − σ)·x₀ + σ·n, whose velocity n − x₀
/// the network is to predict; or the mean alone, where x is zero, σ is 1, and −x₀ is to be predicted, so that one pass
/// without noise gives the most likely shape.
///
/// Source: Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis", 2024, §3.1.
package struct FlowTime: Sendable {
    package var isMean: Bool
    var sigma: Float
    /// Whether the condition is left out.
    var isDropped: Bool

    /// - Parameters:
    ///   - mean: share of samples that train the mean.
    ///   - shift: s of σ → sσ/(1 + (s − 1)σ), applied to logit-normal σ.
    ///   - dropped: share of the others without their condition.
    init(_ generator: inout Philox, mean: Double, shift: Double, dropped: Double) {
        isMean = generator.uniform() < mean
        // Box and Muller's transform.
        let (u, v) = (1 - generator.uniform(), generator.uniform())
        let normal = (-2 * log(u)).squareRoot() * cos(2 * .pi * v)
        let level = 1 / (1 + exp(-normal))
        sigma = isMean ? 1 : Float(shift * level / (1 + (shift - 1) * level))
        isDropped = generator.uniform() < dropped && !isMean
    }

    /// On the networks' scale.
    var timestep: Float { 1000 * sigma }

    /// Writes what the network sees and what it is to predict.
    func write(
        data: UnsafePointer<Float>, noise: GaussianNoise, count: Int, input: UnsafeMutablePointer<Float>,
        target: UnsafeMutablePointer<Float>
    ) {
        if isMean {
            input.update(repeating: 0, count: count)
            for index in 0..<count { target[index] = -data[index] }
            return
        }
        noise.fill(UnsafeMutableBufferPointer(start: target, count: count), threads: 1)
        for index in 0..<count {
            let (n, x) = (target[index], data[index])
            input[index] = (1 - sigma) * x + sigma * n
            target[index] = n - x
        }
    }
}

/// Which sample a number stands for: all are seen once before one is seen again, in an order that jumps about.
package struct SampleOrder: Sendable {
    let count: Int
    let seed: UInt64

    package init(count: Int, seed: UInt64) { (self.count, self.seed) = (count, seed) }

    /// - Parameter number: from 0, over all steps.
    package func sample(_ number: Int) -> Int {
        let (round, place) = (number / count, number % count)
        var generator = Philox(seed: seed, stream: UInt64(round) | 1 << 57)
        let offset = Int(generator.uniform() * Double(count))
        // A stride near the golden section, made coprime to the count.
        var stride = max(1, Int((0.55 + 0.2 * generator.uniform()) * Double(count)))
        while Self.greatestDivisor(stride, count) != 1 { stride += 1 }
        return (place * stride + offset) % count
    }

    private static func greatestDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestDivisor(b, a % b) }
}
