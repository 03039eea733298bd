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
    /// Whether the mean of all shapes is to be predicted.
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
