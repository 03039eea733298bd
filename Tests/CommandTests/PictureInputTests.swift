import FixtureMeshes
import RandomModels
import SSDFCore
import SSDFTensor
import Testing

/// Every kind of PNG as the picture of an object, through `ssdf-generate`.
@Suite struct PictureInputTests {
    private static let side = 45

    /// A dark disk with a lighter square in it, on white.
    private static func level(_ x: Int, _ y: Int) -> Int {
        guard (x - 20) * (x - 20) + (y - 24) * (y - 24) < 230 else { return 255 }
        return (15...22).contains(x) && (20...30).contains(y) ? 85 : 0
    }

    private static func shell() throws -> Shell {
        let shell = Shell()
        shell.run("mkdir -p .local/share/ssdf/models")
        try RandomModel(yaml: RandomModel.small(side: 8), type: .f16).write(
            to: "\(shell.folder)/.local/share/ssdf/models/small")
        let file = PictureFile(color: .rgba, depth: 8)
        shell.write("rgba.png", file.bytes(side: side, level: level))
        return shell
    }

    private static let plain = "no alpha; the object was told from a plain background"

    /// The same picture is the same picture, however its file holds it.
    @Test func readsEveryKind() throws {
        let shell = try Self.shell()
        shell.run("ssdf-generate rgba.png -o expected.ply")
        for color in PictureFile.Color.allCases {
            let depths = [PictureFile.Color.grey: [2, 4, 8, 16], .palette: [2, 4, 8]][color] ?? [8, 16]
            let hasAlpha = color == .rgba || color == .greyAlpha
            for (depth, isInterlaced) in depths.flatMap({ [($0, false), ($0, true)] }) {
                for hidesWhite in hasAlpha ? [false] : [false, true] {
                    let file = PictureFile(
                        color: color, depth: depth, isInterlaced: isInterlaced, hidesWhite: hidesWhite)
                    shell.write("x.png", file.bytes(side: Self.side, level: Self.level))
                    let result = shell.run("ssdf-generate x.png -o x.ply && cmp x.ply expected.ply")
                    #expect(result.status == 0, "\(file): \(result)")
                    let warns = !hasAlpha && !hidesWhite
                    #expect(result.err == (warns ? "ssdf-generate: x.png: \(Self.plain)\n" : ""), "\(file)")
                }
            }
        }
        let bits = PictureFile(color: .grey, depth: 1)
        shell.write("bits.png", bits.bytes(side: Self.side) { Self.level($0, $1) == 255 ? 255 : 0 })
        #expect(shell.run("ssdf-generate bits.png -q -o bits.ply").status == 0)
    }

    /// A matte's alpha counts, or its brightness where it is opaque.
    @Test func takesAMatte() throws {
        let shell = try Self.shell()
        let white = PictureFile(color: .rgb, depth: 8)
        shell.write("opaque.png", white.bytes(side: Self.side, level: Self.level))
        shell.write(
            "matte.png",
            PictureFile(color: .grey, depth: 8).bytes(side: Self.side) { Self.level($0, $1) == 255 ? 0 : 255 })
        let result = shell.run(
            """
            set -e
            ssdf-generate rgba.png -o expected.ply
            ssdf-generate opaque.png --matte matte.png -o a.ply
            ssdf-generate opaque.png --matte rgba.png -o b.ply
            ssdf-generate - --matte matte.png -o c.ply < opaque.png
            cmp a.ply expected.ply
            cmp b.ply expected.ply
            cmp c.ply expected.ply
            """)
        #expect(result.status == 0 && result.err.isEmpty, "\(result)")
    }

    @Test func tellsWhatIsWrongWithAPicture() throws {
        let shell = try Self.shell()
        let alpha = PictureFile(color: .rgba, depth: 8)
        let opaque = PictureFile(color: .rgb, depth: 8)
        shell.write("clear.png", alpha.bytes(side: 9) { _, _ in 255 })
        shell.write("white.png", opaque.bytes(side: 9) { _, _ in 255 })
        shell.write("small.png", alpha.bytes(side: 9) { _, _ in 0 })
        shell.write("black.png", opaque.bytes(side: Self.side) { _, _ in 0 })
        shell.write("empty.png", "")
        shell.write("text.png", "not a picture")
        shell.run("head -c 100 rgba.png > cut.png")
        for (arguments, message) in [
            ("clear.png", "clear.png: nothing but transparent pixels, expected an object"),
            (
                "white.png",
                "white.png: no alpha, and nothing that stands out from the border's colour, expected a matte"
            ),
            ("small.png --matte clear.png", "small.png: nothing but transparent pixels, expected an object"),
            ("rgba.png --matte black.png", "rgba.png: nothing but transparent pixels, expected an object"),
            ("rgba.png --matte small.png", "small.png: a matte of 9×9 pixels, expected 45×45"),
            (
                "empty.png",
                "empty.png: no PNG signature in the first 8 bytes, expected a PNG of at most 16384 pixels a side"
            ),
            (
                "text.png",
                "text.png: no PNG signature in the first 8 bytes, expected a PNG of at most 16384 pixels a side"
            ),
        ] {
            let result = shell.run("ssdf-generate \(arguments) -o x.ply")
            #expect(result.status == 65 && result.err == "ssdf-generate: \(message)\n", "\(arguments): \(result)")
        }
        let cut = shell.run("ssdf-generate cut.png -o x.ply")
        #expect(cut.status == 65 && cut.err.hasPrefix("ssdf-generate: cut.png: "), "\(cut)")
        let missing = shell.run("ssdf-generate none.png -o x.ply")
        #expect(
            missing.status == 66
                && missing.err == "ssdf-generate: none.png: cannot open: No such file or directory\n", "\(missing)")
        #expect(!shell.names.contains { $0.hasPrefix("x.ply") || $0.contains("partial") })
    }

    /// Pictures that people gave to the original, where they are at hand.
    @Test func readsPicturesOfObjects() throws {
        guard let folder = SharedData.folder("images") else { return }
        let shell = try Self.shell()
        let result = shell.run("ssdf-generate '\(folder)'/*.png -o meshes && ls meshes | wc -l")
        #expect(result.status == 0 && (Int(result.text.filter(\.isNumber)) ?? 0) > 0, "\(result)")
    }
}
