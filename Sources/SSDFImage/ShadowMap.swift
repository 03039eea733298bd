import SSDFCore

/// What a distant light sees, to tell which points it does not reach.
struct ShadowMap: Sendable {
    private let camera: ViewCamera
    private let seen: VisibilityBuffer

    /// Samples a side.
    private static var side: Int { 1024 }
    /// Radius of the soft edge, in samples.
    private static var softness: Float { 9 }

    /// - Parameters:
    ///   - view: the camera of the picture.
    ///   - light: towards the light, in its view coordinates.
    init(positions: [Float], triangles: [UInt32], view: ViewCamera, light: Vector3f, threads: Int) {
        var camera = ViewCamera(
            center: view.center, radius: view.radius, toward: Vector3d(view.direction(light)), up: view.up,
            projection: .orthographic)
        camera.fit(
            low: SIMD2(-1, -1), high: SIMD2(1, 1), width: Self.side, height: Self.side, margin: 0.02)
        self.camera = camera
        seen = rasterise(
            positions: positions, triangles: triangles, camera: camera, width: Self.side, height: Self.side,
            threads: threads)
    }

    /// The share of the light that reaches a point, 0…1.
    /// - Parameters:
    ///   - point: in space, world units.
    ///   - normal: unit, in space.
    ///   - turn: rotates the pattern of samples, so that neighbouring samples of the picture differ and average out.
    func light(at point: Vector3d, normal: Vector3f, turn: SIMD2<Float>) -> Float {
        // The map's samples are wide: a point is lifted off its own surface before it is compared.
        let lifted = point + Vector3d(normal) * (0.012 * camera.radius)
        let s = camera.sample(camera.view(lifted))
        let side = Self.side
        var lit: Float = 0
        for tap in shadowTaps {
            let x = Int(Float(s.x) + (tap.x * turn.x - tap.y * turn.y) * Self.softness)
            let y = Int(Float(s.y) + (tap.x * turn.y + tap.y * turn.x) * Self.softness)
            guard x >= 0, x < side, y >= 0, y < side else {
                lit += 1
                continue
            }
            if seen.nearness[y &* side &+ x] <= Float(s.z) + 0.004 { lit += 1 }
        }
        return lit / Float(shadowTaps.count)
    }
}

/// Points spread evenly over the unit disc: a sunflower's spiral.
private let shadowTaps: [SIMD2<Float>] = (0..<12).map { i in
    let radius = ((Double(i) + 0.5) / 12).squareRoot()
    let angle = Double(i) * 2.399963229728653
    return SIMD2(Float(radius * cosine(angle)), Float(radius * sine(angle)))
}
