import Testing

/// What changes when a person sits in front of it. `script` gives the tool a terminal.
@Suite struct TerminalTests {
    @Test func refusesBinaryToATerminal() {
        let shell = Shell.withVolume()
        for command in ["ssdf-voxelize ball.obj", "ssdf-extract ball.ssdf", "ssdf-inspect ball.ssdf --render -"] {
            let result = shell.run("script -qec '\(command)' /dev/null < /dev/null")
            let tool = command.prefix { $0 != " " }
            #expect(result.status == 64)
            #expect(
                result.text
                    == "\(tool): standard output: is a terminal, expected a file or a pipe; name a file with -o\r\n")
        }
    }

    @Test func refusesToReadATerminal() {
        let shell = Shell()
        let result = shell.run("script -qec 'ssdf-extract - -o x.ply' /dev/null < /dev/null")
        #expect(result.status == 64)
        #expect(result.text.hasSuffix("ssdf-extract: standard input: is a terminal, expected a file or a pipe\r\n"))
        #expect(shell.names.isEmpty)
    }

    @Test func drawsABarOnATerminalOnly() {
        let shell = Shell.withBall()
        let work = "ssdf-voxelize ball.obj --resolution 1024 --half-width 16 --threads 1 -o a.ssdf"
        let quiet = shell.run(work)
        #expect(quiet.status == 0 && quiet.err.isEmpty && quiet.out.isEmpty)
        let shown = shell.run("script -qec '\(work)' /dev/null < /dev/null")
        #expect(shown.status == 0)
        #expect(shown.text.contains("voxelize ") && shown.text.contains("%"), "\(shown.text)")
        #expect(shown.text.hasSuffix("\r\u{1b}[K"))
        for silent in ["--progress none", "-q"] {
            #expect(shell.run("script -qec '\(work) \(silent)' /dev/null < /dev/null").text.isEmpty)
        }
        #expect(shell.run("TERM=dumb script -qec '\(work)' /dev/null < /dev/null").text.isEmpty)
    }

    @Test func writesProgressAsJSON() {
        let shell = Shell.withBall()
        let result = shell.run(
            "ssdf-voxelize ball.obj --resolution 256 --progress json -o a.ssdf 2>&1 | python3 -c 'import json,sys\nfor l in sys.stdin: d=json.loads(l); assert d[\"done\"]<=d[\"total\"] and d[\"seconds\"]>=0; last=d\nprint(last[\"stage\"], last[\"done\"]==last[\"total\"])'"
        )
        guard shell.run("command -v python3").status == 0 else { return }
        #expect(result.text == "voxelize True\n", "\(result)")
    }
}
