import CSSDFKernels
import SSDFCore
import SSDFImage
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Pictures of a shape, its cells known, by following rays through its distances; transparent around it.
///
/// Rays begin in front of the first cell behind their tile, and where there is no cell there is no ray, so that most end
/// after a few steps. Much faster than a renderer, and good enough to learn from.
///
/// Source: Hart, "Sphere Tracing", 1996; ambient occlusion from distances: Evans, "Fast Approximations for Global
/// Illumination on Dynamic Scenes", 2006.
package struct ShapePicture {
    private let shape: Shape
    private let view: ShapeView
    private let right: Vector3f, up: Vector3f, toward: Vector3f
    private let eye: Vector3f
    /// Pixels of a unit of the image plane at distance 1, and the plane's coordinates at the left and upper edge.
    private let zoom: Float
    private let left: Float, top: Float
    private let width: Int, height: Int
    /// `[tiles]` of 4×4 pixels: where rays begin and end, along themselves; infinity without a cell.
    private var near: [Float], far: [Float]
    private var tilesAcross: Int { (width + 3) / 4 }

    /// - Parameters:
    ///   - cells: of `resolution`³/8³ that hold the surface, at least one.
    ///   - side: the picture's longer side in pixels.
    package init(_ shape: Shape, cells: [BrickCoordinate], resolution: Int, view: ShapeView, side: Int) {
        self.shape = shape
        self.view = view
        let (a, e) = (view.azimuth * .pi / 180, view.elevation * .pi / 180)
        toward = Vector3f(sinf(a) * cosf(e), sinf(e), cosf(a) * cosf(e))
        right = Vector3f(0, 1, 0).cross(toward).normalized
        up = toward.cross(right)
        eye = toward * view.distance
        let voxel = 2 / Float(resolution)
        // Half a voxel more than the ball round a cell's voxels: the surface between two cells.
        let radius = (3.5 * 1.7320508 + 0.9) * voxel
        var balls: [(x: Float, y: Float, reach: Float, distance: Float)] = []
        var (low, high) = (SIMD2<Float>(repeating: .infinity), SIMD2<Float>(repeating: -.infinity))
        for cell in cells {
            let center = Vector3f(Float(cell.x), Float(cell.y), Float(cell.z)) * (8 * voxel) + (3.5 * voxel - 1)
            let away = view.distance - center.dot(toward)
            let ball = (
                x: center.dot(right) / away, y: center.dot(up) / away, reach: 1.2 * radius / (away - radius),
                distance: (center - eye).length
            )
            balls.append(ball)
            low = pointwiseMin(low, SIMD2(ball.x, ball.y) - ball.reach)
            high = pointwiseMax(high, SIMD2(ball.x, ball.y) + ball.reach)
        }
        zoom = Float(side) / (high - low).max()
        left = low.x
        top = high.y
        width = max(1, Int(((high.x - low.x) * zoom).rounded(.up)))
        height = max(1, Int(((high.y - low.y) * zoom).rounded(.up)))
        let (across, down) = ((width + 3) / 4, (height + 3) / 4)
        near = [Float](repeating: .infinity, count: across * down)
        far = [Float](repeating: 0, count: across * down)
        for ball in balls {
            let (x, y, reach) = ((ball.x - left) * zoom / 4, (top - ball.y) * zoom / 4, ball.reach * zoom / 4)
            let rows = max(0, Int(y - reach))...max(0, min(down - 1, Int(y + reach)))
            let columns = max(0, Int(x - reach))...max(0, min(across - 1, Int(x + reach)))
            for row in rows where row < down {
                for column in columns where column < across {
                    let tile = row * across + column
                    near[tile] = min(near[tile], ball.distance - radius)
                    far[tile] = max(far[tile], ball.distance + radius)
                }
            }
        }
    }

    /// Follows the rays and shades what they meet.
    package func image() -> RasterImage {
        let tiles = near.indices.filter { near[$0] < .infinity }
        let count = 16 * tiles.count
        let rays = Buffer<Float>(uninitialized: 5 * max(count, 1))
        let (x, y, z) = (rays.pointer, rays.pointer + count, rays.pointer + 2 * count)
        let (t, end) = (rays.pointer + 3 * count, rays.pointer + 4 * count)
        for (place, tile) in tiles.enumerated() {
            for pixel in 0..<16 {
                let column = Float(tile % tilesAcross * 4 + pixel & 3) + 0.5
                let row = Float(tile / tilesAcross * 4 + pixel >> 2) + 0.5
                let direction = (right * (left + column / zoom) + up * (top - row / zoom) - toward).normalized
                let ray = 16 * place + pixel
                (x[ray], y[ray], z[ray]) = (direction.x, direction.y, direction.z)
                (t[ray], end[ray]) = (near[tile], far[tile])
            }
        }
        let origin = [eye.x, eye.y, eye.z]
        shape.numbers.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress, count > 0 else { return }
            ssdf_shape_trace(base, shape.primitiveCount, origin, x, y, z, t, end, count, 40, 0.003)
        }
        var pixels = [UInt16](repeating: 0, count: 4 * width * height)
        var hits: [(pixel: Int, position: Vector3f, direction: Vector3f)] = []
        hits.reserveCapacity(count / 2)
        for (place, tile) in tiles.enumerated() {
            for pixel in 0..<16 where t[16 * place + pixel] > 0 {
                let (column, row) = (tile % tilesAcross * 4 + pixel & 3, tile / tilesAcross * 4 + pixel >> 2)
                guard column < width, row < height else { continue }
                let ray = 16 * place + pixel
                let direction = Vector3f(x[ray], y[ray], z[ray])
                hits.append((row * width + column, eye + direction * t[ray], direction))
            }
        }
        shade(hits, into: &pixels)
        return RasterImage(width: width, height: height, pixels: pixels)
    }

    /// Offsets of the corners of a tetrahedron, whose distances give the gradient.
    private static let corners: [Vector3f] = [[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]]

    private func shade(_ hits: [(pixel: Int, position: Vector3f, direction: Vector3f)], into pixels: inout [UInt16]) {
        let count = hits.count
        let points = Buffer<Float>(uninitialized: 4 * max(count, 1))
        let (x, y, z, d) = (
            points.pointer, points.pointer + count, points.pointer + 2 * count, points.pointer + 3 * count
        )
        func measure(_ place: (Int) -> Vector3f, _ use: (Int, Float) -> Void) {
            for index in 0..<count {
                let p = place(index)
                (x[index], y[index], z[index]) = (p.x, p.y, p.z)
            }
            shape.distances(x: x, y: y, z: z, into: d, count: count)
            for index in 0..<count { use(index, d[index]) }
        }
        var normals = [Vector3f](repeating: .zero, count: count)
        for corner in Self.corners {
            measure({ hits[$0].position + corner * 0.004 }) { normals[$0] += corner * $1 }
        }
        for index in 0..<count { normals[index] = normals[index].normalized }
        var open = [Float](repeating: 1, count: count)
        let reach: Float = 0.15
        measure({ hits[$0].position + normals[$0] * reach }) { open[$0] = max(0, min(1, $1 / reach)) }
        // Colours to the power of 1/gamma, for 0 … 1 in 1024 steps.
        let curve = (0...1024).map { UInt16(powf(Float($0) / 1024, 1 / view.gamma) * 255 + 0.5) * 257 }
        for index in 0..<count {
            let (normal, direction) = (normals[index], hits[index].direction)
            let shade = 1 - view.occlusion * (1 - open[index])
            let sky = view.ambient * (0.8 + 0.2 * normal.y) * shade
            let lambert = (1 - view.ambient) * max(0, normal.dot(view.light)) * (0.5 + 0.5 * shade)
            var shine: Float = 0
            if view.highlight > 0 {
                let half = (view.light - direction).normalized
                shine = view.highlight * powf(max(0, normal.dot(half)), view.gloss)
            }
            let color = hits[index].position.y < view.split ? view.colors.1 : view.colors.0
            let at = 4 * hits[index].pixel
            for channel in 0..<3 {
                let value = min(1, color[channel] * (sky + lambert) * 1.15 + shine)
                pixels[at + channel] = curve[Int(max(0, value) * 1024)]
            }
            pixels[at + 3] = 65535
        }
    }
}
