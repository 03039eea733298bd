import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

@Suite struct RemoveInteriorTests {
    @Test(arguments: ["cube", "torus", "machined-part", "gear", "knot", "sheet", "bowl", "scan"])
    func nothingThatIsSeenGoes(_ name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let result = try removeInterior(mesh, options: RemoveInteriorOptions())
        #expect(result.removedTriangles == 0 && result.mesh.triangles == mesh.triangles)
    }

    @Test func innerShellsGo() throws {
        let outer = TriangleMesh.icosphere(radius: 1, frequency: 12)
        var mesh = TriangleMesh.icosphere(radius: 0.6, frequency: 8)
        mesh.append(outer)
        mesh.append(.octahedron(radius: 0.2))
        let result = try removeInterior(mesh, options: RemoveInteriorOptions())
        #expect(result.mesh.triangleCount == outer.triangleCount && result.mesh.positions == outer.positions)
    }

    /// Two balls joined by nothing but their overlap: what lies inside the other is no part of the hull.
    @Test func partsInsideOtherSolidsGo() throws {
        let mesh = FixtureMesh.named("overlapping-spheres").mesh
        let result = try removeInterior(mesh, options: RemoveInteriorOptions())
        #expect(result.removedTriangles > mesh.triangleCount / 20)
        #expect(result.visibleTriangles <= result.mesh.triangleCount)
        #expect(result.mesh.boundingBox == mesh.boundingBox)
    }

    /// A box with an inner wall that hangs on the outer one along a line: the wall is cut off there.
    @Test func innerWallsAreCutOff() throws {
        var mesh = TriangleMesh.box(divisions: 8)
        let outer = mesh.triangleCount
        let low = mesh.boundingBox.minimum
        let size = mesh.boundingBox.size
        // A wall across the inside at half depth, its foot on vertices of the floor and its top free.
        let foot = (0..<mesh.vertexCount).map { mesh.position($0) }.filter {
            $0.y == low.y && abs($0.z - low.z - size.z / 2) < 1e-5 && $0.x > low.x && $0.x < low.x + size.x
        }.sorted { $0.x < $1.x }
        #expect(foot.count == 7)
        let from = mesh.vertexCount
        for point in foot {
            for k in 0...8 { _ = mesh.addVertex(point + Vector3f(0, size.y * 0.5 * Float(k) / 8, 0)) }
        }
        for i in 0..<foot.count - 1 {
            for k in 0..<8 {
                let a = UInt32(from + 9 * i + k)
                mesh.addTriangle(a, a + 9, a + 1)
                mesh.addTriangle(a + 1, a + 9, a + 10)
            }
        }
        let result = try removeInterior(mesh, options: RemoveInteriorOptions())
        #expect(result.mesh.triangleCount == outer)
        #expect(MeshReport(result.mesh, threads: 1).isClosedOrientedManifold)
    }

    @Test func threadsDoNotChangeBytes() throws {
        let mesh = FixtureMesh.named("overlapping-spheres").mesh
        var options = RemoveInteriorOptions()
        let one = try removeInterior(mesh, options: options).mesh
        options.threads = 4
        #expect(try removeInterior(mesh, options: options).mesh == one)
    }

    @Test func refusesNonsense() {
        var options = RemoveInteriorOptions()
        options.rays = 1
        #expect(throws: Failure.self) { try removeInterior(.tetrahedron(), options: options) }
    }
}
