/// An axis-aligned box, closed on all sides. The empty box has `minimum > maximum`.
///
/// Other modules inline what is `@inlinable` here, and specialise it, only because the type and what it stores are
/// `@usableFromInline`: without that the compiler calls the generic code, fifty times slower, and says nothing.
@usableFromInline package struct Box3<Scalar: BinaryFloatingPoint & SIMDScalar>: Equatable {
    @usableFromInline package var minimum: SIMD3<Scalar>
    @usableFromInline package var maximum: SIMD3<Scalar>

    @inlinable package init(minimum: SIMD3<Scalar>, maximum: SIMD3<Scalar>) {
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The box that holds nothing; inserting a point makes it that point.
    @inlinable package static var empty: Self {
        Self(minimum: SIMD3(repeating: .infinity), maximum: SIMD3(repeating: -.infinity))
    }

    @inlinable package var isEmpty: Bool { any(minimum .> maximum) }
    @inlinable package var center: SIMD3<Scalar> { (minimum + maximum) * 0.5 }
    @inlinable package var size: SIMD3<Scalar> { maximum - minimum }

    /// Length of the longest side; 0 for the empty box.
    @inlinable package var longestSide: Scalar { isEmpty ? 0 : size.max() }

    /// Grows to hold a point.
    @inlinable package mutating func insert(_ point: SIMD3<Scalar>) {
        minimum.replace(with: point, where: point .< minimum)
        maximum.replace(with: point, where: point .> maximum)
    }

    /// Grows to hold another box.
    @inlinable package mutating func insert(_ other: Self) {
        minimum.replace(with: other.minimum, where: other.minimum .< minimum)
        maximum.replace(with: other.maximum, where: other.maximum .> maximum)
    }

    /// Squared distance from a point to the box; 0 inside.
    @inlinable package func distanceSquared(to point: SIMD3<Scalar>) -> Scalar {
        let outside = pointwiseMax(pointwiseMax(minimum - point, point - maximum), .zero)
        return outside.x * outside.x + outside.y * outside.y + outside.z * outside.z
    }
}

/// A box in single precision.
package typealias Box3f = Box3<Float>
/// A box in double precision.
package typealias Box3d = Box3<Double>

extension Box3: Sendable where Scalar: Sendable, Scalar.SIMD4Storage: Sendable {}
