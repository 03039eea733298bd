#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The cosine, rounded once from double precision: equal on every machine but for rare ties.
package func cosine(_ angle: Float) -> Float { Float(cos(Double(angle))) }

/// The sine, rounded once from double precision.
package func sine(_ angle: Float) -> Float { Float(sin(Double(angle))) }
