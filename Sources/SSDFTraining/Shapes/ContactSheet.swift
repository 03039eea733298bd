import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFVolume

/// Pictures of meshes side by side, in rows.
/// - Parameters:
///   - tile: side of a picture, pixels.
/// - Returns: the sheet; an empty mesh leaves its place white.
package func contactSheet(_ meshes: [TriangleMesh], columns: Int, tile: Int, threads: Int) -> RasterImage {
    var options = RenderOptions()
    options.width = tile
    options.height = tile
    options.samplesPerSide = 2
    options.threads = threads
    let empty = RasterImage(width: 0, height: 0, pixels: [])
    let pictures = meshes.map { mesh in
        mesh.triangleCount == 0
            ? empty : render(positions: mesh.positions, triangles: mesh.triangles, options: options).image
    }
    return contactSheet(pictures, columns: columns, tile: tile)
}

/// Pictures side by side, in rows.
/// - Parameters:
///   - pictures: no larger than a tile.
///   - tile: side of a picture's place, pixels.
package func contactSheet(_ pictures: [RasterImage], columns: Int, tile: Int) -> RasterImage {
    let rows = max((pictures.count + columns - 1) / columns, 1)
    let width = columns * tile
    var pixels = [UInt16](repeating: .max, count: 4 * width * rows * tile)
    for (index, picture) in pictures.enumerated() {
        precondition(picture.width <= tile && picture.height <= tile, "a picture fits its place")
        let corner = (index / columns * tile) * width + index % columns * tile
        for row in 0..<picture.height {
            let to = 4 * (corner + row * width)
            pixels.replaceSubrange(
                to..<to + 4 * picture.width,
                with: picture.pixels[4 * row * picture.width..<4 * (row + 1) * picture.width])
        }
    }
    return RasterImage(width: width, height: rows * tile, pixels: pixels)
}

/// Pictures with what was made of them beside them, seen from where the picture was taken.
/// - Parameters:
///   - columns: pairs in a row.
///   - tile: side of a picture, pixels.
package func contactSheet(
    _ examples: [GenerationEvaluation.Example], columns: Int, tile: Int, threads: Int
) -> RasterImage {
    let pictures = examples.flatMap { example -> [RasterImage] in
        var options = RenderOptions()
        options.width = tile
        options.height = tile
        options.samplesPerSide = 2
        options.threads = threads
        options.azimuth = Double(example.view.azimuth)
        options.elevation = Double(example.view.elevation)
        let mesh = example.mesh
        return [
            example.picture,
            mesh.triangleCount == 0
                ? RasterImage(width: 0, height: 0, pixels: [])
                : render(positions: mesh.positions, triangles: mesh.triangles, options: options).image,
        ]
    }
    return contactSheet(pictures, columns: 2 * columns, tile: tile)
}
