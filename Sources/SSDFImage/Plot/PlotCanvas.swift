/// A picture to draw lines and words on, sRGB.
struct PlotCanvas {
    let width: Int
    let height: Int
    /// `[height, width]`: red, green, blue, 0…1.
    private var pixels: [SIMD3<Float>]

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = [SIMD3<Float>](repeating: SIMD3(repeating: 1), count: width * height)
    }

    /// Mixes a colour over a pixel; what lies outside the picture is not drawn.
    mutating func blend(_ x: Int, _ y: Int, _ color: SIMD3<Float>, _ share: Float) {
        guard x >= 0, y >= 0, x < width, y < height else { return }
        let index = y * width + x
        pixels[index] += (color - pixels[index]) * min(max(share, 0), 1)
    }

    mutating func fill(x: Range<Int>, y: Range<Int>, _ color: SIMD3<Float>, _ share: Float = 1) {
        for row in y { for column in x { blend(column, row, color, share) } }
    }

    /// A line through points in pixels, its joints round, softened at its edges.
    /// - Parameters:
    ///   - x, y: the part of the picture that it may cover.
    mutating func stroke(
        _ points: [SIMD2<Float>], width lineWidth: Float, _ color: SIMD3<Float>, opacity: Float = 1, x: Range<Int>,
        y: Range<Int>
    ) {
        guard !points.isEmpty, !x.isEmpty, !y.isEmpty else { return }
        // A pixel that several pieces of the line touch is mixed once.
        var cover = [Float](repeating: 0, count: x.count * y.count)
        let reach = lineWidth / 2 + 0.5
        for index in 0..<max(points.count - 1, 1) {
            let a = points[index]
            let b = points[min(index + 1, points.count - 1)]
            let along = b - a
            let square = (along * along).sum()
            let low = pointwiseMin(a, b) - reach
            let high = pointwiseMax(a, b) + reach
            let columns =
                max(x.lowerBound, Int(low.x.rounded(.down)))..<max(x.lowerBound, min(x.upperBound, Int(high.x) + 2))
            let rows =
                max(y.lowerBound, Int(low.y.rounded(.down)))..<max(y.lowerBound, min(y.upperBound, Int(high.y) + 2))
            for row in rows {
                for column in columns {
                    let p = SIMD2(Float(column) + 0.5, Float(row) + 0.5) - a
                    let t = square > 0 ? min(max((p * along).sum() / square, 0), 1) : 0
                    let away = p - along * t
                    let share = min(max(reach - (away * away).sum().squareRoot(), 0), 1)
                    let place = (row - y.lowerBound) * x.count + column - x.lowerBound
                    cover[place] = max(cover[place], share)
                }
            }
        }
        for row in y {
            for column in x {
                let share = cover[(row - y.lowerBound) * x.count + column - x.lowerBound]
                if share > 0 { blend(column, row, color, share * opacity) }
            }
        }
    }

    /// Writes a line of words from its upper left corner.
    /// - Parameter dot: pixels along a dot's side.
    mutating func write(_ text: String, x: Int, y: Int, dot: Int, _ color: SIMD3<Float>) {
        for (place, letter) in text.unicodeScalars.enumerated() {
            for row in 0..<BitmapFont.depth {
                for column in 0..<5 where BitmapFont.isSet(letter, column: column, row: row) {
                    let left = x + (place * BitmapFont.width + column) * dot
                    let top = y + row * dot
                    fill(x: left..<left + dot, y: top..<top + dot, color)
                }
            }
        }
    }

    /// Pixels that a text takes along its line.
    static func width(of text: String, dot: Int) -> Int {
        max(0, text.unicodeScalars.count * BitmapFont.width - 1) * dot
    }

    var image: RasterImage {
        var values = [UInt16](repeating: .max, count: 4 * width * height)
        for (index, pixel) in pixels.enumerated() {
            for channel in 0..<3 { values[4 * index + channel] = UInt16((pixel[channel] * 255).rounded()) * 257 }
        }
        return RasterImage(width: width, height: height, pixels: values)
    }
}
