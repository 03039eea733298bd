import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Any number of shapes from a seed. A shape depends on the seed, its split and its number alone; the two splits never
/// share random numbers.
package struct ProceduralShapes: Sendable {
    /// Which of the shapes: they share no number.
    package enum Split: Sendable {
        case training
        /// What training never sees.
        case heldOut
    }

    /// Shapes of different seeds have nothing in common.
    package let seed: UInt64

    /// The shapes of a seed.
    package init(seed: UInt64) { self.seed = seed }

    /// Shape number `index`, upright, its longest side 1.9, centred in the cube. All families are equally likely.
    package func shape(_ index: Int, _ split: Split) -> (family: ShapeFamily, shape: Shape) {
        let (family, shape) = unscaled(index, split)
        return (family, shape.normalized())
    }

    /// The same under a uniformly random rotation.
    package func rotatedShape(_ index: Int, _ split: Split) -> (family: ShapeFamily, shape: Shape) {
        let (family, shape) = unscaled(index, split)
        var generator = Philox(seed: seed, stream: stream(index, split) | 1 << 62)
        return (family, shape.transformed(rotation: Self.rotation(&generator)).normalized())
    }

    private func unscaled(_ index: Int, _ split: Split) -> (family: ShapeFamily, shape: Shape) {
        var generator = Philox(seed: seed, stream: stream(index, split))
        let family = Self.family(&generator)
        return (family, family.shape(generator))
    }

    /// The family of shape number `index`.
    package func family(_ index: Int, _ split: Split) -> ShapeFamily {
        var generator = Philox(seed: seed, stream: stream(index, split))
        return Self.family(&generator)
    }

    private static func family(_ generator: inout Philox) -> ShapeFamily {
        let families = ShapeFamily.allCases
        return families[min(Int(generator.uniform() * Double(families.count)), families.count - 1)]
    }

    private func stream(_ index: Int, _ split: Split) -> UInt64 {
        precondition(index >= 0 && index < 1 << 60, "shapes are numbered from 0")
        return UInt64(index) | (split == .heldOut ? 1 << 63 : 0)
    }

    /// A rotation matrix, rows, all rotations alike.
    ///
    /// Source: Shoemake, "Uniform Random Rotations", Graphics Gems III, 1992.
    static func rotation(_ generator: inout Philox) -> [Vector3f] {
        let (u, v, w) = (generator.uniform(), generator.uniform(), generator.uniform())
        let (a, b) = ((1 - u).squareRoot(), u.squareRoot())
        let x = Float(a * sin(2 * .pi * v))
        let y = Float(a * cos(2 * .pi * v))
        let z = Float(b * sin(2 * .pi * w))
        let r = Float(b * cos(2 * .pi * w))
        return [
            [1 - 2 * (y * y + z * z), 2 * (x * y - r * z), 2 * (x * z + r * y)],
            [2 * (x * y + r * z), 1 - 2 * (x * x + z * z), 2 * (y * z - r * x)],
            [2 * (x * z - r * y), 2 * (y * z + r * x), 1 - 2 * (x * x + y * y)],
        ]
    }
}
