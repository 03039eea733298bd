import FixtureMeshes
import SSDFMesh

extension TriangleMesh {
    /// The mesh as an OBJ file, written without the product's own writer.
    var objText: String {
        var text = ""
        for v in 0..<vertexCount {
            let p = position(v)
            text += "v \(p.x) \(p.y) \(p.z)\n"
        }
        for t in 0..<triangleCount {
            let (a, b, c) = corners(t)
            text += "f \(a + 1) \(b + 1) \(c + 1)\n"
        }
        return text
    }
}

extension Shell {
    /// A folder with a sphere's mesh, ball.obj.
    static func withBall() -> Shell {
        let shell = Shell()
        shell.write("ball.obj", TriangleMesh.icosphere(radius: 0.8, frequency: 8).objText)
        return shell
    }

    /// A folder with ball.obj and ball.ssdf of 64 voxels a side.
    static func withVolume() -> Shell {
        let shell = withBall()
        shell.run("ssdf-voxelize ball.obj --resolution 64 -o ball.ssdf")
        return shell
    }
}
