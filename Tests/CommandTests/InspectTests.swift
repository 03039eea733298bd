import FixtureMeshes
import SSDFCore
import SSDFImage
import SSDFMesh
import Testing

@Suite struct InspectTests {
    @Test func checksEveryByte() {
        let shell = Shell.withVolume()
        #expect(shell.run("ssdf-inspect --check -q ball.ssdf").status == 0)
        let whole = shell.read("ball.ssdf")
        var random = Philox(seed: 3)
        for _ in 0..<40 {
            var broken = whole
            let bit = Int(random.next() % UInt64(whole.count * 8))
            broken[bit / 8] ^= 1 << UInt8(bit % 8)
            shell.write("broken.ssdf", broken)
            let result = shell.run("ssdf-inspect --check -q broken.ssdf")
            #expect(result.status == 1, "bit \(bit): \(result)")
            #expect(result.err.hasPrefix("ssdf-inspect: broken.ssdf: "))
            #expect(result.out.isEmpty)
        }
    }

    @Test func strictExpectsASolid() {
        let shell = Shell()
        shell.write("sheet.obj", TriangleMesh.sheet(cells: 4).objText)
        shell.write("cube.obj", TriangleMesh.box().objText)
        #expect(shell.run("ssdf-inspect --check sheet.obj").status == 0)
        let sheet = shell.run("ssdf-inspect --strict -q sheet.obj")
        #expect(sheet.status == 1)
        #expect(sheet.err == "ssdf-inspect: sheet.obj: 16 boundary edges, expected 0\n")
        let both = shell.run("ssdf-inspect --strict cube.obj sheet.obj none.obj")
        #expect(both.status == 1)
        #expect(both.err.hasSuffix("ssdf-inspect: none.obj: cannot open: No such file or directory\n"))
        #expect(both.text.contains("cube.obj\n") && both.text.contains("volume          1\n"))
    }

    @Test func printsOneObjectAFile() throws {
        let shell = Shell.withVolume()
        let result = shell.run("ssdf-inspect --json ball.ssdf ball.obj")
        #expect(result.status == 0)
        let lines = result.text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("{\"file\":\"ball.ssdf\",\"type\":\"volume\",\"bytes\":") == true)
        #expect(
            lines.last?.hasPrefix("{\"file\":\"ball.obj\",\"type\":\"mesh\",\"format\":\"obj\",\"vertices\":") == true)
        guard shell.run("command -v python3").status == 0 else { return }
        #expect(
            shell.run(
                "ssdf-inspect --json ball.ssdf ball.obj | while read l; do echo \"$l\" | python3 -m json.tool; done"
            ).status == 0)
    }

    @Test func picturesSurfacesAndSlices() throws {
        let shell = Shell.withVolume()
        let result = shell.run(
            "ssdf-inspect ball.ssdf --render r.png --size 100 --background transparent --slice z=32 --png s.png")
        #expect(result.status == 0 && result.out.isEmpty && result.err.isEmpty, "\(result)")
        let surface = try picture(shell, "r.png")
        #expect(surface.width == 100 && surface.height == 100)
        #expect(surface.pixels[4 * (50 * 100 + 50) + 3] == .max)
        #expect(surface.pixels[3] == 0)
        let slice = try picture(shell, "s.png")
        #expect(slice.width == 64 && slice.height == 64)
        // In the middle nothing is active: grey. The ball has radius 0.95 of 32 voxels: just inside that it is blue.
        let middle = 4 * (32 * 64 + 32)
        #expect(slice.pixels[middle] == slice.pixels[middle + 2])
        let inside = 4 * (32 * 64 + 32 + 28)
        #expect(slice.pixels[inside + 2] > slice.pixels[inside])
        let outside = shell.run("ssdf-inspect ball.ssdf --slice z=64 --png s.png")
        #expect(outside.status == 64)
        #expect(outside.err == "ssdf-inspect: ball.ssdf: slice z=64 lies outside the grid, expected 0…63\n")
        let mesh = shell.run("ssdf-inspect ball.obj --slice z=1 --png m.png")
        #expect(mesh.status == 64 && mesh.err == "ssdf-inspect: ball.obj: is a mesh, expected a volume to slice\n")
        #expect(!shell.names.contains("m.png"))
    }

    private func picture(_ shell: Shell, _ name: String) throws -> RasterImage {
        try shell.read(name).withUnsafeBytes { bytes throws(Failure) in try RasterImage(png: bytes) }
    }

    @Test func showsNoControlCharacters() {
        let shell = Shell.withBall()
        let result = shell.run("cp ball.obj $'a\\e[31mb.obj'; ssdf-inspect $'a\\e[31mb.obj' $'no\\nne'")
        #expect(result.status == 66)
        #expect(result.text.hasPrefix("a?[31mb.obj\n"))
        #expect(result.err == "ssdf-inspect: no?ne: cannot open: No such file or directory\n")
    }
}
