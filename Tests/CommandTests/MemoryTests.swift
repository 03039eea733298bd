import FixtureMeshes
import RandomModels
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the tools need is foreseen and kept to, and where it is not to be had they say so and leave nothing.
@Suite struct MemoryTests {
    /// A folder with what every tool reads: ball in many formats, two models, latents, a picture, released checkpoints and
    /// what a training is configured with.
    static func shell() throws -> Shell {
        let shell = Shell.withVolume()
        try RandomModel(yaml: RandomModel.tiny).write(to: "\(shell.folder)/model", refinerWidths: [8, 8, 8, 8])
        try RandomModel(yaml: RandomModel.tinyPipeline(side: 8)).write(to: "\(shell.folder)/pipeline")
        try RandomRelease.write(to: "\(shell.folder)/released", imageEncoder: "\(shell.folder)/encoder.pth")
        shell.write("tiny.yaml", training)
        shell.write("stages.yaml", TinyModel.yaml(steps: 1))
        let result = shell.run(
            """
            set -e
            ssdf-extract ball.ssdf -o ball.ply; ssdf-extract ball.ssdf -o ball.glb
            ssdf-encode ball.ssdf -m model -o latent.ssdf
            ssdf-convert ball.ssdf -o ball.npz; ssdf-convert ball.ssdf -o ball.nrrd
            ssdf-inspect ball.ply --render matte.png --size 64
            ssdf-train vae --config stages.yaml -o x; ssdf-train dit --stage dense --config stages.yaml -o x
            ssdf-train dit --stage sparse --config stages.yaml -o x; mv x small
            """)
        #expect(result.status == 0, "\(result)")
        return shell
    }

    private static let training = """
        \(TrainToolTests.components)training:
          vae: {steps: 1, batch: 1, warmup: 1, resolutions: [32], seed: 4}
          structure: {steps: 1, batch: 1, resolution: 4, measured: 1}

        """

    /// Every tool on a small job, and where its result goes.
    static let jobs = [
        "ssdf-voxelize ball.obj --resolution 64 -o x.ssdf",
        "ssdf-voxelize ball.glb --resolution 64 -o x.ssdf",
        "cat ball.obj | ssdf-voxelize - --resolution 64 > x.ssdf",
        "ssdf-extract ball.ssdf --method dc -o x.ply",
        "ssdf-remesh ball.ply --repair --fill-holes --smooth 2 --keep 0.5 -o x.ply",
        "ssdf-remesh ball.ply --edge-ratio 0.03 -o x.ply",
        "ssdf-inspect --check ball.ssdf ball.ply --render x.png --size 64 -q",
        "ssdf-encode ball.ssdf -m model -o x.ssdf",
        "ssdf-encode ball.ssdf -m model --precision bf16 -o x.ssdf",
        "ssdf-decode latent.ssdf -m model --refine -o x.ssdf",
        "ssdf-decode latent.ssdf -m model --precision bf16 -o x.ssdf",
        "ssdf-model info model",
        "ssdf-model import released --image-encoder encoder.pth --dtype f16 -o x.model",
        "ssdf-convert ball.ssdf -o x.npz",
        "ssdf-convert ball.ssdf --layout dense --dtype f16 -o x.npz",
        "ssdf-convert ball.ssdf --uncompressed -o x.nrrd",
        "ssdf-convert ball.npz -o x.ssdf",
        "ssdf-convert ball.nrrd -o x.ssdf",
        "ssdf-diffuse -q matte.png -m pipeline --steps 1,1,1 -o x.ssdf",
        "ssdf-generate -q matte.png -m pipeline --steps 1,1,1 --stage 512 --keep 0.5 -o x.ply --preview x.png",
        "ssdf-train vae --config tiny.yaml -o x.trained",
        "ssdf-train structure --config tiny.yaml -o x.trained",
        "ssdf-train dit --stage dense --config stages.yaml -o x.trained",
        "ssdf-train evaluate -m small --count 1 --sheet x.png --sheet-count 1",
        "ssdf-train prepare -q ball.obj --resolution 32 --views 1 --view-size 32 -o x.data",
        "ssdf-train shapes --count 2 --resolution 32 -o x.png",
    ]

    /// From hardly more than the program's own pages to enough, every limit either suffices or is told in one line with
    /// status 69; nothing hangs, and nothing is left.
    @Test(arguments: jobs) func anAddressSpaceThatEndsIsTold(job: String) throws {
        let shell = try Self.shell()
        // The least that the system can load the program in is for the system to tell.
        var limit = 40_000
        while limit < 1_000_000, shell.run("ulimit -v \(limit); \(Self.program(job)) --version").status != 0 {
            limit = limit * 5 / 4
        }
        var sufficed = 0
        var steps = 0
        while sufficed < 2, steps < 12 {
            check(shell, "ulimit -v \(limit); timeout 60 \(Self.exposed(job))", job, limit, &sufficed)
            limit = limit * 6 / 5
            steps += 1
        }
    }

    /// `--max-memory`, likewise.
    @Test(arguments: jobs.filter { !$0.contains("model info") }) func aLimitOfMemoryIsKept(job: String) throws {
        let shell = try Self.shell()
        var sufficed = 0
        for limit in [1, 2, 4, 8, 16, 32, 64, 128, 400] {
            check(
                shell, "timeout 60 \(Self.exposed(job.replacing(" -o x", with: " --max-memory \(limit)M -o x")))", job,
                limit, &sufficed)
            if sufficed > 1 { break }
        }
    }

    private func check(_ shell: Shell, _ command: String, _ job: String, _ limit: Int, _ sufficed: inout Int) {
        shell.run("rm -rf x.*")
        let before = shell.names
        let result = shell.run(command)
        let outputs = job.split { " >".contains($0) }.filter { $0.hasPrefix("x.") }.map(String.init).sorted()
        let left = shell.names.filter { !before.contains($0) }
        if result.status == 0 {
            sufficed += 1
            #expect(left == outputs, "\(limit): \(command)")
        } else {
            // A mesh that needs more is left out of the data, and without any there is none.
            let statuses: [Int32] = job.contains("prepare") ? [65, 69] : [69]
            #expect(statuses.contains(result.status), "\(limit): \(command): \(result)")
            let lines = result.err.split(separator: "\n")
            #expect(lines.count == 1 && lines.first?.hasPrefix("\(Self.program(job)): ") == true, "\(limit): \(result)")
            // A training keeps its folder, to go on in, and so does data; what is in it is whole.
            let isTraining = outputs == ["x.trained"] || outputs == ["x.data"]
            let partial = isTraining ? shell.run("find x.* -name '*.partial' 2> /dev/null").text : ""
            #expect(left.isEmpty || job.contains(">") || isTraining, "\(limit): \(command): \(left)")
            #expect(partial.isEmpty, "\(limit): \(command): \(partial)")
        }
    }

    /// The ssdf program that a job runs.
    private static func program(_ job: String) -> String {
        String(job.split(separator: " ").first { $0.hasPrefix("ssdf-") }!)
    }

    /// The job with the status of its ssdf program.
    private static func exposed(_ job: String) -> String {
        job.contains("|") ? "bash -o pipefail -c '\(job)'" : job
    }

    /// What `-v` says a run will take, against what it says it took.
    @Test(arguments: [
        "ssdf-voxelize big.ply --resolution 512 -o x.ssdf", "ssdf-voxelize ball.obj --resolution 1024 -o x.ssdf",
        "ssdf-voxelize ball.obj --resolution 512 --half-width 12 -o x.ssdf",
        "ssdf-extract big.ssdf -o x.ply", "ssdf-extract big.ssdf --method dmc -o x.ply",
        "ssdf-extract big.ssdf --method dc -o x.ply", "ssdf-inspect big.ply", "ssdf-inspect big.ssdf",
        "ssdf-inspect big.ply --render x.png --size 256", "ssdf-remesh big.ply --keep 0.2 -o x.ply",
        "ssdf-remesh big.ply --repair -o x.ply", "ssdf-remesh big.ply --fill-holes -o x.ply",
        "ssdf-remesh big.ply --smooth 2 -o x.ply", "ssdf-remesh big.ply --edge-ratio 0.004 -o x.ply",
        "ssdf-convert big.ssdf -o x.npz", "ssdf-convert big.ssdf --layout dense -o x.npz",
        "ssdf-convert big.ssdf -o x.nrrd", "ssdf-convert big.npz -o x.ssdf", "ssdf-convert big.nrrd -o x.ssdf",
        "ssdf-diffuse ball.png -o x.ssdf", "ssdf-generate ball.png -o x.ply",
        "ssdf-generate ball.png --repair --keep 0.3 -o x.ply", "ssdf-train vae --config wide.yaml --data data -o x",
        "ssdf-train vae --config many.yaml --data data -o x",
        "ssdf-train structure --config wide.yaml --data data -o x",
        "ssdf-train structure --config many.yaml --data data -o x",
        "ssdf-train dit --stage dense --config wide.yaml --data data -o x",
        "ssdf-train dit --stage dense --config many.yaml --data data -o x",
        "ssdf-train dit --stage sparse --config wide.yaml --data data -o small",
        "ssdf-train dit --stage sparse --config many.yaml --data data -o small",
        "ssdf-train prepare big.ply --resolution 128,512 --views 2 -o x",
        "ssdf-train evaluate -m small --count 8", "ssdf-train evaluate -m small ball.obj",
        "ssdf-model import released --image-encoder encoder.pth --dtype f32 -o x",
    ]) func theEstimateHolds(command: String) throws {
        let shell = Shell.withBall()
        for (name, settings) in Self.trainings {
            shell.write("\(name).yaml", Self.builtIn(shell).replacing("training:\n", with: "training:\n\(settings)"))
        }
        if command.contains("released") {
            try RandomRelease.write(to: "\(shell.folder)/released", imageEncoder: "\(shell.folder)/encoder.pth")
        }
        shell.run(
            """
            ssdf-voxelize ball.obj --resolution 512 -o big.ssdf; ssdf-extract big.ssdf -o big.ply
            case '\(command)' in
            *big.n*) ssdf-convert big.ssdf -o big.npz; ssdf-convert big.ssdf -o big.nrrd ;;
            *ball.png*) ssdf-inspect ball.obj --render ball.png --size 256 -q ;;
            *small*|*data*)
                cp -r '\(Shell.root)/Fixtures/models/small' small
                ssdf-train prepare ball.obj --resolution 128 --views 1 -o data -q ;;
            esac
            """)
        let result = shell.run("\(command) -v")
        #expect(result.status == 0, "\(result)")
        let foreseen = result.err.split(separator: "\n").compactMap { Self.bytes(in: $0, after: "about ") }.max() ?? 0
        let taken =
            result.err.split(separator: "\n").compactMap { Self.bytes(in: $0, after: "peak memory ") }.max() ?? 0
        // The program itself differs by a few megabytes from run to run.
        #expect(abs(foreseen - taken) <= 0.25 * max(foreseen, taken) + 4e6, "\(command): \(result.err)")
    }

    /// The components of the built-in model, and a structure auto-encoder, to be trained in some way.
    private static func builtIn(_ shell: Shell) -> String {
        let text = shell.run("sed '/^training:/q' '\(Shell.root)/Fixtures/training/small-model.yaml'").text
        return """
            cells_vae:
              target: DenseShapeVAE
              params: {embed_dim: 4, model_channels_encoder: [16, 32], model_channels_decoder: [32, 16],
                num_res_blocks_encoder: 1, num_res_blocks_middle_encoder: 1, num_res_blocks_decoder: 1,
                num_res_blocks_middle_decoder: 1}
            \(text)
            """
    }

    /// Few large pieces of work, and many with all that makes them smaller or larger. Samples of prepared data are alike,
    /// so that the estimate is no bound that few of them reach.
    private static let trainings = [
        "wide": """
          vae: {steps: 2, batch: 2, warmup: 1}
          structure: {steps: 2, batch: 2, resolution: 16, measured: 1, group: 2}
          dense_dit: {steps: 2, batch: 8, group: 4, warmup: 1, views: 1}
          sparse_dit: {steps: 2, batch: 2, warmup: 1, views: 1}

        """,
        "many": """
          vae: {steps: 1, batch: 12, accumulation: 2, warmup: 1, checkpointing: true}
          structure: {steps: 2, batch: 6, resolution: 16, measured: 1, checkpointing: true}
          dense_dit: {steps: 2, batch: 16, warmup: 1, views: 1}
          sparse_dit: {steps: 1, batch: 8, group: 4, warmup: 1, views: 1, checkpointing: true, encoder: joint}

        """,
    ]

    /// The number of bytes written after some words.
    private static func bytes(in text: Substring, after words: String) -> Double? {
        guard let start = text.firstRange(of: words)?.upperBound else { return nil }
        let parts = text[start...].split(whereSeparator: { " ,".contains($0) })
        guard parts.count > 1, let number = Double(parts[0]) else { return nil }
        let units: [Substring: Double] = ["bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9]
        return units[parts[1]].map { number * $0 }
    }

    /// What one run does many times over takes no more than what it does a few times.
    @Test func whatIsRepeatedTakesNoMore() throws {
        let shell = try Self.shell()
        for (few, many) in [(2, 100)] {
            for options in ["ball.ssdf", "ball.ply", "--check ball.glb"] {
                let parts = options.split(separator: " ")
                let flags = parts.dropLast().joined(separator: " ")
                let (small, large) = (
                    String(repeating: " \(parts.last!)", count: few), String(repeating: " \(parts.last!)", count: many)
                )
                let first = Self.peak(shell.run("ssdf-inspect -v \(flags)\(small)"))
                let last = Self.peak(shell.run("ssdf-inspect -v \(flags)\(large)"))
                #expect(first > 0 && last < first + 8e6, "\(options): \(first) bytes for \(few), \(last) for \(many)")
            }
        }
    }

    /// What reading took is given back when the file is refused in the end.
    @Test(arguments: [false, true]) func refusedFilesAreReleased(isText: Bool) {
        let shell = Shell()
        // Facets without area; the last is broken off, or has no place.
        let count = 60_000
        if isText {
            let corner = "vertex 0 0 0\n"
            let facet = "facet normal 0 0 1\nouter loop\n\(corner)\(corner)\(corner)endloop\nendfacet\n"
            let whole = String(repeating: facet, count: count)
            shell.write("bad.stl", "solid\n\(whole)facet normal 0 0 1\nouter loop\n\(corner)endloop\n")
        } else {
            var file = [UInt8](repeating: 0, count: 84 + 50 * count)
            for byte in 0..<4 { file[80 + byte] = UInt8(truncatingIfNeeded: count >> (8 * byte)) }
            for byte in 3..<7 { file[file.count - byte] = 0xff }
            shell.write("bad.stl", file)
        }
        let result = shell.run("ssdf-inspect --max-memory 60M $(printf 'bad.stl %.0s' {1..60})")
        let lines = Set(result.err.split(separator: "\n"))
        #expect(result.status == 65 && lines.count == 1, "\(lines)")
        #expect(lines.first?.hasPrefix("ssdf-inspect: bad.stl: ") == true)
    }

    private static func peak(_ result: Shell.Result) -> Double {
        result.err.split(separator: "\n").compactMap { bytes(in: $0, after: "peak memory ") }.max() ?? 0
    }
}
