import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

@Suite struct SmoothMeshTests {
    /// Most of the noise goes, the volume does not.
    @Test func takesNoiseOffASphere() throws {
        let sphere = TriangleMesh.icosphere(radius: 1, frequency: 32)
        var rough = sphere
        for v in 0..<sphere.vertexCount {
            let noise = Float(Philox(seed: 7).block(UInt64(v)).x) / Float(UInt32.max)
            let scale = 1 + 0.02 * (noise - 0.5)
            for x in 0..<3 { rough.positions[3 * v + x] *= scale }
        }
        let result = try smooth(rough, options: SmoothOptions(iterations: 50))
        #expect(result.triangles == sphere.triangles)
        #expect(MeshDistance(sphere, result).mean < 0.5 * MeshDistance(sphere, rough).mean)
        #expect(abs(result.signedVolume / sphere.signedVolume - 1) < 0.005)
    }

    @Test func bordersKeepTheirCourse() throws {
        let mesh = TriangleMesh.sheet(cells: 24)
        let result = try smooth(mesh, options: SmoothOptions(iterations: 10))
        #expect(MeshDistance(mesh, result).hausdorff < 0.03 * mesh.boundingBox.longestSide)
    }

    @Test(arguments: FixtureMesh.all.map(\.name)) func takesAnyMesh(_ name: String) throws {
        let result = try smooth(FixtureMesh.named(name).mesh, options: SmoothOptions(iterations: 3))
        let isFinite = result.positions.allSatisfy { $0.isFinite }
        #expect(isFinite)
    }

    @Test func threadsDoNotChangeBytes() throws {
        let mesh = TriangleMesh.scan()
        var options = SmoothOptions(iterations: 3)
        let one = try smooth(mesh, options: options)
        options.threads = 4
        #expect(try smooth(mesh, options: options) == one)
    }

    /// A sphere's normals are its directions.
    @Test func normalsOfASphere() {
        let mesh = TriangleMesh.icosphere(radius: 2, frequency: 16)
        let normals = vertexNormals(mesh)
        var worst: Float = 1
        for v in 0..<mesh.vertexCount {
            let n = Vector3f(normals[3 * v], normals[3 * v + 1], normals[3 * v + 2])
            worst = min(worst, n.dot(mesh.position(v) / 2))
        }
        #expect(worst > 0.9995)
    }
}
