import CPNGCodec
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension RasterImage {
    /// The longest side of a PNG that is read.
    package static var largestSide: Int { 16_384 }

    /// Reads a PNG of any colour type, bit depth and interlacing. Missing alpha is opaque; gamma is not touched.
    /// - Throws: `badData` for anything that is not a whole, well-formed PNG of at most `largestSide` a side.
    package init(png bytes: UnsafeRawBufferPointer) throws(Failure) {
        var picture = ssdf_png()
        var message = [CChar](repeating: 0, count: Int(SSDF_PNG_MESSAGE))
        // An empty file has no address; libpng is then given one of no bytes.
        let empty: UInt8 = 0
        let status = withUnsafePointer(to: empty) { none in
            ssdf_png_read(
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? none, bytes.count, UInt32(Self.largestSide),
                &picture, &message)
        }
        guard status == 0, let pixels = picture.pixels else {
            throw Failure(.badData, "\(text(message)), expected a PNG of at most \(Self.largestSide) pixels a side")
        }
        defer { free(pixels) }
        let count = 4 * Int(picture.width) * Int(picture.height)
        self.init(
            width: Int(picture.width), height: Int(picture.height),
            pixels: Array(UnsafeBufferPointer(start: pixels, count: count)), depth: Int(picture.depth))
    }

    /// Writes the picture as a PNG of its depth, with an alpha channel where any pixel is not opaque. Equal pictures
    /// give equal bytes.
    /// - Throws: `unavailable` when memory runs out; what `sink` throws.
    package func writePNG(to sink: ByteSink) throws(Failure) {
        var file: UnsafeMutablePointer<UInt8>?
        var count = 0
        var message = [CChar](repeating: 0, count: Int(SSDF_PNG_MESSAGE))
        let isOpaque = stride(from: 3, to: pixels.count, by: 4).allSatisfy { pixels[$0] == .max }
        let status = pixels.withUnsafeBufferPointer {
            ssdf_png_write(
                $0.baseAddress!, UInt32(width), UInt32(height), Int32(depth), isOpaque ? 0 : 1, &file, &count, &message)
        }
        guard status == 0, let file else { throw Failure(.unavailable, "cannot encode a PNG: \(text(message))") }
        defer { free(file) }
        try sink(UnsafeRawBufferPointer(start: file, count: count))
    }
}

/// libpng's version, for reports.
package var pngVersion: String { String(cString: ssdf_png_version()) }

private func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
