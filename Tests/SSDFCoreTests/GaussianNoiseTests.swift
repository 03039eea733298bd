import SSDFCore
import Testing

@Suite struct GaussianNoiseTests {
    @Test func hasTheMomentsOfANormal() {
        let count = 200_001
        var values = [Float](repeating: 0, count: count)
        values.withUnsafeMutableBufferPointer { GaussianNoise(seed: 7, stream: 3).fill($0, threads: 2) }
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(count)
        let square = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)
        let fourth = values.reduce(0.0) { $0 + Double($1 * $1) * Double($1 * $1) } / Double(count)
        #expect(abs(mean) < 0.01 && abs(square - 1) < 0.02 && abs(fourth - 3) < 0.12)
        var single = [Float](repeating: 0, count: count)
        single.withUnsafeMutableBufferPointer { GaussianNoise(seed: 7, stream: 3).fill($0, threads: 1) }
        #expect(single == values)
    }

    /// The sequence that ssdf(7) specifies must never change.
    @Test func keepsItsSequence() {
        let noise = GaussianNoise(seed: 0, stream: 0)
        let (a, b) = noise.pair(0)
        let block = Philox(seed: 0, stream: 0).block(0)
        let u = (Double((UInt64(block.x) | UInt64(block.y) << 32) >> 11) + 1) * 0x1p-53
        let v = Double((UInt64(block.z) | UInt64(block.w) << 32) >> 11) * 0x1p-53
        // ln u = −½·(a² + b²), and the quadrant of v.
        #expect(abs(Double(a) * Double(a) + Double(b) * Double(b) + 2 * logarithm(u)) < 1e-5)
        #expect((a >= 0) == (v < 0.25 || v > 0.75) && (b >= 0) == (v < 0.5))
    }

    /// ln by halving roots, slowly but independently.
    private func logarithm(_ x: Double) -> Double {
        var (root, factor) = (x, 1.0)
        for _ in 0..<20 {
            root = root.squareRoot()
            factor *= 2
        }
        let s = (root - 1) / (root + 1)
        return 2 * factor * (s + s * s * s / 3)
    }
}
