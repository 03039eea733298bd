#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The learning rate of every step: a linear rise, then constant or falling along half a cosine to a last value.
package struct LearningRateSchedule: Sendable, Equatable {
    /// The highest rate.
    package var peak: Double
    /// Steps of the rise from 0; 0 for none.
    package var warmup: Int
    /// Steps in all, at the end of which the rate is `last`; 0 for a constant rate.
    package var total: Int
    /// The rate at the end.
    package var last: Double

    /// A schedule of these rates and steps.
    package init(peak: Double, warmup: Int = 0, total: Int = 0, last: Double = 0) {
        self.peak = peak
        self.warmup = warmup
        self.total = total
        self.last = last
    }

    /// The rate of step `step`, counted from 0.
    package func rate(at step: Int) -> Double {
        if step < warmup { return peak * Double(step + 1) / Double(warmup) }
        guard total > warmup else { return peak }
        let progress = min(1, Double(step - warmup) / Double(total - warmup))
        return last + (peak - last) * 0.5 * (1 + cos(.pi * progress))
    }
}
