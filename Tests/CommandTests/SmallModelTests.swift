import RandomModels
import SSDFCore
import SSDFImage
import SSDFTensor
import Testing

/// The tools with a model of the built-in one's configuration and random weights, found without being named.
@Suite struct SmallModelTests {
    private static func shell() throws -> Shell {
        let shell = Shell()
        shell.run("mkdir -p .local/share/ssdf/models")
        try RandomModel(yaml: RandomModel.small(side: 8), type: .f16).write(
            to: "\(shell.folder)/.local/share/ssdf/models/small")
        var pixels: [UInt16] = []
        for y in 0..<40 {
            for x in 0..<60 {
                let inside = (x - 25) * (x - 25) + (y - 20) * (y - 20) < 200
                pixels += inside ? [50_000, UInt16(x * 900), 9_000, .max] : [62_000, 62_000, 62_000, 0]
            }
        }
        var bytes: [UInt8] = []
        try RasterImage(width: 60, height: 40, pixels: pixels).writePNG { raw throws(Failure) in bytes += raw }
        shell.write("p.png", bytes)
        return shell
    }

    @Test func isFoundAndRunsAlikeInToolsAndChain() throws {
        let shell = try Self.shell()
        let result = shell.run(
            """
            set -e -o pipefail
            ssdf-generate p.png -o whole.ply --preview whole.png
            ssdf-diffuse p.png --threads 1 | tee a.ssdf | ssdf-decode - | ssdf-extract - | cmp - whole.ply
            ssdf-inspect --strict whole.ply > /dev/null
            ssdf-diffuse p.png --stage dense -o cells.ssdf
            ssdf-diffuse p.png --stage 64 --structure cells.ssdf -o b.ssdf
            ssdf-decode b.ssdf | ssdf-extract - | cmp - whole.ply
            ssdf-generate p.png --threads 1 -m small -o again.ply
            cmp again.ply whole.ply
            """)
        #expect(result.status == 0, "\(result)")
        #expect(result.err.isEmpty, "\(result)")
    }

    /// Without options there is one answer; a seed, steps or a guidance scale asks for a sample.
    @Test func samplesWhenAskedTo() throws {
        let shell = try Self.shell()
        let result = shell.run(
            """
            set -e -o pipefail
            ssdf-diffuse p.png --stage dense -o mean.ssdf
            ssdf-diffuse p.png --stage dense --start zero --seed 7 -o zero.ssdf
            ssdf-diffuse p.png --stage dense --seed 1 -o one.ssdf
            ssdf-diffuse p.png --stage dense --seed 1 --steps 20 --guidance 2 -o same.ssdf
            ssdf-diffuse p.png --stage dense --seed 2 -o two.ssdf
            ssdf-diffuse p.png --stage dense --steps 3,4 -o three.ssdf
            for file in mean zero one same two three; do ssdf-extract $file.ssdf --iso 0.4 -o $file.ply; done
            cmp mean.ply zero.ply
            cmp one.ply same.ply
            ! cmp -s mean.ply one.ply
            ! cmp -s one.ply two.ply
            ! cmp -s one.ply three.ply
            ssdf-inspect mean.ssdf | grep -q -e --start=zero,zero
            ssdf-inspect one.ssdf | grep -q -e --start=noise,noise
            """)
        #expect(result.status == 0, "\(result)")
    }

    /// What the options of ssdf-remesh do is done as it does it.
    @Test func remeshesLikeTheChain() throws {
        let shell = try Self.shell()
        let result = shell.run(
            """
            set -e -o pipefail
            chain() { ssdf-diffuse p.png --seed 3 | ssdf-decode - | ssdf-extract - | ssdf-remesh - -o - "$@"; }
            whole() { ssdf-generate p.png --seed 3 "$@"; }
            chain --components largest --smooth 3 --keep 0.2 --normals > a.ply
            whole --components largest --smooth 3 --keep 0.2 --normals > b.ply
            cmp a.ply b.ply
            chain --faces 500 --format glb > a.glb
            whole --faces 500 -o b.glb
            cmp a.glb b.glb
            for format in obj stl off; do
                chain --faces 800 --format $format > a.$format
                whole --faces 800 -o b.$format
                whole --faces 800 --format $format > c.$format
                cmp a.$format b.$format
                cmp c.$format b.$format
            done
            """)
        #expect(result.status == 0, "\(result)")
        for (options, message) in [
            ("--faces 3 --keep 0.5", "--faces, --keep and --error exclude each other"),
            ("--keep 2", "--keep is 2.0, expected 0 to 1"),
            ("-o a.xyz", "a.xyz: unknown suffix, expected .ply, .obj, .stl, .off or .glb, or --format"),
        ] {
            let refused = shell.run("ssdf-generate p.png \(options)")
            #expect(refused.status == 64, "\(refused)")
            #expect(refused.err == "ssdf-generate: \(message); see ssdf-generate --help\n", "\(refused)")
        }
    }

    /// Several pictures become files of their names in a folder, each what it would be alone.
    @Test func takesSeveralPictures() throws {
        let shell = try Self.shell()
        let result = shell.run(
            """
            set -e
            cp p.png q.PNG
            ssdf-generate p.png q.PNG -o meshes --format obj --preview views
            ssdf-generate p.png -o p.obj --preview p-view.png
            cmp meshes/p.obj p.obj
            cmp meshes/q.obj p.obj
            cmp views/q.png p-view.png
            ssdf-diffuse p.png q.PNG -o latents
            ssdf-diffuse p.png -o latents/
            ssdf-diffuse p.png -o alone.ssdf
            cmp latents/q.ssdf alone.ssdf
            cmp latents/p.ssdf alone.ssdf
            ls meshes views latents
            """)
        #expect(result.status == 0, "\(result)")
        #expect(
            result.text == "latents:\np.ssdf\nq.ssdf\n\nmeshes:\np.obj\nq.obj\n\nviews:\np.png\nq.png\n")
        for (command, message) in [
            ("ssdf-generate p.png q.PNG", "several pictures need a folder, -o"),
            ("ssdf-diffuse p.png latents/../p.png -o x", "p.png and latents/../p.png would both become x/p.ssdf"),
            ("ssdf-diffuse p.png - -o x", "standard input has no name for a file in x"),
            ("ssdf-diffuse p.png q.PNG -o x --checkpoint c", "--checkpoint takes one picture"),
            ("ssdf-diffuse p.png q.PNG -o x --matte p.png", "--matte takes one picture"),
        ] {
            let refused = shell.run("\(command) < /dev/null")
            let tool = command.prefix { $0 != " " }
            #expect(refused.status == 64, "\(command): \(refused)")
            #expect(refused.err == "\(tool): \(message); see \(tool) --help\n", "\(refused)")
        }
        #expect(shell.run("test -e x").status == 1)
    }

    /// A run that a signal ends leaves its checkpoint and nothing else, and goes on to the same bytes.
    @Test(arguments: ["INT", "TERM", "KILL"]) func goesOnAfterASignal(signal: String) throws {
        let shell = try Self.shell()
        let options = "--steps 40 --seed 4"
        let result = shell.run(
            """
            ssdf-generate p.png \(options) -o whole.ply || exit 1
            for round in 1 2 3; do
                rm -f again.ply
                ssdf-generate p.png \(options) -o again.ply --checkpoint state --resume &
                child=$!
                while kill -0 $child 2> /dev/null && [ ! -e state ]; do sleep 0.02; done
                sleep 0.1
                kill -\(signal) $child 2> /dev/null
                wait $child
            done 2> /dev/null
            ls -A | grep partial
            ssdf-generate p.png \(options) --threads 1 -o again.ply --checkpoint state --resume || exit 2
            cmp again.ply whole.ply || exit 3
            """)
        #expect(result.status == 0, "\(result)")
        // What cannot be caught leaves the temporary files of what was being written.
        if signal != "KILL" { #expect(result.out.isEmpty, "\(result.text)") }
    }

    @Test(arguments: [
        ("--stage 1024", 69, "MODEL: the model has no stage 1024, expected dense, 64 or all"),
        (
            "--steps 1,2,3", 64,
            "--steps has 3 numbers, expected 1, or one for each stage of the model: dense, 64"
        ),
        (
            "--guidance 1,2,3", 64,
            "--guidance has 3 numbers, expected 1, or one for each stage of the model: dense, 64"
        ),
    ])
    func refuses(options: String, status: Int32, message: String) throws {
        let shell = try Self.shell()
        let result = shell.run("ssdf-diffuse p.png \(options) -o x.ssdf")
        #expect(result.status == status)
        let model = "\(shell.folder)/.local/share/ssdf/models/small"
        #expect(result.err == "ssdf-diffuse: \(message.replacing("MODEL", with: model))\n", "\(result)")
    }

    @Test func saysWhereTheBuiltInModelIsMissing() {
        let shell = Shell()
        shell.write("p.png", "x")
        let result = shell.run("XDG_DATA_HOME=/nowhere ssdf-diffuse p.png -o x.ssdf")
        // A checkout has the model; there the picture is what is wrong.
        #expect([69, 65].contains(result.status))
        if result.status == 69 {
            #expect(result.err.hasPrefix("ssdf-diffuse: small: the built-in model is not there: looked in /nowhere"))
        }
    }

    @Test func decodesWhatItEncodes() throws {
        let shell = try Self.shell()
        let result = shell.run(
            """
            set -e -o pipefail
            cp '\(Shell.root)/Fixtures/meshes/knot.ply' .
            ssdf-voxelize knot.ply --resolution 64 | ssdf-encode - | ssdf-decode - --no-close -o open.ssdf
            ssdf-voxelize knot.ply --resolution 64 | ssdf-encode - | ssdf-decode - -o same.ssdf
            cmp open.ssdf same.ssdf
            ssdf-voxelize knot.ply --resolution 64 | ssdf-encode - | ssdf-decode - --close -o closed.ssdf
            ssdf-extract closed.ssdf -o closed.ply
            ssdf-inspect --strict closed.ply > /dev/null
            """)
        #expect(result.status == 0, "\(result)")
    }
}
