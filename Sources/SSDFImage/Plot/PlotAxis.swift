import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A range of numbers along a side of a plot, and the numbers that are written beside it.
struct PlotAxis: Sendable {
    let low: Double
    let high: Double
    let isLogarithmic: Bool

    /// - Precondition: finite, `low ≤ high`; both above 0 where logarithmic.
    init(low: Double, high: Double, isLogarithmic: Bool) {
        self.isLogarithmic = isLogarithmic
        if isLogarithmic {
            self.low = low
            self.high = max(high, low * 1.001)
        } else {
            let room = high > low ? 0 : max(abs(high) * 0.01, 1e-9)
            self.low = low - room
            self.high = high + room
        }
    }

    /// 0 at the lower end, 1 at the upper.
    func share(_ value: Double) -> Double {
        isLogarithmic ? (log(max(value, 1e-300)) - log(low)) / (log(high) - log(low)) : (value - low) / (high - low)
    }

    /// Round numbers within the range, about `count` of them, ascending.
    func ticks(_ count: Int) -> [Double] {
        let decades = isLogarithmic ? log10(high) - log10(low) : 0
        guard isLogarithmic, decades >= 0.9 else { return linearTicks(count) }
        // Every so many powers of ten; with few of them, also their twofold and fivefold.
        let step = max(1, Int((decades / Double(count)).rounded(.up)))
        let factors: [Double] = decades < Double(count) * 0.8 ? [1, 2, 5] : [1]
        var result: [Double] = []
        for power in Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up)) where power % step == 0 {
            for factor in factors {
                let value = factor * pow(10, Double(power))
                if value >= low * 0.999_999, value <= high * 1.000_001 { result.append(value) }
            }
        }
        return result
    }

    private func linearTicks(_ count: Int) -> [Double] {
        let rough = (high - low) / Double(max(count, 1))
        let power = pow(10, log10(rough).rounded(.down))
        let step = power * ([1, 2, 5, 10].first { $0 * power >= rough * 0.999_999 } ?? 10)
        let first = (low / step).rounded(.up)
        let last = (high / step).rounded(.down)
        guard last >= first, last - first < 1000 else { return [] }
        return (0...Int(last - first)).map { (first + Double($0)) * step }
    }

    /// A number as a tick has it: 0.05, 250, 20k, 1.5M, 1e-6.
    static func text(_ value: Double) -> String {
        let size = abs(value)
        for (unit, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")]
        where size >= unit * 10 || (unit > 1e3 && size >= unit) {
            guard size < 1e13 else { break }
            return rounded(value / unit, digits: 4) + letter
        }
        if size >= 1e-3 || size == 0 { return rounded(value, digits: 4) }
        let power = log10(size).rounded(.down)
        return "\(rounded(value / pow(10, power), digits: 3))e\(Int(power))"
    }
}
