import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct RemeshIsotropicTests {
    @Test(arguments: ["icosphere", "torus", "knot", "uv-sphere", "hollow-ball"])
    func evensOutClosedSurfaces(_ name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let length = Float((mesh.surfaceArea / 4000).squareRoot()) * 1.5
        let result = try remeshIsotropic(mesh, options: IsotropicOptions(edgeLength: length))
        let (before, after) = (EdgeCensus(mesh), EdgeCensus(result))
        #expect(after.boundary == 0 && after.nonManifold == 0 && after.misoriented == 0)
        #expect(
            after.eulerCharacteristic(faces: result.triangleCount)
                == before.eulerCharacteristic(faces: mesh.triangleCount))
        let quality = TriangleQuality(result)
        #expect(quality.minimumAngle > 25)
        #expect(quality.edgeVariation < 0.15)
        #expect(abs(quality.meanEdge / length - 0.93) < 0.05)
        #expect(MeshDistance(mesh, result).mean < 0.05 * length)
    }

    /// The corners and edges of a box are where they were, so that its volume is too.
    @Test func keepsCreases() throws {
        let mesh = TriangleMesh.box(divisions: 6)
        let result = try remeshIsotropic(mesh, options: IsotropicOptions(edgeLength: 0.05))
        let after = EdgeCensus(result)
        #expect(after.boundary == 0 && after.nonManifold == 0)
        #expect(MeshDistance(mesh, result).hausdorff < 1e-5)
        #expect(abs(result.signedVolume - mesh.signedVolume) < 1e-5 * mesh.signedVolume)
        #expect(TriangleQuality(result).minimumAngle > 25)
    }

    /// Between the creases of a wedge there is room for one triangle at its edge; those behind it have angles as anywhere.
    @Test(arguments: [12.0, 20.0, 24.0]) func wedgesHaveOneSharpTriangle(degrees: Double) throws {
        let half = degrees * .pi / 360
        var mesh = TriangleMesh()
        for z in [Float(0), 1] {
            _ = mesh.addVertex(Vector3f(0, 0, z))
            _ = mesh.addVertex(Vector3f(Float(2 * cos(half)), Float(-2 * sin(half)), z))
            _ = mesh.addVertex(Vector3f(Float(2 * cos(half)), Float(2 * sin(half)), z))
        }
        mesh.addTriangle(0, 2, 1)
        mesh.addTriangle(3, 4, 5)
        for (a, b) in [(UInt32(0), UInt32(1)), (1, 2), (2, 0)] {
            mesh.addTriangle(a, b, b + 3)
            mesh.addTriangle(a, b + 3, a + 3)
        }
        let result = try remeshIsotropic(mesh, options: IsotropicOptions(edgeLength: 0.15))
        #expect(MeshDistance(mesh, result).hausdorff < 1e-5)
        var sharp = 0
        for t in 0..<result.triangleCount {
            let (a, b, c) = result.corners(t)
            let p = [a, b, c].map { Vector3d(result.position($0)) }
            for i in 0..<3 {
                let (e, f) = (p[(i + 1) % 3] - p[i], p[(i + 2) % 3] - p[i])
                let angle = atan2(e.cross(f).length, e.dot(f)) * 180 / .pi
                guard angle < 25 else { continue }
                sharp += 1
                #expect(p[i].x == 0 && p[i].y == 0 && abs(angle - degrees) < 0.1, "\(angle)° at \(p[i])")
            }
        }
        #expect(sharp == 2)
    }

    /// Where creases meet in a step that fades away, their corner has room to move on between them.
    @Test(arguments: [4, 6, 10]) func opensFadingWedges(rounds: Int) throws {
        guard let path = SharedData.mesh("fandisk.obj") else { return }
        let mesh = try loadMesh(path: path, threads: 2).mesh
        var options = IsotropicOptions(edgeLength: 0.1)
        options.iterations = rounds
        let result = try remeshIsotropic(mesh, options: options)
        #expect(TriangleQuality(result).minimumAngle > 25)
        #expect(MeshDistance(mesh, result, threads: 2).hausdorff < 0.1 * 0.1)
        let after = EdgeCensus(result)
        #expect(after.boundary == 0 && after.nonManifold == 0)
    }

    @Test func keepsBorders() throws {
        let mesh = TriangleMesh.sheet(cells: 24)
        let length = mesh.boundingBox.longestSide / 30
        let result = try remeshIsotropic(mesh, options: IsotropicOptions(edgeLength: length))
        let (before, after) = (EdgeCensus(mesh), EdgeCensus(result))
        #expect(after.nonManifold == 0 && after.boundary > 0)
        #expect(
            after.eulerCharacteristic(faces: result.triangleCount)
                == before.eulerCharacteristic(faces: mesh.triangleCount))
        #expect(MeshDistance(mesh, result).hausdorff < 0.1 * length)
    }

    /// Twice the resolution, a quarter of the distance: chords of a curve.
    @Test func distanceFallsWithTheSquareOfTheLength() throws {
        let mesh = TriangleMesh.icosphere(radius: 1, frequency: 100)
        func mean(_ length: Float) throws -> Float {
            MeshDistance(mesh, try remeshIsotropic(mesh, options: IsotropicOptions(edgeLength: length))).mean
        }
        let ratio = try mean(0.2) / mean(0.1)
        #expect(ratio > 3 && ratio < 5)
    }

    @Test func threadsDoNotChangeBytes() throws {
        let mesh = FixtureMesh.named("machined-part").mesh
        var options = IsotropicOptions(edgeLength: mesh.boundingBox.longestSide / 60)
        let one = try remeshIsotropic(mesh, options: options)
        options.threads = 4
        #expect(try remeshIsotropic(mesh, options: options) == one)
    }

    @Test(arguments: FixtureMesh.all.map(\.name)) func takesAnyMesh(_ name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let length = mesh.boundingBox.size.length / 40
        let result = try remeshIsotropic(mesh, options: IsotropicOptions(edgeLength: length))
        let report = MeshReport(result, threads: 2)
        #expect(report.isManifold && report.isConsistentlyOriented)
        let isFinite = result.positions.allSatisfy { $0.isFinite }
        #expect(isFinite)
    }

    @Test func refusesNonsense() {
        #expect(throws: Failure.self) {
            try remeshIsotropic(.tetrahedron(), options: IsotropicOptions(edgeLength: 0))
        }
        #expect(throws: Failure.self) {
            try remeshIsotropic(.tetrahedron(), options: IsotropicOptions(edgeLength: 1e-7))
        }
    }
}
