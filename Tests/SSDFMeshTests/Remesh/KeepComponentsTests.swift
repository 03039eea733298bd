import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

@Suite struct KeepComponentsTests {
    private var three: TriangleMesh {
        var mesh = TriangleMesh.octahedron(radius: 0.2)
        mesh.append(.octahedron(radius: 1, center: [4, 0, 0]))
        mesh.append(.octahedron(radius: 0.5, center: [0, 4, 0]))
        return mesh
    }

    @Test func keepsTheLargest() {
        let result = keepComponents(three, .largest)
        #expect(result.triangleCount == 8 && result.vertexCount == 6)
        #expect(result.boundingBox.minimum.x == 3)
    }

    @Test func keepsACount() {
        #expect(keepComponents(three, .count(2)).triangleCount == 16)
        #expect(keepComponents(three, .count(9)).triangleCount == 24)
    }

    @Test func keepsByArea() {
        // An octahedron of radius r has area 4√3 r².
        #expect(keepComponents(three, .leastArea(1)).triangleCount == 16)
        #expect(keepComponents(three, .leastArea(100)).triangleCount == 0)
    }
}
