import SSDFImage
import Testing

@Suite struct LinePlotTests {
    /// Columns where a picture has pixels of about a colour, with the mean row of them.
    private func rows(of color: [Int], in image: RasterImage) -> [Int: Double] {
        var found: [Int: Double] = [:]
        for column in 0..<image.width {
            var (sum, count) = (0.0, 0.0)
            for row in 0..<image.height {
                let index = 4 * (row * image.width + column)
                // Mixed with white where the line covers a part of the pixel.
                let shares = (0..<3).map { Double(255 - Int(image.pixels[index + $0] >> 8)) / Double(255 - color[$0]) }
                if shares.min()! > 0.4, shares.max()! - shares.min()! < 0.15 {
                    sum += Double(row)
                    count += 1
                }
            }
            if count > 0 { found[column] = sum / count }
        }
        return found
    }

    private static let blue = [0, 114, 178]

    @Test func curveFallsAsItsNumbersDo() {
        var plot = LinePlot(
            series: [LinePlot.Series(name: "", points: (0...100).map { SIMD2(Double($0), Double(100 - $0)) })])
        plot.width = 400
        plot.height = 300
        plot.smoothing = 0
        let found = rows(of: Self.blue, in: plot.image())
        let columns = found.keys.sorted()
        #expect(columns.count > 250)
        // A straight line: the row at the middle is the mean of those near the ends.
        let (first, middle, last) = (
            found[columns[5]]!, found[columns[columns.count / 2]]!, found[columns[columns.count - 6]]!
        )
        #expect(first < middle && middle < last)
        #expect(abs(middle - (first + last) / 2) < 2.5)
    }

    /// On a logarithmic scale an exponential is a straight line.
    @Test func exponentialIsStraightOnALogarithmicScale() {
        let points = (0...100).map { SIMD2(Double($0), powers(of: 0.9, $0)) }
        for (scale, isStraight) in [(LinePlot.Scale.log, true), (.auto, true), (.linear, false)] {
            var plot = LinePlot(series: [LinePlot.Series(name: "", points: points)])
            plot.width = 400
            plot.height = 300
            plot.smoothing = 0
            plot.scale = scale
            let found = rows(of: Self.blue, in: plot.image())
            let columns = found.keys.sorted()
            let bend =
                found[columns[columns.count / 2]]! - (found[columns[5]]! + found[columns[columns.count - 6]]!) / 2
            #expect((abs(bend) < 3) == isStraight, "\(scale): \(bend)")
        }
    }

    private func powers(of base: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1) { r, _ in r * base } }

    @Test func everySeriesHasItsColourAndName() {
        let series = (0..<3).map { index in
            LinePlot.Series(name: "run \(index)", points: (0..<50).map { SIMD2(Double($0), Double(index + 1)) })
        }
        var plot = LinePlot(series: series)
        plot.smoothing = 0
        let image = plot.image()
        for color in [Self.blue, [213, 94, 0], [0, 158, 115]] {
            #expect(rows(of: color, in: image).count > 500)
        }
        var unnamed = plot
        for index in 0..<3 { unnamed.series[index].name = "" }
        #expect(unnamed.image() != image)
        #expect(plot.image() == image)
    }

    @Test(arguments: [1, 2, 3]) func fewPointsAreDrawnToo(count: Int) {
        for values in [[0.0, 0, 0], [5, 5, 5], [-1, 2, 1e-9], [1e12, 1e-12, 1]] {
            var plot = LinePlot(
                series: [LinePlot.Series(name: "x", points: (0..<count).map { SIMD2(Double($0), values[$0]) })])
            plot.width = 200
            plot.height = 200
            let image = plot.image()
            #expect(image.width == 200 && image.pixels.contains { $0 != .max })
        }
    }
}
