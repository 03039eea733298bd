/// Curves over one axis: a picture with axes, ticks, words and a legend.
package struct LinePlot: Sendable {
    /// One curve.
    package struct Series: Sendable {
        /// Its name in the legend.
        package var name: String
        /// Ascending by x, finite.
        package var points: [SIMD2<Double>]

        /// A curve through points, ascending by x.
        package init(name: String, points: [SIMD2<Double>]) {
            self.name = name
            self.points = points
        }
    }

    /// How the vertical axis is divided.
    package enum Scale: String, Sendable, CaseIterable {
        /// Logarithmic where all values are above 0 and the largest is more than ten times the smallest.
        case auto
        case linear
        case log
    }

    /// The curves, drawn and listed in this order.
    package var series: [Series]
    /// The words below the horizontal axis.
    package var xTitle = "step"
    /// The words beside the vertical axis.
    package var yTitle = ""
    /// How the vertical axis is divided.
    package var scale = Scale.auto
    /// Weight of the past in the moving average that is drawn as a line, 0…1; the values themselves are pale behind it. 0
    /// draws the values; nil averages over a fiftieth of them.
    package var smoothing: Double?
    /// Pixels.
    package var width = 1200
    /// Pixels.
    package var height = 800

    /// A plot of curves, otherwise as by default.
    package init(series: [Series]) { self.series = series }

    /// Colours that people with any sight can tell apart, darkest contrasts first.
    ///
    /// Source: Okabe, Ito, "Color Universal Design", 2008.
    private static let colors: [SIMD3<Float>] = [
        [0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233], [70, 70, 70],
    ].map { $0 / 255 }

    private static let ink = SIMD3<Float>(repeating: 0.15)
    private static let grid = SIMD3<Float>(repeating: 0.88)

    /// The moving average of values, freed of its start at 0.
    static func smoothed(_ values: [Double], _ weight: Double) -> [Double] {
        var average = 0.0
        var known = 0.0
        return values.map { value in
            average = weight * average + (1 - weight) * value
            known = weight * known + (1 - weight)
            return average / known
        }
    }

    /// Draws it.
    /// - Precondition: there is a point; with `scale` log all values are above 0.
    package func image() -> RasterImage {
        let all = series.flatMap(\.points)
        precondition(!all.isEmpty, "a plot has points")
        var (low, high) = (all[0], all[0])
        for point in all {
            low = pointwiseMin(low, point)
            high = pointwiseMax(high, point)
        }
        let isLogarithmic = scale == .log || (scale == .auto && low.y > 0 && high.y > 10 * low.y)
        let x = PlotAxis(low: low.x, high: high.x, isLogarithmic: false)
        let margin = isLogarithmic ? 0 : (high.y - low.y) * 0.03
        let y = PlotAxis(low: low.y - margin, high: high.y + margin, isLogarithmic: isLogarithmic)
        var canvas = PlotCanvas(width: width, height: height)
        let dot = max(1, min(width / 500, height / 300))
        let letter = BitmapFont.height * dot
        let yTicks = y.ticks(max(2, height / 90))
        let labelWidth = yTicks.map { PlotCanvas.width(of: PlotAxis.text($0), dot: dot) }.max() ?? 0
        let frame = (
            x: labelWidth + 3 * letter..<max(width - 2 * letter, labelWidth + 3 * letter + 1),
            y: 3 * letter..<max(height - 5 * letter, 3 * letter + 1)
        )
        func column(_ value: Double) -> Float {
            Float(frame.x.lowerBound) + Float(x.share(value)) * Float(frame.x.count)
        }
        func row(_ value: Double) -> Float { Float(frame.y.upperBound) - Float(y.share(value)) * Float(frame.y.count) }
        drawAxes(&canvas, frame, dot, x: x, y: y, yTicks: yTicks, column, row)
        for (index, one) in series.enumerated() where weight(one) > 0 {
            drawBand(&canvas, one.points.map { SIMD2(column($0.x), row($0.y)) }, frame, Self.color(index))
        }
        for (index, one) in series.enumerated() {
            let values = Self.smoothed(one.points.map(\.y), weight(one))
            let line = zip(one.points, values).map { SIMD2(column($0.x), row($1)) }
            canvas.stroke(Self.thinned(line), width: Float(dot), Self.color(index), x: frame.x, y: frame.y)
        }
        drawLegend(&canvas, frame, dot)
        return canvas.image
    }

    private func weight(_ series: Series) -> Double {
        smoothing ?? max(0, 1 - 50 / Double(max(series.points.count, 1)))
    }

    private static func color(_ index: Int) -> SIMD3<Float> { colors[index % colors.count] }

    private func drawAxes(
        _ canvas: inout PlotCanvas, _ frame: (x: Range<Int>, y: Range<Int>), _ dot: Int, x: PlotAxis, y: PlotAxis,
        yTicks: [Double], _ column: (Double) -> Float, _ row: (Double) -> Float
    ) {
        let letter = BitmapFont.height * dot
        for tick in yTicks {
            let place = Int(row(tick))
            canvas.fill(x: frame.x, y: place..<place + 1, Self.grid)
            let text = PlotAxis.text(tick)
            canvas.write(
                text, x: frame.x.lowerBound - PlotCanvas.width(of: text, dot: dot) - letter, y: place - letter / 2,
                dot: dot, Self.ink)
        }
        for tick in x.ticks(max(2, width / 150)) {
            let place = Int(column(tick))
            canvas.fill(x: place..<place + 1, y: frame.y, Self.grid)
            let text = PlotAxis.text(tick)
            canvas.write(
                text, x: place - PlotCanvas.width(of: text, dot: dot) / 2, y: frame.y.upperBound + letter, dot: dot,
                Self.ink)
        }
        canvas.fill(x: frame.x.lowerBound..<frame.x.lowerBound + 1, y: frame.y, Self.ink)
        canvas.fill(x: frame.x, y: frame.y.upperBound..<frame.y.upperBound + 1, Self.ink)
        canvas.write(
            xTitle, x: (frame.x.lowerBound + frame.x.upperBound - PlotCanvas.width(of: xTitle, dot: dot)) / 2,
            y: frame.y.upperBound + 3 * letter, dot: dot, Self.ink)
        canvas.write(yTitle, x: letter, y: letter, dot: dot, Self.ink)
    }

    /// The values, pale: of every column of pixels from the least to the greatest.
    private func drawBand(
        _ canvas: inout PlotCanvas, _ points: [SIMD2<Float>], _ frame: (x: Range<Int>, y: Range<Int>),
        _ color: SIMD3<Float>
    ) {
        // With room for every value, as a line.
        guard points.count > 2 * frame.x.count else {
            canvas.stroke(points, width: 1, color, opacity: 0.4, x: frame.x, y: frame.y)
            return
        }
        var ends: [Int: (low: Float, high: Float)] = [:]
        var last: SIMD2<Float>?
        for point in points {
            let from = last ?? point
            // Between two points the band is the line between them.
            for column in Int(from.x)...max(Int(point.x), Int(from.x)) {
                let t = point.x > from.x ? min(max((Float(column) - from.x) / (point.x - from.x), 0), 1) : 1
                let value = from.y + (point.y - from.y) * t
                let known = ends[column] ?? (value, value)
                ends[column] = (min(known.low, value), max(known.high, value))
            }
            last = point
        }
        for column in frame.x {
            guard let (low, high) = ends[column] else { continue }
            let rows =
                max(frame.y.lowerBound, Int(low))..<max(frame.y.lowerBound, min(frame.y.upperBound, Int(high) + 1))
            canvas.fill(x: column..<column + 1, y: rows, color, 0.25)
        }
    }

    /// At most a few points for a column of pixels.
    private static func thinned(_ points: [SIMD2<Float>]) -> [SIMD2<Float>] {
        var result: [SIMD2<Float>] = []
        for (index, point) in points.enumerated() {
            if let last = result.last, point.x - last.x < 0.5, index < points.count - 1 { continue }
            result.append(point)
        }
        return result
    }

    /// Names beside their colours, in the corner where the curves are least.
    private func drawLegend(_ canvas: inout PlotCanvas, _ frame: (x: Range<Int>, y: Range<Int>), _ dot: Int) {
        let named = series.enumerated().filter { !$0.element.name.isEmpty }
        guard !named.isEmpty else { return }
        let letter = BitmapFont.height * dot
        let longest = max(8, (frame.x.count / 2) / (BitmapFont.width * dot))
        let names = named.map { item -> String in
            let name = String(item.element.name)
            return name.count <= longest ? name : "..." + name.suffix(longest - 3)
        }
        let textWidth = names.map { PlotCanvas.width(of: $0, dot: dot) }.max() ?? 0
        let left = frame.x.upperBound - textWidth - 5 * letter
        let top = frame.y.lowerBound + letter
        let bottom = top + named.count * 2 * letter + letter / 2
        canvas.fill(
            x: left..<frame.x.upperBound - letter, y: top - letter / 2..<min(bottom, frame.y.upperBound),
            SIMD3(repeating: 1), 0.85)
        for (place, item) in named.enumerated() {
            let y = top + place * 2 * letter + letter / 2
            guard y + letter < frame.y.upperBound else { break }
            canvas.fill(
                x: left + letter / 2..<left + 2 * letter + letter / 2, y: y + letter / 2 - dot..<y + letter / 2 + dot,
                Self.color(item.offset))
            canvas.write(names[place], x: left + 3 * letter, y: y, dot: dot, Self.ink)
        }
    }
}
