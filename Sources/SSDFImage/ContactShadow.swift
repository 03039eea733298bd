import SSDFCore

/// The soft shadow that an object casts on the ground under it: dark where it touches, gone where it stands high.
struct ContactShadow: Sendable {
    /// Height of the ground, world units.
    let ground: Double
    private let camera: ViewCamera
    /// `[side, side]`, 0…1.
    private let darkness: [Float]

    private static var side: Int { 384 }

    /// - Parameter box: the object's, world units; y is up.
    init(positions: [Float], triangles: [UInt32], view: ViewCamera, box: Box3f, threads: Int) {
        let side = Self.side
        ground = Double(box.minimum.y)
        // From below, the nearest surface is the lowest.
        var camera = ViewCamera(
            center: view.center, radius: view.radius, toward: Vector3d(0, -1, 0), up: Vector3d(0, 0, 1),
            projection: .orthographic)
        camera.fit(low: SIMD2(-1.6, -1.6), high: SIMD2(1.6, 1.6), width: side, height: side, margin: 0)
        self.camera = camera
        let seen = rasterise(
            positions: positions, triangles: triangles, camera: camera, width: side, height: side, threads: threads)
        let lowest = Float(camera.plane(camera.view(Vector3d(view.center.x, ground, view.center.z))).z)
        var touch = [Float](repeating: 0, count: side * side)
        for i in touch.indices where seen.triangles[i] != VisibilityBuffer.none {
            touch[i] = exponential(-max(0, lowest - seen.nearness[i]) / 0.22)
        }
        let near = blurred(touch, side: side, radius: 4)
        let wide = blurred(touch, side: side, radius: 18)
        darkness = zip(near, wide).map { 0.45 * $0 + 0.55 * $1 }
    }

    /// How dark the ground is at a point of it, 0…1, between samples linear.
    func darkness(at point: Vector3d) -> Float {
        let s = camera.sample(camera.view(point))
        let x = Float(s.x) - 0.5
        let y = Float(s.y) - 0.5
        guard x >= 0, y >= 0, x < Float(Self.side - 1), y < Float(Self.side - 1) else { return 0 }
        let (i, j) = (Int(x), Int(y))
        let (u, v) = (x - Float(i), y - Float(j))
        let row = j * Self.side + i
        let upper = darkness[row] * (1 - u) + darkness[row + 1] * u
        let lower = darkness[row + Self.side] * (1 - u) + darkness[row + Self.side + 1] * u
        return upper * (1 - v) + lower * v
    }
}

/// Three box filters a direction, which is close to a Gaussian; outside counts as 0.
/// - Complexity: O(side²), whatever the radius.
private func blurred(_ values: [Float], side: Int, radius: Int) -> [Float] {
    var result = values
    var line = [Float](repeating: 0, count: side)
    let scale = 1 / Float(2 * radius + 1)
    for (stride, step) in [(side, 1), (1, side)] {
        for row in 0..<side {
            for _ in 0..<3 {
                for i in 0..<side { line[i] = result[row * stride + i * step] }
                var sum: Float = 0
                for i in 0..<min(radius, side) { sum += line[i] }
                for i in 0..<side {
                    if i + radius < side { sum += line[i + radius] }
                    if i - radius - 1 >= 0 { sum -= line[i - radius - 1] }
                    result[row * stride + i * step] = max(0, sum * scale)
                }
            }
        }
    }
    return result
}
