import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

@Suite struct OBJReaderTests {
    private func read(_ text: String, threads: Int = 1) throws -> TriangleMesh {
        try Array(text.utf8).withUnsafeBytes { bytes in
            try parseMesh(bytes, formatHint: "obj", threads: threads)
        }
    }

    private func message(_ text: String) -> String {
        do {
            let mesh = try read(text)
            return "read \(mesh.triangleCount) triangles"
        } catch { return "\(error)" }
    }

    @Test func readsStatementsInAnyOrder() throws {
        let mesh = try read("f 1 2 3\nv 0 0 0\no part\nv 1 0 0\nf -2 -1 3\nv 0 1 0 0.5 0.5 0.5\ng other\n")
        #expect(mesh.positions == [0, 0, 0, 1, 0, 0, 0, 1, 0])
        #expect(mesh.triangles == [0, 1, 2, 0, 1, 2])
    }

    @Test func readsEveryFormOfCorner() throws {
        let vertices = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
        for face in ["f 1/2/3 2/3/4 3/4/5", "f 1//7 2//8 3//9", "f 1/1 2/2 3/3", "f -3/-1 -2/-1 -1/-1", "f  1\t2  3 "] {
            #expect(try read(vertices + face).triangles == [0, 1, 2], "\(face)")
            #expect(try read((vertices + face).replacing("\n", with: "\r\n")).triangles == [0, 1, 2], "\(face)")
        }
    }

    @Test func joinsContinuedLines() throws {
        let mesh = try read(
            "v 0 \\\n0 \\\r\n0\nv 1 0 0\nv 0 1 0 \\\n 1\nf 1 \\\n 2 \\\n3 # the end\n# a path: C:\\\nf 1 2 3")
        #expect(mesh.vertexCount == 3)
        #expect(mesh.triangleCount == 2)
    }

    @Test func readsWeightsAndColoursAsSuch() throws {
        let mesh = try read("v 1 2 3 0.5\nv 4 5 6 1 0 0\nv 7 8 10 # no more\nf 1 2 3\n")
        #expect(mesh.positions == [1, 2, 3, 4, 5, 6, 7, 8, 10])
    }

    @Test func cutsConcavePolygons() throws {
        // An L; a fan from its first corner would leave it.
        let mesh = try read("v 0 0 0\nv 2 0 0\nv 2 1 0\nv 1 1 0\nv 1 2 0\nv 0 2 0\nf 3 4 5 6 1 2\n")
        #expect(mesh.triangleCount == 4)
        #expect(abs(mesh.surfaceArea - 3) < 1e-6)
    }

    @Test func namesTheLineAndWhatItFound() {
        let three = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
        #expect(message("v 0 0\nf 1 1 1\n") == "line 1: the end of the line, expected a coordinate")
        #expect(message(three + "v 0 0 x\n") == "line 4: 'x', expected a coordinate")
        #expect(message(three + "v 0 nan 0\n") == "line 4: coordinate 'nan', expected a finite number of at most 1e18")
        #expect(
            message(three + "v 0 1e19 0\n") == "line 4: coordinate '1e19', expected a finite number of at most 1e18")
        #expect(message(three + "f 1 2 4\n") == "line 4: vertex index 4, expected 1 to 3")
        #expect(message(three + "f 1 2 0\n") == "line 4: vertex index '0', expected 1 to 2147483647, or negative")
        #expect(message(three + "f 1 2 -4\n") == "line 4: vertex index -4, expected -3 to -1")
        #expect(message(three + "f 1 2\n") == "line 4: a face with fewer than 3 corners, expected at least 3")
        #expect(message(three + "f 1 2 3,4\n") == "line 4: '3,4', expected a vertex index")
        #expect(message(three) == "3 vertices and no faces, expected at least one face")
        #expect(message("# nothing\n") == "0 vertices and no faces, expected at least one face")
    }

    @Test func sameMeshOnAnyNumberOfThreads() throws {
        // Several pieces, with quads, negative indices and continued lines everywhere.
        var text = ""
        for i in 0..<30000 {
            let x = Float(i % 173) * 0.37
            text += "v \(x) \(Float(i) * 1e-3) \(-x)\nv \(x + 1) 0.5 1e-3\nv 0 \\\n \(x) 1\nv 1 1 \(i)\r\n"
            text += i % 2 == 0 ? "f -4 -3 -2 -1\n" : "f \(4 * i + 1)//1 \(4 * i + 2)//1 \\\n\(4 * i + 3)//1\n"
        }
        let alone = try read(text)
        #expect(alone.vertexCount == 120_000)
        #expect(alone.triangleCount == 45000)
        for threads in [2, 3, 8] { #expect(try read(text, threads: threads) == alone) }
    }

    @Test func findsTheBadStatementInALaterPiece() {
        let good = String(repeating: "v 0.125 0.25 0.5\n", count: 50000)
        #expect(message(good + "f 1 2 50001\n") == "line 50001: vertex index 50001, expected 1 to 50000")
        #expect(message(good + "v 1 2\n" + good) == "line 50001: the end of the line, expected a coordinate")
        #expect(message("f 1 2 -1\n" + good) == "line 1: vertex index -1, expected a vertex before it")
    }

    @Test func survivesTruncationAnywhere() throws {
        let text = Array("v 0 0 0\nv 1.5e-1 0 0 \\\n1\nv 0 1 0\nf 1/1/1 2//2 \\\r\n-1/1\nf 1 2 3 1\n".utf8)
        for length in 0...text.count {
            // Storage of exactly this size, so that reading past the end can be seen.
            let cut = Array(text[..<length])
            cut.withUnsafeBytes { bytes in _ = try? parseMesh(bytes, formatHint: "obj", threads: 1) }
        }
    }

    /// An index that no vertex has, at the end of a file of a million lines: what is wrong is found in one pass.
    @Test(.timeLimit(.minutes(1))) func findsWhatIsWrongAtTheEndOfALongFile() {
        let text = String(repeating: "v 0 0 0\n", count: 300_000) + String(repeating: "f 1 2 3\n", count: 700_000)
        #expect(message(text + "f 1 2 300001\n").contains("line 1000001: vertex index 300001, expected 1 to 300000"))
    }
}
