import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A tool that a signal ends leaves nothing behind, and its parent sees which signal it was.
@Suite struct SignalTests {
    /// Standard input is a pipe that stays open: the tool has made its temporary and waits.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXCPU])
    func removesItsTemporary(signal: Int32) {
        let shell = Shell()
        shell.write("old.ssdf", "old")
        shell.run("mkfifo in")
        let writer = shell.start("exec sleep 60 > in")
        let tool = shell.start("exec ssdf-voxelize - -o old.ssdf < in")
        #expect(shell.waits(for: ".partial"))
        kill(tool, signal)
        #expect(Shell.wait(tool) == 128 + signal)
        kill(writer, SIGKILL)
        _ = Shell.wait(writer)
        #expect(shell.names.filter { !$0.hasPrefix("core") } == ["in", "old.ssdf"])
        #expect(shell.read("old.ssdf") == Array("old".utf8))
    }

    /// Nothing can be done about SIGKILL, but the target is still what it was.
    @Test func killLeavesTheTargetAlone() {
        let shell = Shell()
        shell.write("old.ssdf", "old")
        shell.run("mkfifo in")
        let writer = shell.start("exec sleep 60 > in")
        let tool = shell.start("exec ssdf-voxelize - -o old.ssdf < in")
        #expect(shell.waits(for: ".partial"))
        kill(tool, SIGKILL)
        #expect(Shell.wait(tool) == 128 + SIGKILL)
        kill(writer, SIGKILL)
        _ = Shell.wait(writer)
        #expect(shell.read("old.ssdf") == Array("old".utf8))
    }

    @Test func aClosedPipeEndsItQuietly() {
        let shell = Shell.withBall()
        let result = shell.run(
            "ssdf-voxelize ball.obj --resolution 256 --codec none | head -c 100 > got; echo ${PIPESTATUS[0]}; wc -c < got"
        )
        #expect(result.text == "141\n100\n")
        #expect(result.err.isEmpty)
        #expect(shell.names == ["ball.obj", "got"])
    }

    /// A parent that ignores SIGPIPE hears of it as of any other error.
    @Test func aClosedPipeIsAnErrorWhereTheSignalIsIgnored() {
        let shell = Shell.withBall()
        let result = shell.run(
            "(trap '' PIPE; ssdf-voxelize ball.obj --resolution 256 --codec none; echo $? >&2) | head -c 100 > got")
        #expect(result.err == "ssdf-voxelize: standard output: cannot write: Broken pipe\n74\n")
    }

    @Test func staysDeafToWhatItsParentIgnored() {
        let shell = Shell.withBall()
        shell.run("mkfifo in")
        let tool = shell.start("trap '' INT; exec ssdf-voxelize - --resolution 32 -o a.ssdf < in")
        let writer = shell.start("exec 3> in; sleep 0.5; cat ball.obj >&3")
        #expect(shell.waits(for: ".partial"))
        kill(tool, SIGINT)
        #expect(Shell.wait(tool) == 0)
        _ = Shell.wait(writer)
        #expect(!shell.read("a.ssdf").isEmpty)
    }
}
