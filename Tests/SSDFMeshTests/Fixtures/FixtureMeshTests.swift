import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

/// The fixtures are what they say.
@Suite struct FixtureMeshTests {
    @Test(arguments: FixtureMesh.all.map(\.name)) func isWhatItSays(_ name: String) {
        let fixture = FixtureMesh.named(name)
        let census = EdgeCensus(fixture.mesh)
        #expect(fixture.mesh.positions.allSatisfy { $0.isFinite })
        #expect(fixture.mesh.triangles.allSatisfy { $0 < fixture.mesh.vertexCount })
        #expect((census.odd == 0) == fixture.isClosed, "\(census)")
        if fixture.isManifold { #expect(census.nonManifold == 0, "\(census)") }
        if fixture.isOriented { #expect(census.misoriented == 0, "\(census)") }
        if fixture.isClosed, fixture.isOriented { #expect(fixture.mesh.signedVolume > 0) }
        if fixture.isClosed, fixture.isOriented, let volume = fixture.volume {
            #expect(abs(fixture.mesh.signedVolume - volume) <= 1e-6 * volume)
        }
    }

    @Test func hasNoNameTwice() {
        #expect(Set(FixtureMesh.all.map(\.name)).count == FixtureMesh.all.count)
    }

    @Test(arguments: [("icosphere", 2), ("torus", 0), ("cylinder", 2), ("gear", 0), ("knot", 0), ("scan", 2)])
    func hasItsGenus(_ name: String, _ characteristic: Int) {
        let mesh = FixtureMesh.named(name).mesh
        #expect(EdgeCensus(mesh).eulerCharacteristic(faces: mesh.triangleCount) == characteristic)
    }

    @Test func sphereVolumeConvergesToTheBall() {
        let ball = 4 / 3 * Double.pi
        let coarse = ball - TriangleMesh.icosphere(frequency: 10).signedVolume
        let fine = ball - TriangleMesh.icosphere(frequency: 20).signedVolume
        #expect(coarse > 0 && fine > 0)
        #expect(abs(coarse / fine - 4) < 0.2)
    }

    @Test func alterationsChangeWhatTheySay() {
        let mesh = FixtureMesh.named("torus").mesh
        let fewer = mesh.removingFaces(share: 0.02, seed: 1)
        #expect(fewer.triangleCount < mesh.triangleCount && fewer.triangleCount > mesh.triangleCount * 95 / 100)
        #expect(fewer == mesh.removingFaces(share: 0.02, seed: 1))
        #expect(EdgeCensus(mesh.flippingFaces(share: 0.3, seed: 2)).misoriented > 100)
        #expect(abs(mesh.insideOut().signedVolume + mesh.signedVolume) < 1e-12)
        #expect(EdgeCensus(mesh.withoutBase()).boundary > 0)
        #expect(mesh.selfIntersecting(by: [0.1, 0, 0]).triangleCount == 2 * mesh.triangleCount)
        #expect(EdgeCensus(mesh.unwelded()).boundary == 0)
        #expect(mesh.unwelded().vertexCount == 3 * mesh.triangleCount)
    }
}
