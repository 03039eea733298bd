extension RasterImage {
    /// Pictures side by side, in rows from the top left, each in a square cell of its own.
    ///
    /// - Parameters:
    ///   - pictures: each no larger than a cell.
    ///   - columns: cells in a row.
    ///   - cell: side of a cell, in pixels.
    ///   - background: red, green, blue and alpha where there is no picture, 0 … 65535.
    /// - Precondition: there is at least one column, and every picture fits its cell.
    package static func contactSheet(
        _ pictures: [RasterImage], columns: Int, cell: Int, background: SIMD4<UInt16>
    ) -> RasterImage {
        precondition(columns > 0 && cell > 0, "a sheet has columns, and cells a size")
        let rows = (pictures.count + columns - 1) / columns
        let width = columns * cell
        var pixels = (0..<width * rows * cell).flatMap { _ in
            [background.x, background.y, background.z, background.w]
        }
        for (number, picture) in pictures.enumerated() {
            precondition(picture.width <= cell && picture.height <= cell, "a picture fits its cell")
            let (row, column) = (number / columns, number % columns)
            for y in 0..<picture.height {
                let from = 4 * picture.width * y
                let to = 4 * ((row * cell + y) * width + column * cell)
                pixels.replaceSubrange(
                    to..<to + 4 * picture.width, with: picture.pixels[from..<from + 4 * picture.width])
            }
        }
        return RasterImage(width: width, height: rows * cell, pixels: pixels)
    }
}
