import SSDFCore
import SSDFMesh

/// Malformed files, each wrong in one way, with the error it must give.
extension FixtureFile {
    package static func bad() -> [FixtureFile] {
        badOBJ() + badPLYText() + badPLYBinary() + badSTL() + badOFF() + badOthers()
    }

    private static let coordinateRange = "expected a finite number of at most 1e18"

    private static func badOBJ() -> [FixtureFile] {
        let three = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
        func obj(_ name: String, _ summary: String, _ text: String, _ error: String) -> FixtureFile {
            FixtureFile("bad/\(name).obj", summary, text, error: error)
        }
        return [
            obj(
                "two-coordinates", "a vertex with two coordinates", "v 0 0\nf 1 1 1\n",
                "line 1: the end of the line, expected a coordinate"),
            obj(
                "word-for-coordinate", "a word where a number belongs", three + "v 0 zero 0\nf 1 2 3\n",
                "line 4: 'zero', expected a coordinate"),
            obj(
                "number-and-letter", "a number with a letter at its end", three + "v 0 0 1x\nf 1 2 3\n",
                "line 4: '1x', expected a coordinate"),
            obj(
                "nan", "a coordinate that is not a number", three + "v nan 0 0\nf 1 2 3\n",
                "line 4: coordinate 'nan', \(coordinateRange)"),
            obj(
                "infinite", "an infinite coordinate", three + "v 0 -inf 0\nf 1 2 3\n",
                "line 4: coordinate '-inf', \(coordinateRange)"),
            obj(
                "huge", "a coordinate beyond what distances can be taken of", three + "v 0 0 1e30\nf 1 2 3\n",
                "line 4: coordinate '1e30', \(coordinateRange)"),
            obj(
                "index-zero", "index 0, which OBJ does not have", three + "f 0 1 2\n",
                "line 4: vertex index '0', expected 1 to 2147483647, or negative"),
            obj(
                "index-beyond", "an index beyond the last vertex", three + "f 1 2 4\n",
                "line 4: vertex index 4, expected 1 to 3"),
            obj(
                "index-before", "a negative index before the first vertex", three + "f -1 -2 -4\n",
                "line 4: vertex index -4, expected -3 to -1"),
            obj(
                "index-absurd", "an index beyond 2^31", three + "f 1 2 99999999999999999999\n",
                "line 4: vertex index '99999999999999999999', expected 1 to 2147483647, or negative"),
            obj("index-word", "a word for an index", three + "f 1 2 c\n", "line 4: 'c', expected a vertex index"),
            obj(
                "index-fraction", "a fraction for an index", three + "f 1 2 2.5\n",
                "line 4: '2.5', expected a vertex index"),
            obj(
                "two-corners", "a face with two corners", three + "f 1 2\n",
                "line 4: a face with fewer than 3 corners, expected at least 3"),
            obj(
                "cut-off", "the file ends in a face", three + "f 1 2 3\nf 1",
                "line 5: a face with fewer than 3 corners, expected at least 3"),
            obj("no-faces", "vertices only", three, "3 vertices and no faces, expected at least one face"),
            obj("empty", "no bytes", "", "an empty file, expected a mesh"),
        ]
    }

    private static func badPLYText() -> [FixtureFile] {
        let xyz = "property float x\nproperty float y\nproperty float z\n"
        let list = "property list uchar int vertex_indices\n"
        let three = "0 0 0\n1 0 0\n0 1 0\n"
        func ply(_ name: String, _ summary: String, _ header: String, _ body: String, _ error: String) -> FixtureFile {
            FixtureFile("bad/\(name).ply", summary, "ply\n\(header)end_header\n\(body)", error: error)
        }
        let ascii = "format ascii 1.0\n"
        let header = ascii + "element vertex 3\n\(xyz)element face 1\n\(list)"
        return [
            ply(
                "no-format", "no format line", "element vertex 3\n\(xyz)", three, "header: no format line, expected one"
            ),
            ply(
                "unknown-format", "a format that does not exist", "format binary_middle_endian 1.0\n", "",
                "line 2: 'format binary_middle_endian 1.0', expected format ascii,"),
            ply(
                "version-2", "a version that does not exist", "format ascii 2.0\n", "",
                "line 2: 'format ascii 2.0', expected format ascii,"),
            ply(
                "unknown-keyword", "a header line of no known kind", ascii + "elements vertex 3\n", "",
                "line 3: 'elements', expected a header keyword"),
            ply(
                "unknown-type", "a property of an unknown type", ascii + "element vertex 3\nproperty half x\n", "",
                "line 4: 'property half x', expected property, a type and a name"),
            ply(
                "property-first", "a property before any element", ascii + xyz, "",
                "line 3: a property, expected an element before it"),
            FixtureFile(
                "bad/no-end-header.ply", "a header without an end", "ply\n\(header)",
                error:
                    "line 9: the end of the file, expected end_header"),
            ply(
                "no-vertex", "no vertex element", ascii + "element face 1\n\(list)", "3 0 1 2\n",
                "header: 0 elements named vertex, expected 1"),
            ply(
                "two-vertex-elements", "two vertex elements",
                ascii + "element vertex 3\n\(xyz)element vertex 3\n\(xyz)", three + three,
                "header: 2 elements named vertex, expected 1"),
            ply(
                "no-z", "vertices without z", ascii + "element vertex 3\nproperty float x\nproperty float y\n",
                "0 0\n1 0\n0 1\n",
                "header: element vertex without a property z, expected x, y and z"),
            ply(
                "negative-count", "a negative count", ascii + "element vertex -3\n\(xyz)", three,
                "line 3: 'element vertex -3', expected element, a name and a count"),
            ply(
                "absurd-count", "more vertices than the file has bytes", ascii + "element vertex 4000000000\n\(xyz)",
                three,
                "element vertex: 18 bytes left for 4000000000 items, expected more"),
            ply(
                "count-beyond-32-bits", "more vertices than indices can name",
                ascii + "element vertex 9000000000000000000\n\(xyz)",
                three, "header: 9000000000000000000 vertices, expected at most 4294967295"),
            ply(
                "float-indices", "indices of a floating-point type",
                ascii + "element vertex 3\n\(xyz)element face 1\nproperty list uchar float vertex_indices\n",
                three + "3 0 1 2\n",
                "header: vertex indices of a floating-point type, expected an integer type"),
            ply(
                "float-list-count", "a list counted in floating point",
                ascii + "element vertex 3\n\(xyz)element face 1\nproperty list float int vertex_indices\n",
                three + "3 0 1 2\n",
                "line 8: list counts of type float, expected an integer type"),
            ply(
                "face-without-list", "faces without vertex indices",
                ascii + "element vertex 3\n\(xyz)element face 1\nproperty int a\n", three + "3\n",
                "header: element face without a list vertex_indices or vertex_index, expected one"),
            ply(
                "text-word", "a word for a coordinate", header, "0 0 0\n1 zero 0\n0 1 0\n3 0 1 2\n",
                "line 11: 'zero', expected a coordinate"),
            ply(
                "text-nan", "a coordinate that is not a number", header, "0 0 0\n1 0 nan\n0 1 0\n3 0 1 2\n",
                "line 11: coordinate 'nan', \(coordinateRange)"),
            ply(
                "text-index-beyond", "an index beyond the last vertex", header, three + "3 0 1 3\n",
                "face 0: vertex index 3, expected 0 to 2"),
            ply(
                "text-index-negative", "a negative index", header, three + "3 0 1 -1\n",
                "face 0: vertex index -1, expected 0 to 2"),
            ply(
                "text-two-corners", "a face with two corners", header, three + "2 0 1 \n",
                "line 13: a face with 2 corners, expected 3 to 32768"),
            ply(
                "text-list-too-long", "a list with more items than the file has bytes", header, three + "200 0 1 2\n",
                "line 13: a list of 200 items, expected at most the 7 bytes left"),
            ply(
                "text-cut-off", "the file ends in a vertex", header, "0 0 0\n1 0 0\n0 1\n",
                "element vertex: 16 bytes left for 3 items, expected more"),
            ply(
                "no-faces", "a point cloud", ascii + "element vertex 3\n\(xyz)", three,
                "3 vertices and no faces, expected at least one face"),
        ]
    }

    private static func badPLYBinary() -> [FixtureFile] {
        func ply(
            _ name: String, _ summary: String, vertices: String = "3", faces: String = "1",
            listType: String = "uchar int",
            points: [Float] = [0, 0, 0, 1, 0, 0, 0, 1, 0], body: [UInt8], _ error: String
        ) -> FixtureFile {
            let header =
                "ply\nformat binary_little_endian 1.0\nelement vertex \(vertices)\nproperty float x\nproperty float y\n"
                + "property float z\nelement face \(faces)\nproperty list \(listType) vertex_indices\nend_header\n"
            let pointBytes = points.flatMap { p in
                (0..<4).map { UInt8(truncatingIfNeeded: p.bitPattern >> (8 * UInt32($0))) }
            }
            return FixtureFile("bad/\(name).ply", summary, Array(header.utf8) + pointBytes + body, error: error)
        }
        let face: [UInt8] = [3, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]
        return [
            ply(
                "binary-absurd-vertices", "more vertices than bytes", vertices: "4000000000", body: face,
                "element vertex: 49 bytes left for 4000000000 items, expected at least 48000000000"),
            ply(
                "binary-absurd-faces", "more faces than bytes", faces: "9000000000000000000", body: face,
                "element face: 13 bytes left for 9000000000000000000 items, expected at least 9000000000000000000"),
            ply(
                "binary-absurd-list", "a list longer than the file", listType: "uint int",
                body: [255, 255, 255, 255, 0, 0, 0, 0],
                "byte 208: 4 bytes left, expected 17179869180"),
            ply(
                "binary-negative-list", "a list with a negative count", listType: "char int", body: [255] + face,
                "byte 204: a list of -1 items, expected 0 or more"),
            ply(
                "binary-cut-in-vertices", "the file ends in the vertices", points: [0, 0, 0, 1, 0], body: [],
                "element vertex: 20 bytes left for 3 items, expected at least 36"),
            ply(
                "binary-cut-in-faces", "the file ends in a face", body: Array(face[..<9]),
                "byte 206: 8 bytes left, expected 12"),
            ply(
                "binary-index-beyond", "an index beyond the last vertex",
                body: [3, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0],
                "face 0: vertex index 3, expected 0 to 2"),
            ply(
                "binary-index-negative", "a negative index", body: [3, 0, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255],
                "face 0: vertex index -1, expected 0 to 2"),
            ply(
                "binary-two-corners", "a face with two corners", body: [2, 0, 0, 0, 0, 1, 0, 0, 0],
                "face 0, byte 205: a face with 2 corners, expected 3 to 32768"),
            ply(
                "binary-nan", "a coordinate that is not a number", points: [0, 0, 0, 1, .nan, 0, 0, 1, 0], body: face,
                "vertex 1, byte 181: coordinates 1.0 nan 0.0, \(coordinateRange)"),
            ply(
                "binary-infinite", "an infinite coordinate", points: [0, 0, 0, 1, 0, 0, 0, 1, -.infinity], body: face,
                "vertex 2, byte 193: coordinates 0.0 1.0 -inf, \(coordinateRange)"),
        ]
    }

    private static func badSTL() -> [FixtureFile] {
        func binary(
            _ name: String, _ summary: String, count: UInt32, corner: Float = 1, keep: Int? = nil, _ error: String
        )
            -> FixtureFile
        {
            var bytes = Array("solid in name only".utf8) + [UInt8](repeating: 0, count: 62)
            func word(_ bits: UInt32) {
                for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * shift))) }
            }
            word(count)
            for value: Float in [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, corner, 0] { word(value.bitPattern) }
            bytes += [0, 0]
            return FixtureFile("bad/\(name).stl", summary, Array(bytes.prefix(keep ?? .max)), error: error)
        }
        func text(_ name: String, _ summary: String, _ facet: String, end: String = "endsolid\n", _ error: String)
            -> FixtureFile
        {
            FixtureFile(
                "bad/\(name).stl", summary, "solid test\nfacet normal 0 0 1\nouter loop\n\(facet)\(end)", error: error)
        }
        let rest = "endloop\nendfacet\n"
        return [
            binary(
                "binary-cut-off", "the file ends in a facet", count: 1, keep: 120,
                "byte 80: 1 facets in 120 bytes, expected 134 bytes"),
            binary(
                "binary-absurd-count", "more facets than bytes", count: .max,
                "byte 80: 4294967295 facets in 134 bytes, expected 214748364834 bytes"),
            binary(
                "binary-no-facets", "no facets", count: 0, keep: 84,
                "0 vertices and no faces, expected at least one face"),
            binary(
                "binary-nan", "a coordinate that is not a number", count: 1, corner: .nan,
                "facet 0, byte 124: coordinate nan, \(coordinateRange)"),
            binary(
                "binary-huge", "a coordinate beyond what distances can be taken of", count: 1, corner: 1e20,
                "facet 0, byte 124: coordinate 1e+20, \(coordinateRange)"),
            FixtureFile(
                "bad/too-short.stl", "neither text nor long enough for binary", "short\n",
                error: "6 bytes, expected ASCII STL, or the 84 bytes"),
            text(
                "two-vertices", "a facet with two vertices", "vertex 0 0 0\nvertex 1 0 0\n" + rest,
                "line 6: 'endloop', expected 'vertex'"),
            text(
                "four-vertices", "a facet with four vertices",
                "vertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nvertex 0 2 0\n" + rest,
                "line 7: 'vertex', expected 'endloop'"),
            text(
                "word-for-coordinate", "a word for a coordinate",
                "vertex 0 0 0\nvertex 1 zero 0\nvertex 0 1 0\n" + rest,
                "line 5: 'zero', expected a coordinate"),
            text(
                "infinite", "an infinite coordinate", "vertex 0 0 0\nvertex 1 inf 0\nvertex 0 1 0\n" + rest,
                "line 5: coordinate 'inf', \(coordinateRange)"),
            text(
                "cut-off", "the file ends before its solid does", "vertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n" + rest,
                end: "",
                "line 9: the end of the file, expected 'facet' or 'endsolid'"),
        ]
    }

    private static func badOFF() -> [FixtureFile] {
        let three = "0 0 0\n1 0 0\n0 1 0\n"
        func off(_ name: String, _ summary: String, _ text: String, _ error: String) -> FixtureFile {
            FixtureFile("bad/\(name).off", summary, text, error: error)
        }
        return [
            off(
                "four-dimensional", "four coordinates a vertex", "4OFF\n3 1 0\n0 0 0 1\n1 0 0 1\n0 1 0 1\n3 0 1 2\n",
                "line 1: a mesh of other than three dimensions ('4OFF'), expected OFF, COFF, NOFF or STOFF"),
            off(
                "n-dimensional", "as many coordinates as the file says", "nOFF 3\n3 1 0\n\(three)3 0 1 2\n",
                "line 1: a mesh of other than three dimensions ('nOFF'), expected OFF, COFF, NOFF or STOFF"),
            off("binary", "the binary kind", "OFF BINARY\n3 1 0\n", "line 1: binary OFF, expected ASCII OFF"),
            off(
                "absurd-counts", "more vertices than bytes", "OFF\n4000000000 1 0\n\(three)3 0 1 2\n",
                "line 3: 26 bytes left for 4000000000 vertices and 1 faces, expected more"),
            off(
                "negative-count", "a negative count", "OFF\n-3 1 0\n\(three)3 0 1 2\n",
                "line 2: -3, expected a number of vertices"),
            off("no-counts", "no counts", "OFF\n", "line 2: the end of the file, expected a number of vertices"),
            off(
                "cut-in-vertices", "the file ends in the vertices", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1\n",
                "line 6: the end of the file, expected a coordinate"),
            off(
                "cut-in-faces", "the file ends in a face", "OFF\n3 1 0\n\(three)3 0 1",
                "line 6: the end of the file, expected a vertex index"),
            off(
                "nan", "a coordinate that is not a number", "OFF\n3 1 0\n0 0 0\n1 0 nan\n0 1 0\n3 0 1 2\n",
                "line 4: coordinate 'nan', \(coordinateRange)"),
            off(
                "index-beyond", "an index beyond the last vertex", "OFF\n3 1 0\n\(three)3 0 1 3\n",
                "line 6: vertex index 3, expected 0 to 2"),
            off(
                "index-negative", "a negative index", "OFF\n3 1 0\n\(three)3 0 1 -1\n",
                "line 6: vertex index -1, expected 0 to 2"),
            off(
                "two-corners", "a face with two corners", "OFF\n3 1 0\n\(three)2 0 1\n",
                "line 6: a face with 2 corners, expected 3 to 32768"),
            off(
                "no-faces", "vertices only", "OFF\n3 0 0\n\(three)",
                "3 vertices and no faces, expected at least one face"),
        ]
    }

    private static func badOthers() -> [FixtureFile] {
        let gltf = #"{"asset":{"version":"2.0"},"scene":0,"scenes":[{"nodes":[0]}],"nodes":[{"mesh":3}],"meshes":[]}"#
        return [
            FixtureFile(
                "bad/unknown.bin", "bytes of no known kind", [7, 0, 255, 1, 2, 3],
                error: "content of no known kind, expected a mesh"),
            FixtureFile(
                "bad/header-only.glb", "a GLB header and nothing else",
                [0x67, 0x6C, 0x54, 0x46, 2, 0, 0, 0, 200, 0, 0, 0], error: "the importer "),
            FixtureFile("bad/mesh-missing.gltf", "a node with a mesh that is not there", gltf, error: "the importer "),
            FixtureFile(
                "bad/cut-off.dae", "COLLADA that ends in an element",
                "<?xml version=\"1.0\"?>\n<COLLADA version=\"1.4.1\"><library_geo", error: "the importer "),
            FixtureFile(
                "bad/chunk-beyond.3ds", "a 3DS chunk longer than the file",
                [0x4D, 0x4D, 16, 0, 0, 0, 0x3D, 0x3D, 255, 255, 255, 127, 0, 0, 0, 0], error: ""),
        ]
    }
}
