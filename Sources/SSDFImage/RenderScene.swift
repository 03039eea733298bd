import SSDFCore

/// Everything a sample is shaded from.
struct RenderScene: Sendable {
    private let positions: [Float]
    private let triangles: [UInt32]
    private let normals: SurfaceNormals
    private let options: RenderOptions
    private let camera: ViewCamera
    private let seen: VisibilityBuffer
    private let shadow: ShadowMap?
    private let contact: ContactShadow?
    private let light = StudioLight()

    init(positions: [Float], triangles: [UInt32], normals: [Float], options: RenderOptions) {
        let threads = options.threads
        let side = options.samplesPerSide
        self.positions = positions
        self.triangles = triangles
        self.options = options
        self.normals = SurfaceNormals(
            positions: positions, triangles: triangles, given: normals, creaseAngle: options.creaseAngle,
            threads: threads)
        let box = boundingBox(positions, triangles)
        camera = framedCamera(positions: positions, triangles: triangles, box: box, options: options)
        seen = rasterise(
            positions: positions, triangles: triangles, camera: camera, width: options.width * side,
            height: options.height * side, threads: threads)
        shadow =
            options.hasShadows
            ? ShadowMap(positions: positions, triangles: triangles, view: camera, light: light.key, threads: threads)
            : nil
        contact =
            options.hasGround && options.elevation > 0 && !box.isEmpty
            ? ContactShadow(positions: positions, triangles: triangles, view: camera, box: box, threads: threads) : nil
    }

    func draw() -> RenderedView {
        let width = options.width
        let height = options.height
        let side = options.samplesPerSide
        let middle = parallelRows(width: width, height: height, threads: options.threads) { x, y in representative(x, y)
        }
        let open = ambientOcclusion(
            of: middle, width: width, height: height,
            pixelsPerRadius: Float(camera.zoom) / Float(side) / (camera.isPerspective ? Float(camera.distance) : 1),
            threads: options.threads)
        let pixels = parallelRows(width: width, height: height, threads: options.threads) { x, y in
            pixel(x, y, open: open[y * width + x])
        }
        let count = width * height
        var depth = [Float](repeating: .infinity, count: count)
        var normals = [Float](repeating: 0, count: 3 * count)
        var coverage = [Float](repeating: 0, count: count)
        var colors = [UInt16](repeating: 0, count: 4 * count)
        for i in 0..<count {
            for channel in 0..<4 { colors[4 * i + channel] = pixels[i].color[channel] }
            coverage[i] = pixels[i].coverage
            guard middle[i].isSeen else { continue }
            depth[i] = Float((camera.distance - Double(middle[i].position.z)) * camera.radius)
            let n = camera.direction(middle[i].normal)
            for axis in 0..<3 { normals[3 * i + axis] = n[axis] }
        }
        return RenderedView(
            image: RasterImage(width: width, height: height, pixels: colors), depth: depth, normals: normals,
            coverage: coverage)
    }

    /// The surface at the sample of a pixel that is nearest to its centre, of those that see it.
    private func representative(_ x: Int, _ y: Int) -> SurfacePoint {
        let side = options.samplesPerSide
        let center = side / 2
        if let point = surface(x * side + center, y * side + center) { return point }
        for sy in y * side..<(y + 1) * side {
            for sx in x * side..<(x + 1) * side {
                if let point = surface(sx, sy) { return point }
            }
        }
        return .nothing
    }

    private struct Pixel: BitwiseCopyable {
        /// sRGB with alpha.
        var color: SIMD4<UInt16>
        var coverage: Float
    }

    private func pixel(_ x: Int, _ y: Int, open: Float) -> Pixel {
        let side = options.samplesPerSide
        let viewer = camera.towardViewer(x: (Float(x) + 0.5) * Float(side), y: (Float(y) + 0.5) * Float(side))
        var sum = Vector3f()
        var shaded = 0
        let isWhole = isWholeAndSmooth(x, y)
        for row in 0..<side {
            for column in 0..<side where !isWhole || row == column {
                guard let point = surface(x * side + column, y * side + row) else { continue }
                let turn = hashedAngle(x * side + column, y * side + row)
                sum += StudioLight.rolledOff(color(of: point, viewer: viewer, open: open, turn: turn))
                shaded += 1
            }
        }
        let covered = isWhole ? side * side : shaded
        if isWhole { sum *= Float(side) }
        let samples = Float(side * side)
        let share = Float(covered) / samples
        let object = sum / samples
        var dark: Float = 0
        if share < 1, let contact { dark = 0.62 * groundDarkness(contact, x: x, y: y) }
        // The object over the shadow over the background, mixed as light.
        switch options.background {
        case .white:
            let mixed = object + Vector3f(repeating: (1 - share) * (1 - dark) * (1 - dark))
            return Pixel(color: encoded(mixed, alpha: 1), coverage: share)
        case .transparent:
            let alpha = share + (1 - share) * dark
            return Pixel(color: encoded(alpha > 0 ? object / alpha : .zero, alpha: alpha), coverage: share)
        }
    }

    private func encoded(_ linear: Vector3f, alpha: Float) -> SIMD4<UInt16> {
        let color = SIMD4(encodeSRGB(linear.x), encodeSRGB(linear.y), encodeSRGB(linear.z), alpha)
        let bytes = (color.clamped(lowerBound: .zero, upperBound: .one) * 255).rounded(.toNearestOrEven)
        return SIMD4<UInt16>(clamping: SIMD4<Int32>(bytes)) &* 257
    }

    /// Whether all samples of a pixel see one stretch of surface; then those of the diagonal show it well enough.
    private func isWholeAndSmooth(_ x: Int, _ y: Int) -> Bool {
        let side = options.samplesPerSide
        var low = Float.infinity
        var high = -Float.infinity
        for sy in y * side..<(y + 1) * side {
            for sx in x * side..<(x + 1) * side {
                let nearness = seen.nearness[sy &* seen.width &+ sx]
                low = min(low, nearness)
                high = max(high, nearness)
            }
        }
        // In bounding-sphere radii: a perspective's nearness is 1/distance.
        let scale = camera.isPerspective ? Float(camera.distance * camera.distance) : 1
        return low > -.infinity && (high - low) * scale < 0.02
    }

    private func groundDarkness(_ contact: ContactShadow, x: Int, y: Int) -> Float {
        let side = Float(options.samplesPerSide)
        let sx = (Float(x) + 0.5) * side
        let sy = (Float(y) + 0.5) * side
        let toward = Vector3d(camera.direction(camera.towardViewer(x: sx, y: sy)))
        guard toward.y > 1e-3 else { return 0 }
        // Any point of the ray will do: the one level with the object.
        let nearness = Float(camera.isPerspective ? 1 / camera.distance : -camera.distance)
        let through = camera.space(camera.unproject(x: sx, y: sy, nearness: nearness))
        return contact.darkness(at: through - toward * ((through.y - contact.ground) / toward.y))
    }

    private func color(of point: SurfacePoint, viewer: Vector3f, open: Float, turn: SIMD2<Float>) -> Vector3f {
        let normal = camera.direction(point.normal)
        let albedo = point.isBack ? options.albedo * options.backTint : options.albedo
        var visible: Float = 1
        // What faces away from the light is dark by itself.
        if let shadow, point.normal.dot(light.key) > -0.12 {
            visible = shadow.light(at: camera.space(point.position), normal: normal, turn: turn)
        }
        return light.shade(
            albedo: albedo, normal: point.normal, viewer: viewer, skyward: normal.y, visible: visible, open: open)
    }

    /// What is seen at a sample, or nil for the background.
    private func surface(_ sx: Int, _ sy: Int) -> SurfacePoint? {
        let index = sy * seen.width + sx
        let triangle = seen.triangles[index]
        guard triangle != VisibilityBuffer.none else { return nil }
        let position = camera.unproject(x: Float(sx) + 0.5, y: Float(sy) + 0.5, nearness: seen.nearness[index])
        return positions.withUnsafeBufferPointer { p in
            triangles.withUnsafeBufferPointer { t in
                surface(of: Int(triangle), at: position, p, t)
            }
        }
    }

    private func surface(
        of triangle: Int, at position: Vector3f, _ p: UnsafeBufferPointer<Float>, _ t: UnsafeBufferPointer<UInt32>
    ) -> SurfacePoint {
        let face = faceNormal(triangle, p, t)
        let flat = face.normalized
        let corners = (Int(t[3 * triangle]), Int(t[3 * triangle + 1]), Int(t[3 * triangle + 2]))
        let a = point(corners.0, p)
        let at = Vector3f(camera.space(position)) - a
        // Barycentric coordinates as ratios of areas in the triangle's plane.
        let scale = 1 / max(face.lengthSquared, .leastNormalMagnitude)
        let v = (at.cross(point(corners.2, p) - a).dot(face) * scale).clamped(to: 0...1)
        let w = ((point(corners.1, p) - a).cross(at).dot(face) * scale).clamped(to: 0...1)
        let smooth =
            normals.normal(at: corners.0, flat: flat, p, t) * max(0, 1 - v - w)
            + normals.normal(at: corners.1, flat: flat, p, t) * v
            + normals.normal(at: corners.2, flat: flat, p, t) * w
        let viewer =
            camera.isPerspective ? Vector3f(0, 0, Float(camera.distance)) - position : Vector3f(0, 0, 1)
        let isBack = camera.viewDirection(flat).dot(viewer) < 0
        let normal = camera.viewDirection(smooth).normalized
        return SurfacePoint(position: position, normal: isBack ? -normal : normal, isBack: isBack)
    }
}

/// A point of the surface that the viewer sees.
struct SurfacePoint: BitwiseCopyable, Sendable {
    /// View coordinates; z is minus infinity where nothing is seen.
    var position: Vector3f
    /// Unit, view coordinates, on the viewer's side; zero where nothing is seen.
    var normal: Vector3f
    /// Whether the triangle's back is seen.
    var isBack: Bool

    static let nothing = SurfacePoint(position: Vector3f(0, 0, -.infinity), normal: .zero, isBack: false)

    var isSeen: Bool { position.z > -.infinity }
}

/// The box of the vertices that triangles use.
private func boundingBox(_ positions: [Float], _ triangles: [UInt32]) -> Box3f {
    guard !triangles.isEmpty else { return .empty }
    var (lowX, lowY, lowZ) = (Float.infinity, Float.infinity, Float.infinity)
    var (highX, highY, highZ) = (-Float.infinity, -Float.infinity, -Float.infinity)
    positions.withUnsafeBufferPointer { p in
        for vertex in triangles {
            let i = 3 &* Int(vertex)
            (lowX, highX) = (min(lowX, p[i]), max(highX, p[i]))
            (lowY, highY) = (min(lowY, p[i &+ 1]), max(highY, p[i &+ 1]))
            (lowZ, highZ) = (min(lowZ, p[i &+ 2]), max(highZ, p[i &+ 2]))
        }
    }
    return Box3f(minimum: [lowX, lowY, lowZ], maximum: [highX, highY, highZ])
}

/// The camera that the options describe, framed.
private func framedCamera(
    positions: [Float], triangles: [UInt32], box: Box3f, options: RenderOptions
) -> ViewCamera {
    let azimuth = options.azimuth * .pi / 180
    let elevation = options.elevation.clamped(to: -90...90) * .pi / 180
    let toward = Vector3d(
        sine(azimuth) * cosine(elevation), sine(elevation), cosine(azimuth) * cosine(elevation))
    // Straight from above or below, the azimuth still says which way is up in the picture.
    let up = abs(toward.y) > 0.9999 ? Vector3d(-sine(azimuth), 0, -cosine(azimuth)) * toward.y : Vector3d(0, 1, 0)
    let low = Vector3d(box.minimum)
    let high = Vector3d(box.maximum)
    let radius = box.isEmpty ? 1 : max((high - low).length / 2, .leastNormalMagnitude)
    var camera = ViewCamera(
        center: box.isEmpty ? .zero : (low + high) / 2, radius: radius, toward: toward, up: up,
        projection: options.projection)
    var (left, right) = (SIMD2<Double>(repeating: -1), SIMD2<Double>(repeating: 1))
    if options.framing == .outline, !box.isEmpty {
        left = SIMD2(repeating: .infinity)
        right = SIMD2(repeating: -.infinity)
        positions.withUnsafeBufferPointer { p in
            for vertex in 0..<p.count / 3 {
                // Vertices that no triangle uses may lie anywhere.
                let v = point(vertex, p)
                guard all(v .>= box.minimum), all(v .<= box.maximum) else { continue }
                let s = camera.plane(camera.view(Vector3d(v)))
                left = SIMD2(min(left.x, s.x), min(left.y, s.y))
                right = SIMD2(max(right.x, s.x), max(right.y, s.y))
            }
        }
    } else if camera.isPerspective {
        // The sphere's outline as the eye sees it.
        let reach = 1 / (camera.distance * camera.distance - 1).squareRoot()
        left *= reach
        right *= reach
    }
    camera.fit(
        low: left, high: right, width: options.width * options.samplesPerSide,
        height: options.height * options.samplesPerSide, margin: options.margin)
    return camera
}
