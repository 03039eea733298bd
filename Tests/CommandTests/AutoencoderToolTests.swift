import RandomModels
import SSDFCore
import SSDFVolume
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `ssdf-encode` and `ssdf-decode`, with a model of random weights.
@Suite struct AutoencoderToolTests {
    /// A folder with ball.obj, ball.ssdf of 64 voxels a side, and a model.
    private static func shell() throws -> Shell {
        let shell = Shell.withVolume()
        try RandomModel(yaml: RandomModel.tiny).write(to: "\(shell.folder)/model", refinerWidths: [8, 8, 8, 8])
        return shell
    }

    @Test func goesThroughFilesAndPipesAlike() throws {
        let shell = try Self.shell()
        let result = shell.run(
            """
            set -e -o pipefail
            ssdf-encode ball.ssdf -m model -o a.ssdf --threads 1
            ssdf-encode - -m ./model < ball.ssdf | tee b.ssdf | ssdf-decode - -m model | tee c.ssdf \
                | ssdf-extract - -o c.ply
            cmp a.ssdf b.ssdf
            ssdf-decode a.ssdf -m model --threads 1 -o d.ssdf
            cmp c.ssdf d.ssdf
            SSDF_MODEL_PATH="$PWD" ssdf-decode a.ssdf -m model -o e.ssdf
            cmp c.ssdf e.ssdf
            ssdf-inspect --check a.ssdf c.ssdf > /dev/null
            """)
        #expect(result.status == 0, "\(result)")
    }

    @Test func latentsRememberTheirModel() throws {
        let shell = try Self.shell()
        try RandomModel(yaml: RandomModel.tiny, seed: 2).write(
            to: "\(shell.folder)/other", refinerWidths: [8, 8, 8, 8])
        shell.run("ssdf-encode ball.ssdf -m model -o a.ssdf")
        let hash = "sha256:" + shell.run("sha256sum model/SHA256SUMS").text.prefix(64)
        let other = "sha256:" + shell.run("sha256sum other/SHA256SUMS").text.prefix(64)
        #expect(shell.run("ssdf-inspect a.ssdf").text.contains(hash))
        let refused = shell.run("ssdf-decode a.ssdf -m other -o b.ssdf")
        #expect(refused.status == 65)
        #expect(
            refused.err
                == "ssdf-decode: a.ssdf: grid \"latent\": made by model \(hash), expected \(other), which is other; "
                + "--force decodes it anyway\n")
        #expect(!shell.names.contains("b.ssdf"))
        let forced = shell.run("ssdf-decode a.ssdf -m other --force -o b.ssdf && ssdf-inspect b.ssdf")
        #expect(forced.status == 0 && forced.text.contains(other), "\(forced)")
    }

    @Test func tellsBadDataInOneLine() throws {
        let shell = try Self.shell()
        shell.run(
            """
            ssdf-voxelize ball.obj --resolution 32 -o small.ssdf
            ssdf-voxelize ball.obj --resolution 64 --sign none -o udf.ssdf
            ssdf-encode ball.ssdf -m model -o latent.ssdf; mkdir empty
            """)
        var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: 64)
        for (name, voxels, values) in [
            ("none", [], []), ("nan", [VoxelCoordinate(1, 2, 3), VoxelCoordinate(1, 2, 4)], [0.01, Float.nan]),
            ("far", [VoxelCoordinate(1, 2, 3)], [5]), ("outside", [VoxelCoordinate(70, 2, 3)], [0]),
        ] as [(String, [VoxelCoordinate], [Float])] {
            try Self.write(
                SparseVolume(metadata: metadata, voxels: voxels, values: values), to: "\(shell.folder)/\(name).ssdf")
        }
        metadata = GridMetadata(name: "latent", kind: .latent, channels: 3, resolution: 8)
        try Self.write(
            SparseVolume(metadata: metadata, voxels: [VoxelCoordinate(0, 0, 0)], values: [0, 0, 0]),
            to: "\(shell.folder)/narrow.ssdf")
        for (command, status, text) in [
            (
                "ssdf-encode small.ssdf", 65,
                "small.ssdf: grid \"sdf\": resolution is 32, expected 64 or 128, which the model was made for"
            ),
            ("ssdf-encode udf.ssdf", 65, "udf.ssdf: grid \"sdf\": kind is udf, expected sdf"),
            ("ssdf-encode latent.ssdf", 65, "latent.ssdf: grid \"latent\": kind is latent, expected sdf"),
            ("ssdf-encode none.ssdf", 65, "none.ssdf: grid \"sdf\": no active voxels, expected at least one"),
            (
                "ssdf-encode nan.ssdf", 65,
                "nan.ssdf: grid \"sdf\", voxel (1, 2, 4): a value that is not a number, expected a distance"
            ),
            (
                "ssdf-encode far.ssdf", 65,
                "far.ssdf: grid \"sdf\": no voxel of the cube within 0.09375 of the surface, expected at least one"
            ),
            (
                "ssdf-encode outside.ssdf", 65,
                "outside.ssdf: grid \"sdf\": no voxel of the cube within 0.09375 of the surface, expected at least one"
            ),
            ("ssdf-decode ball.ssdf", 65, "ball.ssdf: grid \"sdf\": kind is sdf, expected latent"),
            (
                "ssdf-decode narrow.ssdf", 65,
                "narrow.ssdf: grid \"latent\": 3 channels, expected 4, the model's latents"
            ),
            ("ssdf-encode missing.ssdf", 66, "missing.ssdf: cannot open: No such file or directory"),
        ] {
            let result = shell.run("\(command) -m model -o x.ssdf")
            #expect(result.status == status, "\(command): \(result)")
            #expect(result.err == "\(command.prefix { $0 != " " }): \(text)\n")
        }
        for command in ["ssdf-encode ball.ssdf -m nowhere", "ssdf-encode ball.ssdf -m ./empty"] {
            let result = shell.run("\(command) -o x.ssdf")
            #expect(result.status == 69 && result.err.split(separator: "\n").count == 1, "\(result)")
        }
        #expect(!shell.names.contains("x.ssdf") && !shell.names.contains { $0.hasSuffix(".partial") })
    }

    private static func write(_ volume: borrowing SparseVolume, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        try writeVolume(volume, options: VolumeWriteOptions()) { bytes throws(Failure) in
            fwrite(bytes.baseAddress, 1, bytes.count, file)
        }
    }

    /// A band narrower than the model's is used, with a warning.
    @Test func warnsOfANarrowBand() throws {
        let shell = try Self.shell()
        shell.run("ssdf-voxelize ball.obj --resolution 64 --half-width 2 -o thin.ssdf")
        let result = shell.run("ssdf-encode thin.ssdf -m model -o x.ssdf")
        #expect(result.status == 0)
        #expect(
            result.err
                == "ssdf-encode: thin.ssdf: grid \"sdf\": the band ends 2 voxels from the surface, the model was made for 3\n"
        )
    }

    @Test func refines() throws {
        let shell = try Self.shell()
        let result = shell.run(
            """
            set -e
            ssdf-encode ball.ssdf -m model -o a.ssdf
            ssdf-decode a.ssdf -m model --refine -o b.ssdf
            ssdf-decode a.ssdf -m model -o c.ssdf
            ! cmp -s b.ssdf c.ssdf
            ssdf-inspect --check b.ssdf
            """)
        #expect(result.status == 0, "\(result)")
        #expect(result.text.contains("--refine"))
    }

    /// The memory that a run is said to take, against what it took.
    @Test func foreseesItsMemory() throws {
        let shell = try Self.shell()
        shell.run("ssdf-voxelize ball.obj --resolution 128 -o large.ssdf")
        let wide = RandomModel.tiny.replacing(
            "resolution: 16, model_channels_encoder: 32", with: "resolution: 16, model_channels_encoder: 512"
        )
        .replacing("model_channels_decoder: 32", with: "model_channels_decoder: 512")
        try RandomModel(yaml: wide).write(to: "\(shell.folder)/wide", refinerWidths: [8, 8, 8, 8])
        shell.run(
            "ssdf-encode large.ssdf -m wide -v -o a.ssdf 2> encode; ssdf-decode a.ssdf -m wide -v -o b.ssdf 2> decode")
        shell.run(
            "ssdf-decode a.ssdf -m wide -v --max-memory 2G -o c.ssdf 2> pieces; cmp b.ssdf c.ssdf && touch same")
        #expect(shell.names.contains("same"))
        for name in ["encode", "decode"] {
            let text = String(decoding: shell.read(name), as: UTF8.self)
            let foreseen = try #require(Self.bytes(in: text, after: "about "), "\(text)")
            let taken = try #require(Self.bytes(in: text, after: "peak memory "), "\(text)")
            #expect(abs(foreseen / taken - 1) <= 0.25, "\(name): \(foreseen) foreseen, \(taken) taken")
        }
    }

    /// The number of bytes written after some words.
    private static func bytes(in text: String, after words: String) -> Double? {
        guard let start = text.firstRange(of: words)?.upperBound else { return nil }
        let parts = text[start...].split(whereSeparator: { " \n,".contains($0) })
        guard parts.count > 1, let number = Double(parts[0]) else { return nil }
        let units: [Substring: Double] = ["bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9]
        return units[parts[1]].map { number * $0 }
    }

    @Test(arguments: ["ssdf-encode ball.ssdf", "ssdf-decode latent.ssdf --refine"])
    func aSignalLeavesNothing(command: String) throws {
        let shell = try Self.shell()
        shell.run("ssdf-encode ball.ssdf -m model -o latent.ssdf")
        let before = shell.names
        shell.run("mkfifo in")
        let writer = shell.start("exec sleep 60 > in")
        let tool = shell.start(
            "exec \(command.replacing("ball.ssdf", with: "-").replacing("latent.ssdf", with: "-")) -m model -o out.ssdf < in"
        )
        #expect(shell.waits(for: ".partial"))
        kill(tool, SIGINT)
        #expect(Shell.wait(tool) == 130)
        kill(writer, SIGKILL)
        _ = Shell.wait(writer)
        #expect(shell.names.filter { $0 != "in" } == before)
    }
}
