import SSDFCore

extension RasterImage {
    /// Whether some pixel is not opaque.
    package var hasTransparency: Bool { stride(from: 3, to: pixels.count, by: 4).contains { pixels[$0] != .max } }

    /// The picture with another's matte: its alpha where it has one, else its brightness.
    /// - Throws: `badData` when the sizes differ.
    package func matted(by other: RasterImage) throws(Failure) -> RasterImage {
        guard other.width == width, other.height == height else {
            throw .badData("a matte of \(other.width)×\(other.height) pixels", expected: "\(width)×\(height)")
        }
        var copy = self
        let usesAlpha = other.hasTransparency
        for pixel in 0..<width * height {
            let (r, g, b) = (
                UInt32(other.pixels[4 * pixel]), UInt32(other.pixels[4 * pixel + 1]),
                UInt32(other.pixels[4 * pixel + 2])
            )
            copy.pixels[4 * pixel + 3] = usesAlpha ? other.pixels[4 * pixel + 3] : UInt16((r + g + b) / 3)
        }
        return copy
    }

    /// The picture with a matte told from a plain background: what can be reached from the border over pixels like the
    /// border's own colour is not the object; the edge is soft.
    /// - Throws: `badData` when nothing stands out.
    /// - Complexity: O(pixels).
    package func mattedFromPlainBackground() throws(Failure) -> RasterImage {
        let background = borderColor()
        /// Largest difference of a channel, 0 … 65535.
        func difference(_ pixel: Int) -> Int {
            (0..<3).map { abs(Int(pixels[4 * pixel + $0]) - background[$0]) }.max() ?? 0
        }
        // Below the first a pixel is background; between them it is partly so.
        let (near, far) = (12 * 257, 40 * 257)
        var alpha = [UInt16](repeating: .max, count: width * height)
        var waiting: [Int] = []
        func reach(_ pixel: Int) {
            guard alpha[pixel] == .max else { return }
            let d = difference(pixel)
            guard d < far else { return }
            alpha[pixel] = d <= near ? 0 : UInt16((d - near) * 65534 / (far - near))
            // A soft pixel is an edge: the flood stops there.
            if d <= near { waiting.append(pixel) }
        }
        for x in 0..<width {
            reach(x)
            reach((height - 1) * width + x)
        }
        for y in 0..<height {
            reach(y * width)
            reach(y * width + width - 1)
        }
        while let pixel = waiting.popLast() {
            let (x, y) = (pixel % width, pixel / width)
            if x > 0 { reach(pixel - 1) }
            if x + 1 < width { reach(pixel + 1) }
            if y > 0 { reach(pixel - width) }
            if y + 1 < height { reach(pixel + width) }
        }
        guard alpha.count(where: { $0 == .max }) * 1000 >= alpha.count else {
            throw .badData("no alpha, and nothing that stands out from the border's colour", expected: "a matte")
        }
        guard alpha.contains(0) else {
            throw .badData("no alpha, and no plain background at the border", expected: "a matte")
        }
        var copy = self
        for pixel in 0..<width * height { copy.pixels[4 * pixel + 3] = alpha[pixel] }
        return copy
    }

    /// The median of each channel over the border.
    private func borderColor() -> [Int] {
        var border: [Int] = []
        for x in 0..<width { border += [x, (height - 1) * width + x] }
        for y in 0..<height { border += [y * width, y * width + width - 1] }
        return (0..<3).map { channel in
            let values = border.map { Int(pixels[4 * $0 + channel]) }.sorted()
            return values[values.count / 2]
        }
    }
}
