import SSDFImage

extension ConditionImage {
    /// The colours as an opaque picture.
    package var image: RasterImage {
        var pixels = [UInt16](repeating: .max, count: 4 * side * side)
        for pixel in 0..<side * side {
            for channel in 0..<3 { pixels[4 * pixel + channel] = UInt16(colors[3 * pixel + channel]) * 257 }
        }
        return RasterImage(width: side, height: side, pixels: pixels)
    }
}
