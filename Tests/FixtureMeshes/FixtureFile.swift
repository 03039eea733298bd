import SSDFCore
import SSDFMesh

/// A file under Fixtures/meshes, as its generator makes it.
package struct FixtureFile: Sendable {
    /// Relative to Fixtures/meshes.
    package var name: String
    /// What it is, or what it breaks.
    package var summary: String
    package var bytes: [UInt8]
    /// How the error of reading it begins, without the file's name; nil for a good file.
    package var error: String?

    init(_ name: String, _ summary: String, _ bytes: [UInt8], error: String? = nil) {
        self.name = name
        self.summary = summary
        self.bytes = bytes
        self.error = error
    }

    init(_ name: String, _ summary: String, _ text: String, error: String? = nil) {
        self.init(name, summary, Array(text.utf8), error: error)
    }
}

extension FixtureFile {
    /// Good files: the mesh of the examples, a few fixtures in every format, and unusual ways to write a cube.
    package static func good() throws(Failure) -> [FixtureFile] {
        var files: [FixtureFile] = []
        func add(_ name: String, _ format: MeshFileFormat, _ mesh: TriangleMesh, _ summary: String) throws(Failure) {
            // Coordinates on a grid do not change with the last bit of a sine.
            let mesh = mesh.snapped(to: 0x1p-14)
            var bytes: [UInt8] = []
            try writeMesh(mesh, format: format, threads: 1) { part throws(Failure) in bytes += part }
            files.append(FixtureFile("\(name).\(format.rawValue)", summary, bytes))
        }
        for (name, format) in [
            ("knot", MeshFileFormat.ply), ("gear", .obj), ("machined-part", .stl), ("moebius", .off), ("sheet", .obj),
            ("bowl", .ply), ("thin-wall", .stl), ("degenerate", .ply), ("shared-edge", .obj), ("t-junctions", .off),
            ("flipped-third", .ply), ("cube", .glb),
        ] {
            let fixture = FixtureMesh.named(name)
            try add(name, format, fixture.mesh, fixture.summary)
        }
        try add(
            "ball", .glb, TriangleMesh.icosphere(radius: 0.8, frequency: 6).snapped(to: 0x1p-14).withNormals(),
            "a small sphere with normals")
        try add("hollow-ball-small", .off, .smallHollowBall(), "two nested shells, the inner one facing the cavity")
        files += cubes()
        return files
    }

    /// One cube, written in many ways; all read as 8 vertices and 12 triangles.
    package static func cubes() -> [FixtureFile] {
        let points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
        let quads = [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]
        let positions = points.map { "\($0.0) \($0.1) \($0.2)" }
        let plyHeader = "element vertex 8\nproperty float x\nproperty float y\nproperty float z\n"
        let triangles = quads.flatMap { [[$0[0], $0[1], $0[2]], [$0[0], $0[2], $0[3]]] }
        let stlFacets = triangles.map { t in
            "facet normal 0 0 0\nouter loop\n" + t.map { "vertex \(positions[$0])\n" }.joined() + "endloop\nendfacet\n"
        }
        let hardOBJ =
            "# quads, negative indices, continued lines, CRLF, faces between vertices\r\nmtllib none.mtl\r\n"
            + positions.map { "v \($0)\r\n" }.joined() + "vn 0 0 1\r\nvt 0 0\r\ng a\r\n"
            + quads[..<3].map { q in "f " + q.map { "\($0 - 8)//-1" }.joined(separator: " \\\r\n  ") + "\r\n" }.joined()
            + "o b\r\ns off\r\n"
            + quads[3...].map { q in "f " + q.map { "\($0 + 1)/1/1" }.joined(separator: "\t") + " # a quad\r\n" }
            .joined()
        var bigEndian = Array(
            ("ply\r\nformat binary_big_endian 1.0\r\ncomment faces first, doubles, more elements and lists\r\n"
                + "element face 6\r\nproperty uchar red\r\nproperty list short uint vertex_indices\r\n"
                + "property list uchar float texcoord\r\nelement other 2\r\nproperty list uchar int a\r\nproperty double b\r\n"
                + "element vertex 8\r\nproperty short flags\r\nproperty double x\r\nproperty double y\r\n"
                + "property double z\r\nend_header\r\n").utf8)
        func big(_ value: UInt64, _ size: Int) {
            for shift in (0..<size).reversed() {
                bigEndian.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * shift)))
            }
        }
        for quad in quads {
            big(200, 1)
            big(4, 2)
            for corner in quad { big(UInt64(corner), 4) }
            big(1, 1)
            big(UInt64(Float(0.5).bitPattern), 4)
        }
        for item in 0..<2 {
            big(UInt64(item), 1)
            for _ in 0..<item { big(7, 4) }
            big(0, 8)
        }
        for point in points {
            big(9, 2)
            for value in [point.0, point.1, point.2] { big(Double(value).bitPattern, 8) }
        }
        return [
            FixtureFile("cube-hard.obj", "quads with every awkward way of writing OBJ", hardOBJ),
            FixtureFile(
                "cube-quads.ply", "ASCII PLY of quads, with colours and vertex_index",
                "ply\nformat ascii 1.0\n" + plyHeader
                    + "property uchar red\nelement face 6\nproperty list uchar int vertex_index\nend_header\n"
                    + positions.map { "\($0) 255\n" }.joined()
                    + quads.map { q in "4 " + q.map(String.init).joined(separator: " ") + "\n" }.joined()),
            FixtureFile("cube-big-endian.ply", "big-endian PLY, faces first, doubles, further elements", bigEndian),
            FixtureFile(
                "cube-strips.ply", "PLY of triangle strips with separators and joining triangles",
                "ply\nformat ascii 1.0\n" + plyHeader
                    + "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
                    + positions.map { "\($0)\n" }.joined()
                    + "23 3 2 0 1 4 5 7 6 3 2 -1 0 4 3 7 7 1 1 2 5 6 -1 -1\n"),
            FixtureFile(
                "cube-ascii.stl", "ASCII STL of two solids",
                "solid lower half\n" + stlFacets[..<6].joined() + "endsolid lower half\nsolid\n"
                    + stlFacets[6...].joined()
                    + "endsolid\n"),
            FixtureFile(
                "cube-colours.off", "COFF with comments and coloured quads",
                "COFF 8 6 0 # counts on the first line\n# colours follow the coordinates\n"
                    + positions.map { "\($0) 0.5 0.5 0.5 1\n" }.joined()
                    + quads.map { q in "4 " + q.map(String.init).joined(separator: " ") + " 255 0 0\n" }.joined()),
        ]
    }
}

extension TriangleMesh {
    fileprivate static func smallHollowBall() -> TriangleMesh {
        var mesh = icosphere(radius: 0.8, frequency: 6)
        mesh.append(icosphere(radius: 0.5, frequency: 5).insideOut())
        return mesh
    }
}
