import SSDFCore

/// A plane of samples to be pictured.
package struct SliceSamples: Sendable {
    /// Samples across.
    package let width: Int
    /// Samples up.
    package let height: Int
    /// `[height, width]`, the first row at the bottom of the picture; NaN where there is no sample.
    package let values: [Float]

    /// - Precondition: `values.count == width·height`.
    package init(width: Int, height: Int, values: [Float]) {
        precondition(values.count == width * height, "one value a sample")
        self.width = width
        self.height = height
        self.values = values
    }

    /// The samples as a picture, with the line where the value is `iso`; hatched where there are none.
    /// - Parameters:
    ///   - iso: the level that is neutral in `.diverging`, and the start of `.sequential`.
    ///   - range: the distance from `iso` at which colours end, > 0.
    ///   - zoom: pixels a sample, ≥ 1.
    package func image(map: ColorMap, iso: Float, range: Float, zoom: Int, threads: Int) -> RasterImage {
        precondition(zoom >= 1 && range > 0, "a slice is drawn at a positive scale")
        let rows = height * zoom
        let columns = width * zoom
        let colors = parallelRows(width: columns, height: rows, threads: threads) { x, y in
            let row = rows - 1 - y
            let color = color(x: x, y: row, map: map, iso: iso, range: range, zoom: zoom)
            let bytes = (color.clamped(lowerBound: .zero, upperBound: .one) * 255).rounded(.toNearestOrEven)
            let codes = SIMD3<UInt16>(clamping: SIMD3<Int32>(bytes)) &* 257
            return SIMD4<UInt16>(codes.x, codes.y, codes.z, .max)
        }
        var pixels = [UInt16](repeating: 0, count: 4 * colors.count)
        for (i, color) in colors.enumerated() { for c in 0..<4 { pixels[4 * i + c] = color[c] } }
        return RasterImage(width: columns, height: rows, pixels: pixels)
    }

    private func color(x: Int, y: Int, map: ColorMap, iso: Float, range: Float, zoom: Int) -> Vector3f {
        // Position in samples, of which each is the middle of its square.
        let u = (Float(x) + 0.5) / Float(zoom) - 0.5
        let v = (Float(y) + 0.5) / Float(zoom) - 0.5
        let nearest = at(Int((u + 0.5).rounded(.down)), Int((v + 0.5).rounded(.down)))
        guard !nearest.isNaN else {
            let stripe = (x + y) / 6 & 1
            return Vector3f(repeating: stripe == 0 ? 0.90 : 0.86)
        }
        let (i, j) = (Int(u.rounded(.down)), Int(v.rounded(.down)))
        let (s, t) = (u - Float(i), v - Float(j))
        let (a, b, c, d) = (at(i, j), at(i + 1, j), at(i, j + 1), at(i + 1, j + 1))
        let lower = a + (b - a) * s
        let upper = c + (d - c) * s
        let value = lower + (upper - lower) * t
        // Beside a sample that is missing, only the nearest is known.
        guard !value.isNaN else { return map((nearest - iso) / range) }
        let fill = map((value - iso) / range)
        let slope = SIMD2((b - a) * (1 - t) + (d - c) * t, upper - lower)
        let length = (slope.x * slope.x + slope.y * slope.y).squareRoot()
        // Distance to the line in pixels, from the value and its slope; the line is about two pixels wide.
        let away = abs(value - iso) / max(length, 1e-12) * Float(zoom)
        let ink = length > 0 ? (1.6 - away).clamped(to: 0...1) : 0
        return fill * (1 - ink) + Vector3f(repeating: 0.06) * ink
    }

    private func at(_ x: Int, _ y: Int) -> Float {
        x >= 0 && y >= 0 && x < width && y < height ? values[y * width + x] : .nan
    }
}
