import FixtureMeshes
import RandomModels
import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFTensor
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `ssdf-diffuse` and `ssdf-generate`, with a model of random weights.
@Suite struct DiffusionToolTests {
    private static let steps = "--steps 2,2,2"
    private static let sampling = steps

    /// A folder with a picture that has a matte, one on a plain background, and a model.
    private static func shell(sparseConditions: Bool = false) throws -> Shell {
        let shell = Shell()
        try RandomModel(yaml: RandomModel.tinyPipeline(sparseConditions: sparseConditions, side: 8)).write(
            to: "\(shell.folder)/model")
        for (name, alpha) in [("matte.png", true), ("plain.png", false)] {
            var pixels: [UInt16] = []
            for y in 0..<40 {
                for x in 0..<60 {
                    let inside = (x - 25) * (x - 25) + (y - 20) * (y - 20) < 200
                    pixels +=
                        inside ? [50_000, UInt16(x * 900), 9_000, .max] : [62_000, 62_000, 62_000, alpha ? 0 : .max]
                }
            }
            var bytes: [UInt8] = []
            try RasterImage(width: 60, height: 40, pixels: pixels).writePNG { raw throws(Failure) in bytes += raw }
            shell.write(name, bytes)
        }
        return shell
    }

    @Test(arguments: [false, true]) func goesFromAPictureToAMesh(sparseConditions: Bool) throws {
        let shell = try Self.shell(sparseConditions: sparseConditions)
        let result = shell.run(
            """
            set -e -o pipefail
            ssdf-diffuse matte.png -m model \(Self.sampling) --seed 5 -o a.ssdf --keep-stages stages
            ssdf-diffuse - -m model \(Self.sampling) --seed 5 --threads 1 < matte.png | tee b.ssdf \
                | ssdf-decode - -m model | ssdf-extract - -o chain.ply
            cmp a.ssdf b.ssdf
            ls stages
            ssdf-generate matte.png -m model \(Self.sampling) --seed 5 -o whole.ply --preview whole.png
            cmp chain.ply whole.ply
            ssdf-inspect --check a.ssdf > /dev/null
            ssdf-diffuse matte.png -m model \(Self.sampling) --seed 6 -o c.ssdf
            ! cmp -s a.ssdf c.ssdf
            """)
        #expect(result.status == 0, "\(result)")
        #expect(result.text == "1024.ssdf\n512.ssdf\ndense.ssdf\n")
        #expect(shell.read("whole.png").starts(with: [0x89, 0x50]))
    }

    /// A run that is stopped after any step goes on to the same bytes.
    @Test func resumesToTheSameBytes() throws {
        let shell = try Self.shell()
        shell.run("ssdf-diffuse matte.png -m model \(Self.sampling) -o whole.ssdf")
        // The checkpoint of a stage's last step, from a run that ends there.
        for stage in ["dense", "512", "1024"] {
            let result = shell.run(
                """
                set -e
                rm -f state
                run() { ssdf-diffuse matte.png -m model \(Self.sampling) --stage \(stage) "$@"; }
                run -o plain.ssdf
                run --checkpoint state -o again.ssdf
                cmp again.ssdf plain.ssdf
                run --checkpoint state --resume -o resumed.ssdf
                cmp resumed.ssdf plain.ssdf
                """)
            #expect(result.status == 0, "\(stage): \(result)")
        }
        // Killed at some moment, as often as it takes.
        let killed = shell.run(
            """
            rm -f state
            for delay in 0.05 0.1 0.2 0.3 0.5 0.8 1.2; do
                timeout -s KILL $delay ssdf-diffuse matte.png -m model \(Self.sampling) --checkpoint state --resume -o k.ssdf
            done 2> /dev/null
            ssdf-diffuse matte.png -m model \(Self.sampling) --checkpoint state --resume -o k.ssdf && cmp k.ssdf whole.ssdf
            """)
        #expect(killed.status == 0, "\(killed)")
        let other = shell.run(
            "ssdf-diffuse matte.png -m model \(Self.sampling) --seed 9 --checkpoint state --resume -o x.ssdf")
        #expect(other.status == 65)
        #expect(
            other.err
                == "ssdf-diffuse: state: the state of another run, expected the same picture, model, seed, steps and guidance\n"
        )
        shell.write("state", "no checkpoint")
        let broken = shell.run("ssdf-diffuse matte.png -m model \(Self.sampling) --checkpoint state --resume -o x.ssdf")
        #expect(broken.status == 65 && broken.err.hasPrefix("ssdf-diffuse: state: "), "\(broken)")
    }

    /// A mesh from elsewhere stands in for the dense stage.
    @Test func startsFromAStructure() throws {
        let shell = try Self.shell()
        shell.write("ball.obj", TriangleMesh.icosphere(radius: 0.8, frequency: 8).objText)
        let result = shell.run(
            """
            set -e
            ssdf-voxelize ball.obj --resolution 128 -o ball.ssdf
            ssdf-diffuse matte.png -m model \(Self.steps) --stage 512 --structure ball.ssdf -o a.ssdf
            ssdf-diffuse matte.png -m model \(Self.steps) --stage dense -o dense.ssdf
            ssdf-diffuse matte.png -m model \(Self.steps) --stage 512 --structure dense.ssdf -o b.ssdf
            ssdf-diffuse matte.png -m model \(Self.steps) --stage 512 -o c.ssdf
            ssdf-diffuse matte.png -m model \(Self.steps) --stage 1024 --structure ball.ssdf -o d.ssdf
            ssdf-inspect --json a.ssdf | grep -q '"resolution":8'
            ssdf-inspect --json d.ssdf | grep -q '"resolution":16'
            """)
        #expect(result.status == 0, "\(result)")
        // The same cells and noise; only the record of how it was asked for may differ.
        #expect(
            shell.run(
                "ssdf-decode b.ssdf -m model | ssdf-extract - > b.ply; ssdf-decode c.ssdf -m model | ssdf-extract - | cmp - b.ply"
            ).status == 0)
    }

    /// The released layout, import included, where the recorded checkpoint is at hand: all but the refiner, which does
    /// not fit a decoder that narrow.
    @Test func runsTheReleasedLayout() throws {
        guard let parity = SharedData.folder("parity") else { return }
        let shell = try Self.shell()
        let encoder = "embed_dim: 32, depth: 1, num_heads: 2, img_size: 56, size: 56"
        let yaml = "encoder:\n  target: DinoEncoder\n  params: {version: dinov2_vitl14_reg, \(encoder)}\n"
        try RandomModel(yaml: yaml).write(to: "\(shell.folder)/dino")
        let lines = encoder.split(separator: ",").map { "    " + $0.drop { $0 == " " } }.joined(separator: "\\n")
        let result = shell.run(
            """
            set -e -o pipefail
            cp -r '\(parity)/j_checkpoint_v1_1' released
            chmod -R u+w released
            sed -i 's/^    size: 518$/\(lines)/' released/config.yaml
            ssdf-model import released -o imported --image-encoder dino/encoder.safetensors
            ssdf-generate matte.png -m imported --stage 512 --no-refine \(Self.steps) -o whole.ply
            ssdf-diffuse matte.png -m imported --stage 512 --no-refine \(Self.steps) --threads 1 \
                | ssdf-decode - -m imported | ssdf-extract - | cmp - whole.ply
            ssdf-inspect --strict whole.ply > /dev/null
            ssdf-generate matte.png -m imported --stage 512 \(Self.steps) -o without.ply
            cmp without.ply whole.ply
            ! ssdf-generate matte.png -m imported --stage 512 --refine \(Self.steps) -o no.ply 2> /dev/null
            ! test -e no.ply
            """)
        #expect(result.status == 0, "\(result)")
        #expect(
            result.err
                == "ssdf-generate: imported: refiner: a decoder with 2 features, expected 32, which the refiner reads; "
                + "nothing is refined\n")
    }

    /// The memory that stages are said to take, against what was taken; and less than that is refused before it is used.
    @Test func foreseesItsMemory() throws {
        let shell = try Self.shell()
        let sizes = "model_channels: 768, cond_channels: 32"
        let yaml = RandomModel.tinyPipeline().replacing("model_channels: 32, cond_channels: 32", with: sizes)
        try RandomModel(yaml: yaml, type: .f16).write(to: "\(shell.folder)/wide")
        let result = shell.run(
            "ssdf-diffuse matte.png -m wide --stage 512 --steps 1 -v -o a.ssdf --threads 1 2> log; cat log")
        #expect(result.status == 0, "\(result)")
        func bytes(after words: String) -> [Double] {
            result.text.split(separator: "\n").compactMap { line in
                guard let range = String(line).firstRange(of: words) else { return nil }
                let parts = String(line)[range.upperBound...].split(separator: " ")
                let units = ["kB": 1e3, "MB": 1e6, "GB": 1e9]
                return Double(parts[0]).flatMap { number in units[String(parts[1].prefix(2))].map { number * $0 } }
            }
        }
        let foreseen = try #require(bytes(after: ": about ").max(), "\(result.text)")
        let taken = try #require(bytes(after: "peak memory ").last, "\(result.text)")
        #expect(abs(foreseen / taken - 1) < 0.25, "\(result.text)")
        let refused = shell.run("ssdf-diffuse matte.png -m wide --stage 512 --steps 1 -o b.ssdf --max-memory 180M")
        #expect(refused.status == 69, "\(refused)")
        #expect(
            refused.err.hasPrefix("ssdf-diffuse: matte.png: ") && refused.err.contains(" of memory, expected at most "),
            "\(refused)")
        #expect(!shell.names.contains("b.ssdf"))
    }

    @Test func takesPicturesWithoutAlpha() throws {
        let shell = try Self.shell()
        let result = shell.run("ssdf-diffuse plain.png -m model \(Self.steps) --stage dense -o a.ssdf")
        #expect(result.status == 0)
        #expect(result.err == "ssdf-diffuse: plain.png: no alpha; the object was told from a plain background\n")
        #expect(
            shell.run("ssdf-diffuse plain.png --matte matte.png -m model \(Self.steps) --stage dense -o b.ssdf").err
                .isEmpty)
    }

    @Test(arguments: [
        ("--steps 0", "--steps is 0, expected whole numbers, 1 to 1000"),
        ("--steps 1.5", "--steps is 1.5, expected whole numbers, 1 to 1000"),
        ("--guidance 101", "--guidance is 101, expected 0 to 100"), ("--resume", "--resume needs --checkpoint"),
    ])
    func refuses(options: String, message: String) {
        let result = Shell().run("ssdf-diffuse a.png -m model \(options)")
        #expect(result.status == 64 && result.err == "ssdf-diffuse: \(message); see ssdf-diffuse --help\n", "\(result)")
    }
}
