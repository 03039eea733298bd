import SSDFCore

/// How a mesh is pictured.
package struct RenderOptions: Sendable {
    /// What is behind the object.
    package enum Background: Sendable {
        case white
        case transparent
    }

    /// Pixels.
    package var width = 1024
    /// Pixels.
    package var height = 1024
    /// Degrees round the vertical: 0 looks from +z, 90 from +x.
    package var azimuth = 30.0
    /// Degrees above the horizon, -90…90. y is up.
    package var elevation = 20.0
    /// How depth is shown.
    package var projection = Projection.perspective(angle: 28)
    /// What is fitted into the frame.
    package var framing = Framing.outline
    /// Share of the frame left free on each side.
    package var margin = 0.07
    /// Samples along a pixel's side; their square is averaged.
    package var samplesPerSide = 3
    /// What is behind the object.
    package var background = Background.white
    /// Colour of the surface, linear.
    package var albedo = Vector3f(0.72, 0.69, 0.65)
    /// Factor on the colour where the back of a triangle is seen.
    package var backTint = Vector3f(0.45, 0.55, 0.80)
    /// Triangles that meet at more than this are shaded with an edge between them, degrees.
    package var creaseAngle = 40.0
    /// Whether light is kept from what the object hides.
    package var hasShadows = true
    /// Whether the object casts a shadow on a ground below it.
    package var hasGround = true
    /// To draw on; the picture does not depend on it.
    package var threads = 1

    /// The defaults.
    package init() {}
}

/// A picture of a mesh, and what the picture shows at each pixel's centre.
package struct RenderedView: Sendable {
    /// The picture.
    package let image: RasterImage
    /// `[height, width]`: distance from the eye's plane, world units; infinity where nothing is seen.
    package let depth: [Float]
    /// `[height, width, 3]`: unit, world axes, towards the viewer; zero where nothing is seen.
    package let normals: [Float]
    /// `[height, width]`: share of the pixel that the object covers, 0…1.
    package let coverage: [Float]
}

/// Draws triangles with soft studio light. The same on any number of threads.
/// - Parameters:
///   - positions: `[N, 3]`, finite; y is up.
///   - triangles: `[T, 3]`, each below N. Seen from both sides; back faces are tinted.
///   - normals: `[N, 3]`, unit; or empty, and they are computed.
/// - Complexity: O(N + T + samples).
package func render(
    positions: [Float], triangles: [UInt32], normals: [Float] = [], options: RenderOptions = RenderOptions()
) -> RenderedView {
    precondition(options.width > 0 && options.height > 0 && options.samplesPerSide > 0, "a picture has pixels")
    precondition(triangles.allSatisfy { Int($0) < positions.count / 3 }, "triangle corners are vertices")
    let scene = RenderScene(positions: positions, triangles: triangles, normals: normals, options: options)
    return scene.draw()
}
