/// Normal numbers of a seed: Box and Muller's transform of Philox's uniform ones, in arithmetic that rounds the same on
/// every machine, so that a seed means the same everywhere.
///
/// Numbers 2j and 2j + 1 come from block j: its two 64-bit numbers, by their upper 53 bits, give u in (0, 1] and v in
/// [0, 1), and r = √(−2·ln u), r·cos 2πv and r·sin 2πv. Any number can be drawn alone.
///
/// Source: Box, Muller, "A Note on the Generation of Random Normal Deviates", 1958.
package struct GaussianNoise: Sendable {
    private let source: Philox

    /// - Parameter stream: separates independent uses of one seed.
    package init(seed: UInt64, stream: UInt64) { source = Philox(seed: seed, stream: stream) }

    /// Numbers 2j and 2j + 1.
    package func pair(_ j: UInt64) -> (Float, Float) {
        let block = source.block(j)
        let first = UInt64(block.x) | UInt64(block.y) << 32
        let second = UInt64(block.z) | UInt64(block.w) << 32
        let u = Double((first >> 11) + 1) * 0x1p-53
        let v = Double(second >> 11) * 0x1p-53
        let radius = (-2 * naturalLogarithm(u)).squareRoot()
        let (cosine, sine) = turn(v)
        return (Float(radius * cosine), Float(radius * sine))
    }

    /// The first numbers of the sequence.
    package func fill(_ values: UnsafeMutableBufferPointer<Float>, threads: Int) {
        let target = Unchecked(values)
        let count = values.count
        parallelFor((count + 1) / 2, threads: threads, grain: 4096) { range in
            for j in range {
                let (a, b) = pair(UInt64(j))
                target.value[2 * j] = a
                if 2 * j + 1 < count { target.value[2 * j + 1] = b }
            }
        }
    }
}

/// ln x for x > 0, by x = m·2^e with m in [√½, √2) and ln m = 2·artanh((m − 1)/(m + 1)) as a series.
private func naturalLogarithm(_ x: Double) -> Double {
    var (m, e) = (x.significand, Double(x.exponent))
    if m > 1.4142135623730951 {
        m *= 0.5
        e += 1
    }
    let s = (m - 1) / (m + 1)
    let s2 = s * s
    var sum = 0.0
    // s² ≤ 0.0295: twelve terms reach 2⁻⁵⁶.
    for k in stride(from: 23, through: 1, by: -2) { sum = sum * s2 + 1 / Double(k) }
    return 2 * s * sum + e * 0.6931471805599453
}

/// cos 2πv and sin 2πv for v in [0, 1), by the nearest eighth of a turn and Taylor's series.
private func turn(_ v: Double) -> (cosine: Double, sine: Double) {
    let eighth = (v * 8).rounded(.down)
    let angle = (v * 8 - eighth) * 0.7853981633974483
    let a2 = angle * angle
    var (cosine, sine) = (1.0, 1.0)
    // angle ≤ π/4: the terms left out are below 2⁻⁵⁶.
    for k in stride(from: 18, through: 2, by: -2) { cosine = 1 - cosine * a2 / Double(k * (k - 1)) }
    for k in stride(from: 19, through: 3, by: -2) { sine = 1 - sine * a2 / Double(k * (k - 1)) }
    sine *= angle
    let (c, s) = (cosine, sine)
    let half = 0.7071067811865476
    switch Int(eighth) & 7 {
    case 0: return (c, s)
    case 1: return (half * (c - s), half * (c + s))
    case 2: return (-s, c)
    case 3: return (-half * (c + s), half * (c - s))
    case 4: return (-c, -s)
    case 5: return (-half * (c - s), -half * (c + s))
    case 6: return (s, -c)
    default: return (half * (c + s), -half * (c - s))
    }
}
