import FixtureMeshes
import Testing

@Suite struct ModelTests {
    @Test(arguments: [
        ("ssdf-model", "missing command, expected import or info"),
        ("ssdf-model fetch", "unexpected argument 'fetch'"),
        ("ssdf-model import a", "missing expected argument '--output <model>'"),
        ("ssdf-model import -o b", "missing expected argument '<folder>'"),
        ("ssdf-model info", "missing expected argument '<model>'"),
    ])
    func refuses(command: String, message: String) {
        let shell = Shell()
        let result = shell.run(command)
        #expect(result.status == 64)
        #expect(result.err == "ssdf-model: \(message); see ssdf-model --help\n")
        #expect(result.out.isEmpty)
        #expect(shell.names.isEmpty)
    }

    @Test func tellsWhatMultipliesMatrices() {
        let verbose = Shell().run("ssdf-model --version -v")
        #expect(verbose.status == 0)
        #expect(verbose.text.contains("matrix products: OpenBLAS") || verbose.text.contains("matrix products: oneDNN"))
    }

    /// The options of the man page are those of the help texts of both commands, in both directions.
    @Test func manPageListsTheOptions() {
        let shell = Shell()
        var help: Set<String> = []
        for command in ["import", "info"] {
            for line in shell.run("ssdf-model \(command) --help").text.split(separator: "\n")
            where line.hasPrefix("  -") {
                help.formUnion(Self.options(String(line.dropFirst(2)).components(until: "  ")))
            }
        }
        let page = String(decoding: shell.read("\(Shell.root)/man/ssdf-model.1"), as: UTF8.self)
        var manual: Set<String> = []
        for line in page.split(separator: "\n") where line.hasPrefix(".It Fl") {
            manual.formUnion(
                Self.options(String(line).replacing("Fl Fl ", with: "--").replacing("Fl ", with: "-")))
        }
        #expect(!help.isEmpty)
        #expect(help == manual)
    }

    private static func options(_ text: String) -> [String] {
        text.split(whereSeparator: { " ,/".contains($0) }).map(String.init).filter {
            $0.hasPrefix("-") && $0.dropFirst().first(where: { $0 != "-" })?.isLetter == true
        }
    }

    /// Whatever goes wrong, there is no folder afterwards that was not there before.
    @Test func leavesNothingBehind() {
        let shell = Shell()
        let missing = shell.run("ssdf-model import nowhere -o model")
        #expect(missing.status == 66)
        #expect(missing.err.hasPrefix("ssdf-model: nowhere"))
        shell.run("mkdir empty; mkdir bad; echo 'dense_dit: {' > bad/config.yaml")
        #expect(shell.run("ssdf-model import empty -o model").status == 66)
        #expect(shell.run("ssdf-model import bad -o model").status == 65)
        #expect(shell.run("test -e model").status == 1)
    }

    @Test func importsAReleaseAndTellsWhatIsInIt() throws {
        guard let release = SharedData.folder("parity").map({ $0 + "/j_checkpoint_v1_1" }) else { return }
        let shell = Shell()
        let result = shell.run("ssdf-model import '\(release)' -o model -q")
        #expect(result.status == 0, "\(result)")
        #expect(result.out.isEmpty && result.err.isEmpty, "\(result)")
        #expect(shell.run("cd model && sha256sum --quiet -c SHA256SUMS").status == 0)
        let info = shell.run("ssdf-model info model --json")
        #expect(info.status == 0 && info.text.hasPrefix("{"), "\(info)")
        #expect(shell.run("ssdf-model info model --verify").status == 0)
        // By name, over the search path.
        #expect(shell.run("SSDF_MODEL_PATH=. ssdf-model info model").status == 0)
        let unknown = shell.run("ssdf-model info no-such-model")
        #expect(unknown.status == 69, "\(unknown)")
        // Equal bytes again, over the model that is there; and not among other files.
        #expect(
            shell.run("cp -r model first && ssdf-model import '\(release)' -o model -q && diff -r first model").status
                == 0)
        #expect(shell.run("mkdir full; touch full/x; ssdf-model import '\(release)' -o full").status == 73)
        #expect(shell.run("ls full").text == "x\n")
        // A device that is full before the end.
        let cut = shell.run("trap '' XFSZ; ulimit -f 4; ssdf-model import '\(release)' -o cut")
        #expect(cut.status == 74 || cut.status == 73, "\(cut)")
        #expect(shell.run("test -e cut").status == 1)
        // A byte changed.
        shell.run("printf x | dd of=model/dense_dit.safetensors bs=1 seek=9000 conv=notrunc status=none")
        #expect(shell.run("ssdf-model info model --verify").status == 1)
    }
}

extension String {
    fileprivate func components(until separator: String) -> String {
        guard let range = firstRange(of: separator) else { return self }
        return String(self[..<range.lowerBound])
    }
}
