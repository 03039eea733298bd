/// A map `p ↦ linear · p + translation` in double precision.
@usableFromInline package struct AffineTransform3: Sendable, Equatable {
    /// Columns of the linear part.
    @usableFromInline package var x: Vector3d, y: Vector3d, z: Vector3d
    /// The image of the origin.
    @usableFromInline package var translation: Vector3d

    /// The map with these columns and this image of the origin.
    package init(x: Vector3d, y: Vector3d, z: Vector3d, translation: Vector3d) {
        self.x = x
        self.y = y
        self.z = z
        self.translation = translation
    }

    /// The map that changes nothing.
    package static let identity = Self(x: [1, 0, 0], y: [0, 1, 0], z: [0, 0, 1], translation: .zero)

    /// Uniform scale followed by a translation.
    package init(scale: Double, translation: Vector3d) {
        self.init(x: [scale, 0, 0], y: [0, scale, 0], z: [0, 0, scale], translation: translation)
    }

    /// The image of a point.
    @inlinable @inline(__always) package func callAsFunction(_ p: Vector3d) -> Vector3d {
        x * p.x + y * p.y + z * p.z + translation
    }

    /// The image of a direction: the translation does not apply.
    @inlinable @inline(__always) package func direction(_ v: Vector3d) -> Vector3d { x * v.x + y * v.y + z * v.z }

    /// Factor on volumes; negative for a map that mirrors, 0 for one that flattens.
    package var determinant: Double { x.dot(y.cross(z)) }

    /// `self` after `first`.
    package func composed(after first: Self) -> Self {
        Self(
            x: direction(first.x), y: direction(first.y), z: direction(first.z),
            translation: self(first.translation))
    }

    /// The inverse map, or nil when the linear part is singular or not finite.
    package var inverse: Self? {
        let d = determinant
        guard d != 0, d.isFinite else { return nil }
        let rx = y.cross(z) / d
        let ry = z.cross(x) / d
        let rz = x.cross(y) / d
        let linear = Self(
            x: [rx.x, ry.x, rz.x], y: [rx.y, ry.y, rz.y], z: [rx.z, ry.z, rz.z], translation: .zero)
        guard linear.x.isFinite, linear.y.isFinite, linear.z.isFinite else { return nil }
        return Self(
            x: linear.x, y: linear.y, z: linear.z, translation: -linear.direction(translation))
    }

    /// Twelve numbers, row-major 3×4: the order every file stores.
    package var rows: [Double] {
        [
            x.x, y.x, z.x, translation.x,
            x.y, y.y, z.y, translation.y,
            x.z, y.z, z.z, translation.z,
        ]
    }

    /// The transform of twelve numbers in row-major 3×4 order.
    /// - Precondition: `rows.count == 12`.
    package init(rows: [Double]) {
        precondition(rows.count == 12, "an affine transform has 12 numbers")
        self.init(
            x: [rows[0], rows[4], rows[8]], y: [rows[1], rows[5], rows[9]],
            z: [rows[2], rows[6], rows[10]], translation: [rows[3], rows[7], rows[11]])
    }
}
