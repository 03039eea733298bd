import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

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
