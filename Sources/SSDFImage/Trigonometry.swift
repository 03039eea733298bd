#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// The C library's functions, in a file of their own: importing it everywhere hides names such as `y1`.

func sine(_ angle: Double) -> Double { sin(angle) }
func cosine(_ angle: Double) -> Double { cos(angle) }
func power(_ base: Float, _ exponent: Float) -> Float { powf(base, exponent) }
func exponential(_ x: Float) -> Float { expf(x) }
