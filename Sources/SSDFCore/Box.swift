/// An axis-aligned box, closed on all sides. The empty box has `minimum > maximum`.
///
/// Other modules inline what is `@inlinable` here, and specialise it, only because the type and what it stores are
/// `@usableFromInline`: without that the compiler calls the generic code, fifty times slower, and says nothing.
@usableFromInline package struct Box3<Scalar: BinaryFloatingPoint & SIMDScalar>: Equatable {
    /// The corner with the least coordinates; it belongs to the box.
    @usableFromInline package var minimum: SIMD3<Scalar>
    /// The corner with the greatest coordinates; it belongs to the box.
    @usableFromInline package var maximum: SIMD3<Scalar>

    /// The box between two corners.
    @inlinable package init(minimum: SIMD3<Scalar>, maximum: SIMD3<Scalar>) {
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The box that holds nothing; inserting a point makes it that point.
    @inlinable package static var empty: Self {
        Self(minimum: SIMD3(repeating: .infinity), maximum: SIMD3(repeating: -.infinity))
    }

    /// Whether no point lies in it.
    @inlinable package var isEmpty: Bool { any(minimum .> maximum) }
    /// The point midway between the corners; NaN for the empty box.
    @inlinable package var center: SIMD3<Scalar> { (minimum + maximum) * 0.5 }
    /// Lengths of the sides; negative infinity for the empty box.
    @inlinable package var size: SIMD3<Scalar> { maximum - minimum }

    /// Length of the longest side; 0 for the empty box.
    @inlinable package var longestSide: Scalar { isEmpty ? 0 : size.max() }

    /// Grows to hold a point.
    @inlinable @inline(__always) package mutating func insert(_ point: SIMD3<Scalar>) {
        include(point, point)
    }

    /// Grows to hold another box.
    @inlinable @inline(__always) package mutating func insert(_ other: Self) {
        include(other.minimum, other.maximum)
    }

    /// By components: masks of three lanes become far slower code.
    @inlinable @inline(__always) mutating func include(_ low: SIMD3<Scalar>, _ high: SIMD3<Scalar>) {
        if low.x < minimum.x { minimum.x = low.x }
        if low.y < minimum.y { minimum.y = low.y }
        if low.z < minimum.z { minimum.z = low.z }
        if high.x > maximum.x { maximum.x = high.x }
        if high.y > maximum.y { maximum.y = high.y }
        if high.z > maximum.z { maximum.z = high.z }
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
