/// A picture: rows from the top, four channels a pixel (red, green, blue, alpha; alpha not multiplied in), sRGB.
package struct RasterImage: Sendable, Equatable {
    /// Pixels across.
    package let width: Int
    /// Pixels down.
    package let height: Int
    /// `[height, width, 4]`; 0 … 65535 whatever the depth of the file was.
    package var pixels: [UInt16]
    /// Bits a channel in the file this came from or goes to: 8 or 16. An 8-bit value v is stored as 257·v.
    package var depth: Int

    /// - Precondition: `pixels.count == 4·width·height` and `depth` is 8 or 16.
    package init(width: Int, height: Int, pixels: [UInt16], depth: Int = 8) {
        precondition(pixels.count == 4 * width * height, "four channels a pixel")
        precondition(depth == 8 || depth == 16, "8 or 16 bits a channel")
        self.width = width
        self.height = height
        self.pixels = pixels
        self.depth = depth
    }
}
