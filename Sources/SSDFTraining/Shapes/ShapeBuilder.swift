import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Puts a shape together from parts whose sizes are drawn at random. y is up, the front looks to +z; objects are about
/// one unit large, and are scaled when they are done.
struct ShapeBuilder {
    private(set) var shape = Shape()
    private var generator: Philox
    /// Width of the blend of the parts to come; 0 joins them with an edge.
    var blend: Float = 0
    /// Whether the parts to come are cut out.
    var cuts = false

    init(_ generator: Philox) { self.generator = generator }

    // MARK: Chance

    /// Uniform between two numbers.
    mutating func between(_ low: Float, _ high: Float) -> Float { low + (high - low) * Float(generator.uniform()) }

    mutating func chance(_ probability: Double) -> Bool { generator.uniform() < probability }

    /// A whole number of a range, all alike.
    mutating func whole(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.uniform() * Double(range.count))
    }

    // MARK: Parts

    /// A box with rounded edges.
    mutating func box(
        _ center: Vector3f, half: Vector3f, round: Float = 0.01, frame: [Vector3f] = ShapeBuilder.upright
    ) {
        add(SSDF_ROUNDED_BOX, center, frame, [half.x, half.y, half.z, min(round, half.min() * 0.95)])
    }

    mutating func ellipsoid(
        _ center: Vector3f, radii: Vector3f, frame: [Vector3f] = ShapeBuilder.upright
    ) {
        add(SSDF_ELLIPSOID, center, frame, [radii.x, radii.y, radii.z])
    }

    mutating func ball(_ center: Vector3f, _ radius: Float) {
        ellipsoid(center, radii: Vector3f(repeating: radius))
    }

    /// A cylinder or cone frustum from one point to another, with rounded rims; sizes include the rounding.
    mutating func cone(from a: Vector3f, to b: Vector3f, _ radiusA: Float, _ radiusB: Float, round: Float = 0.008) {
        let half = (b - a).length / 2
        let r = min(round, min(half, max(min(radiusA, radiusB), 0.002)) * 0.9)
        add(
            SSDF_CAPPED_CONE, (a + b) / 2, Self.frame(along: b - a),
            [half - r, max(radiusA - r, 0), max(radiusB - r, 0), r])
    }

    mutating func cylinder(from a: Vector3f, to b: Vector3f, _ radius: Float, round: Float = 0.008) {
        cone(from: a, to: b, radius, radius, round: round)
    }

    /// Two balls and what is stretched between them.
    mutating func rod(from a: Vector3f, to b: Vector3f, _ radiusA: Float, _ radiusB: Float? = nil) {
        add(SSDF_ROUND_CONE, a, Self.frame(along: b - a), [max((b - a).length, 1e-4), radiusA, radiusB ?? radiusA])
    }

    /// A ring whose axis is `axis`.
    mutating func torus(_ center: Vector3f, axis: Vector3f, radius: Float, tube: Float) {
        add(SSDF_TORUS, center, Self.frame(along: axis), [radius, tube])
    }

    /// A plate with four corners in the plane of two axes, `depth` thick on the whole.
    mutating func plate(
        _ center: Vector3f, right: Vector3f, up: Vector3f, corners: [SIMD2<Float>], depth: Float, round: Float = 0.008
    ) {
        precondition(corners.count == 4, "a plate has four corners")
        let x = right.normalized
        let z = x.cross(up).normalized
        let flat = corners.flatMap { [$0.x, $0.y] }
        let r = min(round, depth * 0.45)
        add(SSDF_PRISM, center, [x, z.cross(x), z], flat + [depth / 2 - r, r])
    }

    /// A profile turned around the vertical: frustums through the given radii at the given heights, with rounded joints.
    mutating func lathe(_ profile: [(height: Float, radius: Float)], at place: Vector3f = .zero, blend width: Float) {
        let kept = blend
        for (index, (a, b)) in zip(profile, profile.dropFirst()).enumerated() {
            cone(from: place + [0, a.height, 0], to: place + [0, b.height, 0], a.radius, b.radius, round: 0.004)
            if index == 0 { blend = width }
        }
        blend = kept
    }

    /// Turns all that was built so that its +y points in a random level direction.
    mutating func lieDown() {
        let angle = between(0, 2 * .pi)
        let (c, s) = (cosf(angle), sinf(angle))
        shape = shape.transformed(rotation: [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
            .transformed(rotation: [[c, 0, s], [0, 1, 0], [-s, 0, c]])
    }

    // MARK: Directions

    static let upright: [Vector3f] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]

    /// A frame (rows: local axes) whose y is the given direction.
    static func frame(along direction: Vector3f) -> [Vector3f] {
        let y = direction.lengthSquared > 0 ? direction.normalized : Vector3f(0, 1, 0)
        let hint: Vector3f = abs(y.x) < 0.8 ? [1, 0, 0] : [0, 0, 1]
        let z = hint.cross(y).normalized
        return [y.cross(z), y, z]
    }

    /// A frame turned by `angle` radians about an axis.
    static func frame(turned angle: Float, about axis: Vector3f) -> [Vector3f] {
        let (a, c, s) = (axis.normalized, cosf(angle), sinf(angle))
        return upright.map { $0 * c + a.cross($0) * s + a * (a.dot($0) * (1 - c)) }
    }

    private mutating func add(_ kind: ssdf_primitive_kind, _ center: Vector3f, _ frame: [Vector3f], _ size: [Float]) {
        var numbers: [Float] = [Float(kind.rawValue), cuts ? 1 : 0, blend, center.x, center.y, center.z]
        for axis in frame { numbers += [axis.x, axis.y, axis.z] }
        numbers += size + [Float](repeating: 0, count: 10 - size.count)
        shape.append(numbers)
    }
}
