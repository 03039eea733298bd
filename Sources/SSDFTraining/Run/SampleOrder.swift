import SSDFCore

/// Which sample a number stands for: all are seen once before one is seen again, in an order that jumps about.
package struct SampleOrder: Sendable {
    /// How many samples there are.
    package let count: Int
    /// Of the order.
    package let seed: UInt64

    /// The order of so many samples.
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
