import FixtureMeshes
import RandomModels
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `ssdf-train`, as a shell runs it.
@Suite struct TrainToolTests {
    /// The components of a model small enough for tests.
    static let components = TinyModel.autoencoder(cells: 4) + TinyModel.structure

    /// Two good meshes, one that is none.
    private static func shell() -> Shell {
        let shell = Shell.withBall()
        shell.write("part.obj", TriangleMesh.machinedPart().objText)
        shell.write("bad.obj", "v 1 2\n")
        shell.write(
            "tiny.yaml",
            """
            \(components)training:
              vae: {steps: 4, batch: 2, accumulation: 4, warmup: 2, resolutions: [32, 64], seed: 4}
              structure: {steps: 2, batch: 2, resolution: 4, measured: 2}

            """)
        return shell
    }

    private static let prepare = "ssdf-train prepare --resolution 32,64 --views 2 --view-size 64 -o data"

    @Test func meshesBecomeDataAndDataAModel() {
        let shell = Self.shell()
        let first = shell.run("\(Self.prepare) ball.obj part.obj bad.obj --threads 2")
        #expect(first.status == 0 && first.out.isEmpty)
        #expect(
            first.err.split(separator: "\n").map(String.init) == [
                "ssdf-train: bad.obj: dropped: line 1: " + (first.err.components(after: "dropped: line 1: ")),
                "ssdf-train: data: 2 samples made, 0 were there, 1 meshes dropped",
            ], "\(first)")
        #expect(
            shell.run("cd data && ls -A && ls -A samples | wc -l").text == "manifest.jsonl\nsamples\nsettings.json\n2\n"
        )
        #expect(shell.run("ssdf-inspect --check data/samples/*/*.ssdf > /dev/null").status == 0)
        let again = shell.run("\(Self.prepare) part.obj ball.obj -q")
        #expect(again.status == 0 && again.err.isEmpty)
        let trained = shell.run(
            """
            set -e
            ssdf-train vae --config tiny.yaml --data data -o model
            ssdf-train structure --config tiny.yaml --data data -o model
            ssdf-model info model
            ssdf-train plot model/training/*.jsonl -o curves.png
            head -c 8 curves.png | od -An -tx1
            """)
        #expect(trained.status == 0 && trained.text.hasSuffix(" 89 50 4e 47 0d 0a 1a 0a\n"), "\(trained)")
        #expect(trained.text.contains("dense_vae") && trained.text.contains("vae"))
        let config = shell.run("cat model/config.yaml").text
        #expect(config.contains("latents_shift: ") && config.contains("latents_scale: "))
        // Half of the data is other data.
        shell.run("grep -v part.obj data/manifest.jsonl > m && mv m data/manifest.jsonl")
        let other = shell.run("ssdf-train vae --config tiny.yaml --data data -o model --resume")
        #expect(other.status == 65 && other.err.contains("a run of another configuration"), "\(other)")
    }

    @Test func nothingUsableIsAnError() {
        let shell = Self.shell()
        let result = shell.run("\(Self.prepare) bad.obj absent.obj")
        #expect(result.status == 65)
        #expect(
            result.err.hasSuffix(
                "ssdf-train: data/manifest.jsonl: all 2 meshes were dropped, expected at least one that can be used\n"))
    }

    /// An interrupted run leaves whole samples and nothing else, and the next one goes on.
    @Test(arguments: [SIGINT, SIGTERM]) func anInterruptedPreparationLeavesNothingHalf(signal: Int32) {
        let shell = Self.shell()
        // Other bytes, and so other samples, of the same shape.
        shell.run("for i in $(seq 60); do (cat ball.obj; echo \"# $i\") > m$i.obj; done")
        let prepare = "ssdf-train prepare --resolution 128,256 --views 2 --view-size 64 -o data"
        let tool = shell.start("exec \(prepare) part.obj m*.obj ball.obj --threads 2")
        for _ in 0..<1000 where shell.run("ls data/samples | head -n 1").text.isEmpty { usleep(10_000) }
        kill(tool, signal)
        #expect(Shell.wait(tool) == 128 + signal)
        #expect(shell.run("find data -name '.*' | grep partial").text.isEmpty)
        #expect(shell.run("for s in data/samples/*; do ls $s | wc -l; done | sort -u").text == "5\n")
        #expect(!shell.run("ls data").text.contains("manifest"))
        let made = Int(shell.run("ls data/samples | wc -l").text.dropLast()) ?? 0
        let rest = shell.run("\(prepare) part.obj ball.obj")
        #expect(rest.status == 0 && made >= 1, "\(rest)")
    }

    /// A stopped run goes on to the bytes of one that was not stopped.
    @Test func resumesToTheSameBytes() {
        let shell = Self.shell()
        let result = shell.run(
            """
            set -e
            ssdf-train vae --config tiny.yaml -o whole --threads 1
            ssdf-train vae --config tiny.yaml -o parts --threads 2 --stop-after 0.00001
            wc -l < parts/training/vae.jsonl
            ssdf-train vae --config tiny.yaml -o parts --threads 2 --resume
            cmp whole/training/vae.checkpoint parts/training/vae.checkpoint
            cmp whole/vae.safetensors parts/vae.safetensors
            wc -l < parts/training/vae.jsonl
            """)
        #expect(result.status == 0 && result.text == "1\n4\n", "\(result)")
    }

    /// The commands at the head of the built-in model's configuration, stopped and resumed, at its own sizes but for the
    /// numbers of steps and samples.
    @Test func builtInModelIsTrainedByItsCommands() {
        let shell = Shell()
        let result = shell.run(
            """
            set -e
            config='\(Shell.root)/Fixtures/training/small-model.yaml'
            sed -E 's/^( +steps:) .*/\\1 2/; s/^( +batch:) .*/\\1 2/; s/^( +group:) .*/\\1 1/; s/^( +shapes:) .*/\\1 3/' \
                "$config" > small-model.yaml
            commands=$(grep -E '^#   ssdf-train' "$config" | cut -c 5-)
            test "$(echo "$commands" | wc -l)" = 3
            echo "$commands" | while read -r command; do
                $command --stop-after 0.00001 < /dev/null
                $command --resume < /dev/null
            done
            wc -l < model/training/vae.jsonl
            wc -l < model/training/dense_dit.jsonl
            wc -l < model/training/sparse_dit.jsonl
            cat model/*.safetensors | wc -c
            ssdf-train evaluate -m model --count 1 | grep -c 'on the true cells'
            """)
        #expect(result.status == 0 && result.text.hasPrefix("2\n2\n2\n"), "\(result) \(result.text)")
        let numbers = result.text.split(separator: "\n").compactMap { Int($0) }
        #expect(
            numbers.count == 5 && (10_000_000...12_000_000).contains(numbers[3]) && numbers[4] == 1, "\(result.text)")
    }

    /// The layout of released models: the dense stage learns the latents of a structure auto-encoder that was trained
    /// before; stopped and resumed, to the same bytes.
    @Test func theDenseStageLearnsLatents() {
        let shell = Shell()
        shell.write("latents.yaml", TinyModel.yaml(steps: 3, hasStructure: true))
        let early = shell.run("ssdf-train dit --stage dense --config latents.yaml -o model")
        #expect(
            early.status == 69
                && early.err == "ssdf-train: model: holds no dense_vae; train it first: ssdf-train structure\n",
            "\(early)")
        let result = shell.run(
            """
            set -e
            ssdf-train structure --config latents.yaml -o model
            ssdf-train vae --config latents.yaml -o model
            cp -r model parts
            ssdf-train dit --stage dense --config latents.yaml -o model --threads 1
            ssdf-train dit --stage dense --config latents.yaml -o parts --stop-after 0.00001
            ssdf-train dit --stage dense --config latents.yaml -o parts --resume
            cmp model/training/dense_dit.checkpoint parts/training/dense_dit.checkpoint
            ssdf-train dit --stage sparse --config latents.yaml -o model
            ssdf-train evaluate -m model --count 1 --only-pictures | grep 'picture to cells'
            ssdf-train structure --config latents.yaml -o other --stop-after 0.00001
            cp other/dense_vae.safetensors parts
            (cd parts && sha256sum *.safetensors config.yaml > SHA256SUMS)
            ssdf-train dit --stage dense --config latents.yaml -o parts --resume
            """)
        #expect(result.text.hasPrefix("  picture to cells, IoU"), "\(result) \(result.text)")
        #expect(result.status == 65 && result.err.contains("a run of another configuration"), "\(result)")
    }

    @Test func refusesWhatCannotFit() {
        let shell = Self.shell()
        let result = shell.run(
            "sed 's/batch: 2, acc/batch: 4096, acc/; s/coder: 32,/coder: 8192,/g' tiny.yaml > big.yaml; "
                + "ssdf-train vae --config big.yaml -o model --dry-run")
        #expect(result.status == 69)
        #expect(result.err.hasPrefix("ssdf-train: big.yaml: training needs about "), "\(result)")
        #expect(!shell.names.contains("model"))
        let fits = shell.run("ssdf-train vae --config tiny.yaml -o model --dry-run -v")
        #expect(fits.status == 0 && fits.err.contains("of memory"), "\(fits)")
        #expect(!shell.names.contains("model"))
    }

    @Test(arguments: [
        ("", 64, "missing command, expected prepare, vae, "),
        ("vae --config tiny.yaml --data absent -o m", 66, "absent/manifest.jsonl: cannot open"),
        ("prepare ball.obj -o data --resolution 100", 64, "--resolution"),
        ("prepare ball.obj -o data --sign none", 64, "--sign is none"), ("prepare -o data", 64, "<mesh>"),
        ("plot ball.obj -o a.png", 65, "ball.obj: line 1, byte 0"), ("plot absent -o a.png", 66, "absent: cannot open"),
        ("plot tiny.yaml --smooth 1 -o a.png", 64, "--smooth is 1"),
        ("plot tiny.yaml --size 9x9 -o a.png", 64, "--size"),
    ]) func mistakesAreToldInOneLine(arguments: String, status: Int32, part: String) {
        let shell = Self.shell()
        let before = shell.names
        let result = shell.run("ssdf-train \(arguments)")
        #expect(result.status == status && result.err.contains(part), "\(result)")
        #expect(result.err.split(separator: "\n").count == 1)
        #expect(shell.names.filter { $0 != "data" } == before)
    }

    /// Without the MPI trait, processes that would each train alone are refused.
    @Test func severalProcessesNeedMPI() {
        let shell = Self.shell()
        let result = shell.run(
            "OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 ssdf-train vae --config tiny.yaml -o model")
        let silent = shell.run(
            "OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 ssdf-train vae --config tiny.yaml -o model")
        #expect(result.status == 69 && result.err.contains("--traits MPI"), "\(result)")
        #expect(silent.status == 69 && silent.err.isEmpty)
    }
}

extension String {
    /// What follows a part, to the end of the line.
    fileprivate func components(after part: String) -> String {
        guard let range = firstRange(of: part) else { return "" }
        return String(self[range.upperBound...].prefix { $0 != "\n" })
    }
}
