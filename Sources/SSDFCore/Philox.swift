/// A counter-based random source: Philox 4×32-10. Any element of the sequence can be computed alone, so a parallel
/// loop draws the same numbers on any number of threads, and a seed means the same on every machine.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", 2011, §4.3.
package struct Philox: Sendable, RandomNumberGenerator {
    /// The key: sequences of different seeds have nothing in common.
    package let seed: UInt64
    /// Separates independent uses of one seed.
    package let stream: UInt64
    private var position: UInt64 = 0
    private var pending: UInt64?

    /// The sequence of a seed and a stream, from its start.
    package init(seed: UInt64, stream: UInt64 = 0) {
        self.seed = seed
        self.stream = stream
    }

    /// The four 32-bit numbers of one counter value.
    /// - Complexity: O(1).
    package func block(_ counter: UInt64) -> SIMD4<UInt32> {
        var c = SIMD4<UInt32>(
            UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32),
            UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32))
        var k0 = UInt32(truncatingIfNeeded: seed)
        var k1 = UInt32(truncatingIfNeeded: seed >> 32)
        for _ in 0..<10 {
            let a = UInt64(c.x) &* 0xD251_1F53
            let b = UInt64(c.z) &* 0xCD9E_8D57
            c = SIMD4(
                UInt32(truncatingIfNeeded: b >> 32) ^ c.y ^ k0, UInt32(truncatingIfNeeded: b),
                UInt32(truncatingIfNeeded: a >> 32) ^ c.w ^ k1, UInt32(truncatingIfNeeded: a))
            k0 = k0 &+ 0x9E37_79B9
            k1 = k1 &+ 0xBB67_AE85
        }
        return c
    }

    /// The next 64 bits: two for each counter value, low words first.
    package mutating func next() -> UInt64 {
        if let second = pending {
            pending = nil
            return second
        }
        let b = block(position)
        position &+= 1
        pending = UInt64(b.z) | UInt64(b.w) << 32
        return UInt64(b.x) | UInt64(b.y) << 32
    }

    /// Uniform in [0, 1), 53 bits.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
