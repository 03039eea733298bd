#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The angle with sine and cosine in this proportion, 0 … 180 degrees for a sine of at least 0.
func angleDegrees(sine: Double, cosine: Double) -> Double { atan2(sine, cosine) * 180 / .pi }

/// The direction of a point of the plane, -180 … 180 degrees from x.
func angleDegrees(y: Double, x: Double) -> Double { atan2(y, x) * 180 / .pi }

/// The cosine of an angle in degrees.
func cosine(degrees: Double) -> Double { cos(degrees * .pi / 180) }

/// The sine and cosine of an angle in turns.
func circle(turns: Double) -> (sine: Double, cosine: Double) { (sin(2 * .pi * turns), cos(2 * .pi * turns)) }
