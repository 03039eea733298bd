import FixtureMeshes
import SSDFMesh
import Testing

/// The tools joined up as a shell joins them.
@Suite struct PipelineTests {
    @Test func chainsThroughPipesAndFilesAlike() {
        let shell = Shell.withVolume()
        shell.run("ssdf-extract ball.ssdf -o file.ply")
        let piped = shell.run(
            "cat ball.obj | ssdf-voxelize - --resolution 64 -o - | ssdf-extract - > pipe.ply; cmp file.ply pipe.ply")
        #expect(piped.status == 0 && piped.err.isEmpty, "\(piped)")
        let inspected = shell.run(
            "cat ball.ssdf | ssdf-inspect --json - > p.json; ssdf-inspect --json ball.ssdf > f.json; wc -l < p.json")
        #expect(inspected.text == "1\n")
        #expect(shell.run("ssdf-inspect --strict -q - < pipe.ply").status == 0)
    }

    @Test func threadsDoNotChangeTheBytes() {
        let shell = Shell()
        shell.write("scan.obj", TriangleMesh.scan(frequency: 20).objText)
        let result = shell.run(
            """
            for t in 1 2 7; do
                ssdf-voxelize scan.obj --resolution 128 --threads $t -o $t.ssdf
                ssdf-extract $t.ssdf --threads $t -o $t.ply
                ssdf-extract $t.ssdf --threads $t --method dc -o $t.obj
                ssdf-inspect $t.ply --render $t.png --size 64 --threads $t
            done
            for s in ssdf ply obj png; do cmp 1.$s 2.$s && cmp 1.$s 7.$s || exit 1; done
            """)
        #expect(result.status == 0, "\(result)")
    }

    @Test func everyFormatHoldsTheSameSurface() {
        let shell = Shell.withVolume()
        for format in ["ply", "obj", "stl", "off", "glb"] {
            #expect(shell.run("ssdf-extract ball.ssdf -o ball.\(format)").status == 0)
            #expect(
                shell.run("ssdf-extract ball.ssdf --format \(format) > piped; cmp piped ball.\(format)").status == 0)
        }
        for format in ["ply", "obj", "off"] {
            let report = shell.run("ssdf-inspect --strict ball.\(format)")
            #expect(report.status == 0, "\(report)")
            #expect(report.text.contains("closed          yes"))
        }
    }

    @Test func recordsWhatShapedTheVolume() {
        let shell = Shell.withBall()
        shell.run("ssdf-voxelize ball.obj --half-width 3 --resolution 48 --threads 2 -o a.ssdf")
        shell.run("ssdf-voxelize --threads 1 --resolution 48 -o b.ssdf --half-width 3.0 ball.obj")
        #expect(shell.run("cmp a.ssdf b.ssdf").status == 0)
        let report = shell.run("ssdf-inspect a.ssdf").text
        let hash = shell.run("sha256sum ball.obj").text.prefix(64)
        #expect(report.contains("made by        ssdf-voxelize "))
        #expect(
            report.contains(
                "--resolution=48 --half-width=3.0 --normalize --sign=auto --up=y --dtype=f32 --codec=zstd --level=1"))
        #expect(report.contains("sha256:\(hash)"))
    }

    @Test func returnsTheMeshToItsPlace() {
        let shell = Shell()
        let mesh = TriangleMesh.icosphere(radius: 3, frequency: 12).moved(by: [100, -20, 5])
        shell.write("far.obj", mesh.objText)
        let result = shell.run("ssdf-voxelize far.obj --resolution 64 | ssdf-extract - | ssdf-inspect -")
        #expect(result.status == 0)
        let bounds = result.text.split(separator: "\n").first { $0.contains("bounds") } ?? ""
        let numbers = bounds.split { !"-.0123456789".contains($0) }.compactMap { Float($0) }
        #expect(numbers.count == 6)
        for (found, expected) in zip(numbers, [97, 103, -23, -17, 2, 8] as [Float]) {
            #expect(abs(found - expected) < 0.05, "\(bounds)")
        }
    }

    @Test func tellsBadDataInOneLine() {
        let shell = Shell.withVolume()
        shell.run(
            "head -c 200 ball.ssdf > cut.ssdf; printf 'v 0 0 0\\nf 1 2 3\\n' > index.obj; printf 'v 0 0 0\\n' > none.obj"
        )
        for (command, start) in [
            ("ssdf-extract cut.ssdf -o x.ply", "ssdf-extract: cut.ssdf: "),
            ("ssdf-extract - -o x.ply < cut.ssdf", "ssdf-extract: standard input: "),
            ("ssdf-extract ball.obj -o x.ply", "ssdf-extract: ball.obj: "),
            ("ssdf-voxelize index.obj -o x.ssdf", "ssdf-voxelize: index.obj: line 2"),
            ("ssdf-voxelize none.obj -o x.ssdf", "ssdf-voxelize: none.obj: "),
            ("ssdf-inspect cut.ssdf", "ssdf-inspect: cut.ssdf: "),
            ("ssdf-extract --grid other ball.ssdf -o x.ply", "ssdf-extract: ball.ssdf: no grid \"other\""),
        ] {
            let result = shell.run(command)
            #expect(result.status == 65, "\(command): \(result)")
            #expect(result.err.hasPrefix(start) && result.err.split(separator: "\n").count == 1, "\(result.err)")
            #expect(result.out.isEmpty)
        }
        #expect(!shell.names.contains("x.ply") && !shell.names.contains("x.ssdf"))
    }
}
