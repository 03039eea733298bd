import SSDFCore

/// How a picture flattens space.
package enum Projection: Sendable, Equatable {
    case orthographic
    /// The angle that the object's bounding sphere fills, in degrees, above 0 and below 120.
    case perspective(angle: Double)
}

/// What the frame of a picture is fitted to.
package enum Framing: Sendable, Equatable {
    /// The outline seen, so that the object fills the picture.
    case outline
    /// The bounding sphere, so that pictures from all sides have one scale.
    case sphere
}

/// Maps space to samples of a picture and back.
///
/// View coordinates are in bounding-sphere radii: x to the right, y up, z to the viewer, the sphere's centre at 0.
/// *Nearness* grows towards the viewer and is affine in the picture: 1/distance for a perspective, minus the distance
/// for an orthographic one.
struct ViewCamera: Sendable {
    let center: Vector3d
    /// Radius of the bounding sphere, world units, > 0.
    let radius: Double
    let right: Vector3d, up: Vector3d, toward: Vector3d
    /// From the eye to the centre, in radii.
    let distance: Double
    let isPerspective: Bool
    /// Samples for one unit of the image plane.
    var zoom: Double = 1
    /// The image plane's origin, in samples.
    var originX: Double = 0, originY: Double = 0

    /// A camera on the side of `toward`, which need not have unit length.
    init(center: Vector3d, radius: Double, toward: Vector3d, up hint: Vector3d, projection: Projection) {
        self.center = center
        self.radius = radius
        self.toward = toward.normalized
        let side = hint.cross(self.toward)
        right = side.length > 1e-9 ? side.normalized : Vector3d(1, 0, 0)
        up = self.toward.cross(right)
        switch projection {
        case .orthographic:
            isPerspective = false
            distance = 4
        case .perspective(let angle):
            isPerspective = true
            distance = 1 / sine(angle * .pi / 360)
        }
    }

    /// View coordinates of a point of space.
    func view(_ p: Vector3d) -> Vector3d {
        let q = (p - center) / radius
        return Vector3d(q.dot(right), q.dot(up), q.dot(toward))
    }

    /// The point of space at view coordinates.
    func space(_ v: Vector3f) -> Vector3d {
        center + (right * Double(v.x) + up * Double(v.y) + toward * Double(v.z)) * radius
    }

    /// A direction of space in view coordinates.
    func viewDirection(_ d: Vector3f) -> Vector3f {
        let d = Vector3d(d)
        return Vector3f(Float(d.dot(right)), Float(d.dot(up)), Float(d.dot(toward)))
    }

    /// A direction of view coordinates in space.
    func direction(_ v: Vector3f) -> Vector3f {
        Vector3f(right) * v.x + Vector3f(up) * v.y + Vector3f(toward) * v.z
    }

    /// Image plane position and nearness of view coordinates.
    func plane(_ v: Vector3d) -> Vector3d {
        let away = distance - v.z
        return isPerspective ? Vector3d(v.x / away, v.y / away, 1 / away) : Vector3d(v.x, v.y, -away)
    }

    /// Position in samples, y downwards, and nearness.
    func sample(_ v: Vector3d) -> Vector3d {
        let p = plane(v)
        return Vector3d(originX + p.x * zoom, originY - p.y * zoom, p.z)
    }

    /// View coordinates of a position in samples at a nearness.
    func unproject(x: Float, y: Float, nearness: Float) -> Vector3f {
        let px = (x - Float(originX)) / Float(zoom)
        let py = (Float(originY) - y) / Float(zoom)
        let away = isPerspective ? 1 / nearness : -nearness
        return isPerspective
            ? Vector3f(px * away, py * away, Float(distance) - away) : Vector3f(px, py, Float(distance) - away)
    }

    /// The direction from a position in samples to the viewer, in view coordinates.
    func towardViewer(x: Float, y: Float) -> Vector3f {
        guard isPerspective else { return Vector3f(0, 0, 1) }
        let px = (x - Float(originX)) / Float(zoom)
        let py = (Float(originY) - y) / Float(zoom)
        return Vector3f(-px, -py, 1).normalized
    }

    /// Puts the box `low … high` of the image plane in the middle of `width`×`height` samples, with a share of the
    /// frame as `margin` on each side.
    mutating func fit(low: SIMD2<Double>, high: SIMD2<Double>, width: Int, height: Int, margin: Double) {
        let size = high - low
        let room = SIMD2(Double(width), Double(height)) * (1 - 2 * margin)
        let limits = room / SIMD2(max(size.x, 1e-12), max(size.y, 1e-12))
        zoom = min(limits.x, limits.y)
        originX = Double(width) / 2 - (low.x + high.x) / 2 * zoom
        originY = Double(height) / 2 + (low.y + high.y) / 2 * zoom
    }
}
