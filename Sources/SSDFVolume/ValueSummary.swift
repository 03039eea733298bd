import SSDFCore

/// What a grid's values are like.
package struct ValueSummary: Sendable, Equatable {
    /// Bins of the histogram.
    package static let bins = 24

    /// Smallest and largest finite value; both 0 when there is none.
    package private(set) var minimum = 0.0
    /// The largest finite value; see `minimum`.
    package private(set) var maximum = 0.0
    /// Values that are not finite.
    package private(set) var notFinite = 0
    /// Values below the iso value: inside.
    package private(set) var below = 0
    /// `[bins]`: how many values lie in each of equal parts of minimum … maximum.
    package private(set) var histogram = [Int](repeating: 0, count: bins)

    /// - Complexity: O(values).
    package init(_ values: UnsafeBufferPointer<Float>, iso: Double, threads: Int) {
        let grain = 1 << 18
        let count = values.count
        let chunks = (count + grain - 1) / grain
        let input = Unchecked(values)
        let ranges = parallelMap(chunks, threads: threads) { chunk in
            var (low, high) = (Float.infinity, -Float.infinity)
            for value in input.value[chunk * grain..<min(count, (chunk + 1) * grain)] where value.isFinite {
                low = min(low, value)
                high = max(high, value)
            }
            return (low, high)
        }
        let low = ranges.map(\.0).min() ?? .infinity
        let high = ranges.map(\.1).max() ?? -.infinity
        if low <= high {
            minimum = Double(low)
            maximum = Double(high)
        }
        let (start, level) = (low, iso)
        let scale = high > low ? Float(Self.bins) / (high - low) : 0
        let parts = parallelMap(chunks, threads: threads) { chunk in
            var part = (notFinite: 0, below: 0, histogram: [Int](repeating: 0, count: Self.bins))
            for value in input.value[chunk * grain..<min(count, (chunk + 1) * grain)] {
                guard value.isFinite else {
                    part.notFinite += 1
                    continue
                }
                if Double(value) < level { part.below += 1 }
                part.histogram[min(Self.bins - 1, Int((value - start) * scale))] += 1
            }
            return part
        }
        for part in parts {
            notFinite += part.notFinite
            below += part.below
            for bin in 0..<Self.bins { histogram[bin] += part.histogram[bin] }
        }
    }

    /// The histogram as lines of text, one a bin.
    var histogramText: String {
        let most = max(1, histogram.max() ?? 1)
        let step = (maximum - minimum) / Double(Self.bins)
        return histogram.enumerated().map { bin, count in
            let eighths = (count * 40 * 8 + most - 1) / most
            let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
            let bar = String(repeating: "█", count: eighths / 8) + partial
            let edge = minimum + step * Double(bin)
            // The rounding of a sum is not a value.
            let from = rounded(abs(edge) < step * 1e-5 ? 0 : edge, digits: 4)
            return String(repeating: " ", count: max(0, 10 - from.count)) + from + " " + bar
        }.joined(separator: "\n")
    }
}
