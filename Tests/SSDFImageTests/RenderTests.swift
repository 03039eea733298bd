import FixtureMeshes
import SSDFCore
import SSDFImage
import SSDFMesh
import Testing

@Suite struct RenderTests {
    static func options(_ size: Int, threads: Int = 2) -> RenderOptions {
        var options = RenderOptions()
        options.width = size
        options.height = size
        options.threads = threads
        return options
    }

    static func view(_ mesh: TriangleMesh, _ options: RenderOptions) -> RenderedView {
        render(positions: mesh.positions, triangles: mesh.triangles, options: options)
    }

    /// A sphere in a frame fitted to its bounding sphere covers π/4 of the square inside the margin; depth and normals
    /// are those of the sphere.
    @Test func spherePicturesAsADisc() {
        let sphere = TriangleMesh.icosphere(radius: 1, frequency: 48)
        var options = Self.options(128)
        options.projection = .orthographic
        options.framing = .outline
        options.margin = 0.125
        let view = Self.view(sphere, options)
        let covered = view.coverage.reduce(0, +)
        let expected = Float.pi * 48 * 48
        #expect(abs(covered - expected) < 0.01 * expected, "covered \(covered), expected \(expected)")
        let center = 64 * 128 + 64
        // The pixel's centre is half a pixel off the axis.
        let nearest = view.depth[center]
        let corner = view.depth[64 * 128 + 64 + 24]
        let drop = 1 - (1 - Float(24.5 * 24.5 + 0.25) / (48 * 48)).squareRoot()
        #expect(abs(corner - nearest - drop) < 0.01)
        #expect(view.depth[0] == .infinity && view.coverage[0] == 0)
        let n = Vector3f(view.normals[3 * center], view.normals[3 * center + 1], view.normals[3 * center + 2])
        let azimuth = Float(options.azimuth * .pi / 180)
        let elevation = Float(options.elevation * .pi / 180)
        let toward = Vector3f(
            FixtureMeshes.sine(azimuth) * FixtureMeshes.cosine(elevation), FixtureMeshes.sine(elevation),
            FixtureMeshes.cosine(azimuth) * FixtureMeshes.cosine(elevation))
        #expect(n.dot(toward) > 0.999)
    }

    @Test func threadsDoNotChangeAPicture() {
        let mesh = TriangleMesh.machinedPart()
        let one = Self.view(mesh, Self.options(96, threads: 1))
        for threads in [2, 5] {
            let other = Self.view(mesh, Self.options(96, threads: threads))
            #expect(one.image == other.image)
            #expect(one.depth == other.depth)
        }
    }

    /// Shared edges leave no gap: a closed surface covers every sample inside its outline.
    @Test func leavesNoCracks() {
        let box = TriangleMesh.box(size: [1, 1, 1], divisions: 23)
        var options = Self.options(64)
        options.projection = .orthographic
        options.azimuth = 0
        options.elevation = 0
        options.margin = 0
        #expect(Self.view(box, options).coverage.allSatisfy { $0 == 1 })
    }

    @Test func nothingIsABackground() {
        let view = render(positions: [], triangles: [], options: Self.options(8))
        #expect(view.image.pixels.allSatisfy { $0 == .max })
        var options = Self.options(8)
        options.background = .transparent
        #expect(render(positions: [], triangles: [], options: options).image.pixels.allSatisfy { $0 == 0 })
    }

    /// Degenerate triangles, huge and tiny coordinates draw something or nothing, and never crash.
    @Test(arguments: [Float.leastNormalMagnitude, 1e-20, 1e18, 1e30])
    func takesAnyScale(scale: Float) {
        let sphere = TriangleMesh.icosphere(radius: 1, frequency: 6)
        let view = render(
            positions: sphere.positions.map { $0 * scale }, triangles: sphere.triangles + [0, 0, 0, 1, 1, 2],
            options: Self.options(16))
        #expect(view.coverage.count == 256)
        if scale < 1e18, scale > 1e-30 { #expect(view.coverage[8 * 16 + 8] == 1) }
    }

    @Test func backFacesAreTold() {
        let sphere = TriangleMesh.icosphere(radius: 1, frequency: 24)
        let front = Self.view(sphere, Self.options(32)).image
        let back = Self.view(sphere.insideOut(), Self.options(32)).image
        let center = 4 * (16 * 32 + 16)
        #expect(front.pixels[center] > back.pixels[center])
        #expect(back.pixels[center + 2] > back.pixels[center])
    }
}
