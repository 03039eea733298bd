/// Three-component vectors. `SIMD3` is for registers: it is stored as four lanes, so arrays of points hold packed
/// components instead.
@usableFromInline package typealias Vector3f = SIMD3<Float>
/// A vector in double precision: places in files and transforms.
@usableFromInline package typealias Vector3d = SIMD3<Double>

extension SIMD3 where Scalar: FloatingPoint {
    /// Inner product.
    @inlinable package func dot(_ other: Self) -> Scalar {
        x * other.x + y * other.y + z * other.z
    }

    /// Right-handed cross product.
    @inlinable package func cross(_ other: Self) -> Self {
        Self(
            y * other.z - z * other.y,
            z * other.x - x * other.z,
            x * other.y - y * other.x)
    }

    /// Euclidean length squared.
    @inlinable package var lengthSquared: Scalar { dot(self) }

    /// Euclidean length.
    @inlinable package var length: Scalar { dot(self).squareRoot() }

    /// The vector scaled to unit length, or zero when its length is zero or not finite.
    @inlinable package var normalized: Self {
        let length = self.length
        return length > 0 && length.isFinite ? self / length : .zero
    }

    /// Whether all three components are finite.
    @inlinable package var isFinite: Bool { x.isFinite && y.isFinite && z.isFinite }
}
