#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The angle with sine and cosine in this proportion, 0 … 180 degrees for a sine of at least 0.
func angleDegrees(sine: Double, cosine: Double) -> Double { atan2(sine, cosine) * 180 / .pi }
