import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFVolume

/// Pictures of meshes side by side, in rows.
/// - Parameters:
///   - tile: side of a picture, pixels.
/// - Returns: the sheet; an empty mesh leaves its place white.
package func contactSheet(_ meshes: [TriangleMesh], columns: Int, tile: Int, threads: Int) -> RasterImage {
    let rows = max((meshes.count + columns - 1) / columns, 1)
    let width = columns * tile
    var pixels = [UInt16](repeating: .max, count: 4 * width * rows * tile)
    var options = RenderOptions()
    options.width = tile
    options.height = tile
    options.samplesPerSide = 2
    options.threads = threads
    for (index, mesh) in meshes.enumerated() where mesh.triangleCount > 0 {
        let picture = render(positions: mesh.positions, triangles: mesh.triangles, options: options).image
        let corner = (index / columns * tile) * width + index % columns * tile
        for row in 0..<tile {
            let to = 4 * (corner + row * width)
            pixels.replaceSubrange(to..<to + 4 * tile, with: picture.pixels[4 * row * tile..<4 * (row + 1) * tile])
        }
    }
    return RasterImage(width: width, height: rows * tile, pixels: pixels)
}
