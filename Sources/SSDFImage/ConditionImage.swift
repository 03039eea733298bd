import SSDFCore

/// A picture as the image encoder is given it: the object on white, centred, 518 pixels a side, with its matte.
///
/// The steps and their rounding are those that the released networks were trained with (SPEC §10): crop to the matte,
/// white behind it, pad to a square, resize, pad by 16 pixels, resize again. Of smaller pictures the margin is smaller in
/// proportion.
package struct ConditionImage: Sendable, Equatable {
    /// Pixels along a side.
    package let side: Int
    /// `[side, side, 3]`
    package let colors: [UInt8]
    /// `[side, side]`: 255 on the object, 0 elsewhere.
    package let mask: [UInt8]

    /// - Throws: `badData` when no pixel of the picture shows anything.
    package init(_ picture: RasterImage, side: Int = 518) throws(Failure) {
        let alpha = stride(from: 3, to: picture.pixels.count, by: 4).map { UInt8(picture.pixels[$0] >> 8) }
        let shown = alpha.count { $0 > 0 }
        guard shown > 0 else { throw .badData("nothing but transparent pixels", expected: "an object") }
        let (left, top, width, height) = Self.box(alpha, picture, shown: shown)
        let edge = max(width, height)
        var square = Plane(side: edge, channels: 3, fill: 255)
        var matte = Plane(side: edge, channels: 1, fill: 0)
        // The extra pixel of an odd difference goes below and to the right.
        let (x0, y0) = ((edge - width) / 2, (edge - height) / 2)
        for y in 0..<height {
            for x in 0..<width {
                let source = (top + y) * picture.width + left + x
                let a = Double(alpha[source]) / 255
                let target = (y0 + y) * edge + x0 + x
                for channel in 0..<3 {
                    let value = Double(picture.pixels[4 * source + channel] >> 8) / 255
                    square.values[3 * target + channel] = UInt8((value * a + (1 - a)) * 255)
                }
                matte.values[target] = UInt8(a * 255)
            }
        }
        for round in 0..<2 {
            if round == 1 {
                let margin = (16 * side + 259) / 518
                square = square.padded(by: margin, fill: 255)
                matte = matte.padded(by: margin, fill: 0)
            }
            square = square.smoothly(resizedTo: side)
            matte = matte.nearest(resizedTo: side)
        }
        self.side = side
        colors = square.values
        mask = matte.values
    }

    /// The matte's box; the whole picture when the matte is next to nothing.
    private static func box(
        _ alpha: [UInt8], _ picture: RasterImage, shown: Int
    ) -> (left: Int, top: Int, width: Int, height: Int) {
        guard Double(shown) >= 0.001 * Double(alpha.count) else { return (0, 0, picture.width, picture.height) }
        var (left, right, top, bottom) = (picture.width, 0, picture.height, 0)
        for y in 0..<picture.height {
            for x in 0..<picture.width where alpha[y * picture.width + x] > 0 {
                left = min(left, x)
                right = max(right, x)
                top = min(top, y)
                bottom = max(bottom, y)
            }
        }
        return (left, top, right - left + 1, bottom - top + 1)
    }
}

/// A square picture of 8-bit channels.
private struct Plane {
    var side: Int
    var channels: Int
    /// `[side, side, channels]`
    var values: [UInt8]

    init(side: Int, channels: Int, fill: UInt8) {
        self.side = side
        self.channels = channels
        values = [UInt8](repeating: fill, count: side * side * channels)
    }

    func padded(by margin: Int, fill: UInt8) -> Plane {
        var result = Plane(side: side + 2 * margin, channels: channels, fill: fill)
        for y in 0..<side {
            let from = y * side * channels
            let to = ((y + margin) * result.side + margin) * channels
            result.values.replaceSubrange(to..<to + side * channels, with: values[from..<from + side * channels])
        }
        return result
    }

    func nearest(resizedTo size: Int) -> Plane {
        var result = Plane(side: size, channels: channels, fill: 0)
        let scale = Double(side) / Double(size)
        // Accumulated rather than multiplied: the rounding of the sum decides which pixel is nearest.
        var places: [Int] = []
        var position = scale * 0.5
        for _ in 0..<size {
            places.append(min(Int(position), side - 1))
            position += scale
        }
        for y in 0..<size {
            for x in 0..<size {
                for channel in 0..<channels {
                    result.values[(y * size + x) * channels + channel] =
                        values[(places[y] * side + places[x]) * channels + channel]
                }
            }
        }
        return result
    }

    /// A triangle filter as wide as what an output pixel covers, along rows and then along columns, rounded to 8 bits
    /// after each.
    func smoothly(resizedTo size: Int) -> Plane {
        guard size != side else { return self }
        let taps = Self.taps(from: side, to: size)
        let middle = filtered(taps, size: size) { line, place, channel in (line * side + place) * channels + channel }
        let between = Rectangle(width: size, height: side, values: middle)
        var result = Plane(side: size, channels: channels, fill: 0)
        for column in 0..<size {
            for (row, tap) in taps.enumerated() {
                for channel in 0..<channels {
                    var sum = 1 << 21
                    for (index, weight) in tap {
                        sum += weight * Int(between.values[(index * size + column) * channels + channel])
                    }
                    result.values[(row * size + column) * channels + channel] = UInt8(min(max(sum >> 22, 0), 255))
                }
            }
        }
        return result
    }

    private struct Rectangle {
        var width: Int, height: Int
        var values: [UInt8]
    }

    private func filtered(
        _ taps: [[(index: Int, weight: Int)]], size: Int, at: (_ line: Int, _ place: Int, _ channel: Int) -> Int
    ) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: side * size * channels)
        for line in 0..<side {
            for (column, tap) in taps.enumerated() {
                for channel in 0..<channels {
                    var sum = 1 << 21
                    for (index, weight) in tap { sum += weight * Int(values[at(line, index, channel)]) }
                    result[(line * size + column) * channels + channel] = UInt8(min(max(sum >> 22, 0), 255))
                }
            }
        }
        return result
    }

    /// Weights in units of 2⁻²².
    private static func taps(from inputs: Int, to outputs: Int) -> [[(index: Int, weight: Int)]] {
        let scale = Double(inputs) / Double(outputs)
        let reach = max(scale, 1)
        return (0..<outputs).map { output in
            let center = (Double(output) + 0.5) * scale
            let low = max(0, Int(center - reach + 0.5))
            let high = min(inputs, Int(center + reach + 0.5))
            let raw = (low..<high).map { max(0, 1 - abs((Double($0) - center + 0.5) / reach)) }
            let sum = raw.reduce(0, +)
            return zip(low..<high, raw).map { ($0, Int($1 / sum * 4_194_304 + 0.5)) }
        }
    }
}
