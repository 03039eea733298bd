import Testing

@Suite struct UsageTests {
    /// Each is refused before any file is touched, in one line, with exit status 64.
    @Test(arguments: [
        ("ssdf-voxelize", "missing expected argument '<mesh>'"),
        ("ssdf-voxelize --bogus a.obj", "unknown option '--bogus'"),
        ("ssdf-voxelize a.obj b.obj", "unexpected argument 'b.obj'"),
        ("ssdf-voxelize a.obj --resolution 15", "--resolution is 15, expected 16 to 4096"),
        ("ssdf-voxelize a.obj --resolution 4097", "--resolution is 4097, expected 16 to 4096"),
        (
            "ssdf-voxelize a.obj --resolution 64 --voxel-size 1",
            "--resolution and --voxel-size exclude each other"
        ),
        ("ssdf-voxelize a.obj --voxel-size 0", "--voxel-size is 0.0, expected a length > 0"),
        ("ssdf-voxelize a.obj --half-width 0.5", "--half-width is 0.5, expected 1 to 64"),
        ("ssdf-voxelize a.obj --half-width nan", "--half-width is nan, expected 1 to 64"),
        ("ssdf-voxelize a.obj --level 20", "--level is 20, expected -50 to 19"),
        ("ssdf-voxelize a.obj -q -v", "-q and -v exclude each other"),
        ("ssdf-extract a.ssdf --iso nan", "--iso is nan, expected a number"),
        (
            "ssdf-extract a.ssdf -o a.xyz",
            "the suffix of a.xyz names no format, expected ply, obj, stl, off, glb, or --format"
        ),
        ("ssdf-inspect", "missing expected argument '<file> ...'"),
        ("ssdf-inspect a.ssdf --slice z=1", "--slice and --png belong together"),
        ("ssdf-inspect a.ssdf --png a.png", "--slice and --png belong together"),
        ("ssdf-inspect a.ssdf b.ssdf --slice z=1 --png a.png", "--slice pictures one file, not 2"),
        ("ssdf-inspect a.ssdf --render a.png --size 8", "--size is 8, expected 16 to 8192"),
        ("ssdf-inspect a.ssdf --render a.png --elevation -91", "--elevation is -91.0, expected -90 to 90"),
        ("ssdf-inspect - -", "standard input can be read once"),
        ("ssdf-remesh a.ply", "missing expected argument '--output <output>'"),
        ("ssdf-remesh a.ply -o b.ply --keep 2", "--keep is 2.0, expected 0 to 1"),
        ("ssdf-remesh a.ply -o b.ply --faces 9 --error 1", "--faces, --keep and --error exclude each other"),
        (
            "ssdf-remesh a.ply -o b.ply --edge-length 1 --edge-ratio 1",
            "--edge-length and --edge-ratio exclude each other"
        ),
        ("ssdf-remesh a.ply -o b.ply --weld 0.1", "--weld belongs to --repair"),
        ("ssdf-remesh a.ply -o b.ply --max-hole-edges 8", "--max-hole-edges belongs to --fill-holes"),
        ("ssdf-remesh a.ply -o b.ply --components none", "the value 'none' is invalid for '--components <which>'"),
    ])
    func refuses(command: String, message: String) {
        let shell = Shell()
        let result = shell.run(command)
        let tool = String(command.prefix { $0 != " " })
        #expect(result.status == 64)
        #expect(result.err == "\(tool): \(message); see \(tool) --help\n")
        #expect(result.out.isEmpty)
        #expect(shell.names.isEmpty)
    }

    @Test(arguments: [
        ("--threads 0", "the value '0' is invalid for '--threads <count>'"),
        ("--threads 1025", "the value '1025' is invalid for '--threads <count>'"),
        ("--max-memory much", "the value 'much' is invalid for '--max-memory <size>'"),
        ("--max-memory -1", "missing value for '--max-memory <size>'"),
    ])
    func everyToolRefuses(options: String, message: String) {
        for tool in ["ssdf-voxelize", "ssdf-extract", "ssdf-inspect", "ssdf-encode", "ssdf-decode"] {
            let result = Shell().run("\(tool) a \(options)")
            #expect(result.status == 64)
            #expect(result.err == "\(tool): \(message); see \(tool) --help\n")
        }
    }

    @Test(arguments: ["ssdf-voxelize", "ssdf-extract", "ssdf-inspect", "ssdf-encode", "ssdf-decode"])
    func tellsVersionAndHelp(tool: String) {
        let shell = Shell()
        let version = shell.run("\(tool) --version")
        #expect(version.status == 0)
        #expect(version.text.hasPrefix("\(tool) ") && version.text.split(separator: "\n").count == 1)
        #expect(version.err.isEmpty)
        let verbose = shell.run("SSDF_ISA=scalar \(tool) --version -v")
        #expect(verbose.text.contains("instruction set: scalar\n"))
        #expect(verbose.text.contains("zstd "))
        let help = shell.run("\(tool) --help")
        #expect(help.status == 0)
        #expect(help.text.contains("USAGE: \(tool) "))
        for form in ["bash", "zsh", "fish"] {
            let script = shell.run("\(tool) --generate-completion-script \(form)")
            #expect(script.status == 0)
            #expect(script.text.contains("threads") && script.text.contains("max-memory"), "\(form)")
        }
        #expect(shell.run("bash -n <(\(tool) --generate-completion-script bash)").status == 0)
    }

    /// The options of a man page are those of `--help`, in both directions.
    @Test(arguments: [
        "ssdf-voxelize", "ssdf-extract", "ssdf-inspect", "ssdf-remesh", "ssdf-encode", "ssdf-decode", "ssdf-diffuse",
        "ssdf-generate",
    ])
    func manPageListsTheOptions(tool: String) {
        let shell = Shell()
        let help = options(in: shell.run("\(tool) --help").text) { line in
            line.hasPrefix("  -") ? String(line.dropFirst(2).split(separator: "  ").first ?? "") : nil
        }
        let page = String(decoding: shell.read("\(Shell.root)/man/\(tool).1"), as: UTF8.self)
        let manual = options(in: page) { line in
            line.hasPrefix(".It Fl") ? line.replacing("Fl Fl ", with: "--").replacing("Fl ", with: "-") : nil
        }
        #expect(!help.isEmpty)
        #expect(help == manual)
    }

    private func options(in text: String, select: (String) -> String?) -> Set<String> {
        var found: Set<String> = []
        for line in text.split(separator: "\n") {
            guard let line = select(String(line)) else { continue }
            for word in line.split(whereSeparator: { " ,/".contains($0) }) {
                guard word.hasPrefix("-"), word.dropFirst().first(where: { $0 != "-" })?.isLetter == true else {
                    continue
                }
                found.insert(String(word))
            }
        }
        return found
    }
}
