import FixtureMeshes
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Outputs appear whole or not at all, and what goes wrong has its exit status.
@Suite struct OutputTests {
    @Test func writesAFileWithTheUmasksMode() {
        let shell = Shell.withBall()
        let result = shell.run("umask 027; ssdf-voxelize ball.obj --resolution 32 -o a.ssdf && stat -c %a a.ssdf")
        #expect(result.status == 0 && result.text == "640\n" && result.err.isEmpty)
        #expect(shell.names == ["a.ssdf", "ball.obj"])
    }

    @Test func standardOutputIsTheDefault() {
        let shell = Shell.withBall()
        shell.run("ssdf-voxelize ball.obj --resolution 32 -o a.ssdf")
        for form in ["ssdf-voxelize ball.obj --resolution 32", "ssdf-voxelize - --resolution 32 -o - < ball.obj"] {
            #expect(shell.run("\(form) > b.ssdf; cmp a.ssdf b.ssdf").status == 0, "\(form)")
        }
    }

    @Test func followsASymbolicLink() {
        let shell = Shell.withBall()
        let result = shell.run(
            """
            mkdir d; ln -s d/real.ssdf link; ssdf-voxelize ball.obj --resolution 32 -o link &&
            test -L link && test -f d/real.ssdf && ssdf-voxelize ball.obj --resolution 16 -o link && test -L link
            """)
        #expect(result.status == 0, "\(result)")
        #expect(shell.run("ls -A d").text == "real.ssdf\n")
    }

    @Test func writesDevicesAndPipesDirectly() {
        let shell = Shell.withBall()
        #expect(shell.run("ssdf-voxelize ball.obj --resolution 32 -o /dev/null").status == 0)
        #expect(shell.run("test -c /dev/null").status == 0)
        let piped = shell.run("mkfifo p; cat p > got & ssdf-voxelize ball.obj --resolution 32 -o p; wait; test -s got")
        #expect(piped.status == 0, "\(piped)")
    }

    @Test func keepsTheOldFileWhenInputIsBad() {
        let shell = Shell()
        shell.write("bad.obj", "v 0 0 nan\n")
        shell.write("old.ssdf", "old")
        let result = shell.run("ssdf-voxelize bad.obj -o old.ssdf")
        #expect(result.status == 65)
        #expect(shell.read("old.ssdf") == Array("old".utf8))
        #expect(shell.names == ["bad.obj", "old.ssdf"])
    }

    @Test func refusesADirectory() {
        let shell = Shell.withBall()
        let out = shell.run("mkdir d; ssdf-voxelize ball.obj -o d")
        #expect(out.status == 73 && out.err == "ssdf-voxelize: d: is a directory, expected a file\n")
        let into = shell.run("ssdf-voxelize d -o x.ssdf")
        #expect(into.status == 66 && into.err == "ssdf-voxelize: d: is a directory, expected a file\n")
        #expect(shell.names == ["ball.obj", "d"])
    }

    @Test func refusesWhatIsNotThere() {
        let shell = Shell.withBall()
        let input = shell.run("ssdf-extract none.ssdf -o x.ply")
        #expect(input.status == 66)
        #expect(input.err == "ssdf-extract: none.ssdf: cannot open: No such file or directory\n")
        let output = shell.run("ssdf-voxelize ball.obj -o none/x.ssdf")
        #expect(output.status == 73)
        #expect(output.err == "ssdf-voxelize: none/x.ssdf: cannot create: No such file or directory\n")
        #expect(shell.names == ["ball.obj"])
    }

    @Test func refusesWhatMayNotBeTouched() {
        let shell = Shell.withBall()
        // Permissions do not stop the superuser, so that one becomes somebody else.
        let other = Shell.isRoot ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : ""
        shell.run(
            "chmod 755 .; touch secret.obj taken.ssdf; chmod 000 secret.obj; chmod 444 taken.ssdf; mkdir -m 555 shut")
        let secret = shell.run("\(other)ssdf-voxelize secret.obj -o /dev/null")
        #expect(secret.status == 66)
        #expect(secret.err == "ssdf-voxelize: secret.obj: cannot open: Permission denied\n")
        let taken = shell.run("\(other)ssdf-voxelize ball.obj -o taken.ssdf")
        #expect(taken.status == 73)
        #expect(taken.err == "ssdf-voxelize: taken.ssdf: cannot write: Permission denied\n")
        let shut = shell.run("\(other)ssdf-voxelize ball.obj -o shut/x.ssdf")
        #expect(shut.status == 73)
        #expect(shut.err == "ssdf-voxelize: shut/x.ssdf: cannot create: Permission denied\n")
    }

    @Test func tellsAFullDisk() {
        let shell = Shell.withBall()
        let full = shell.run("ssdf-voxelize ball.obj -o /dev/full")
        #expect(full.status == 74)
        #expect(full.err == "ssdf-voxelize: /dev/full: cannot write: No space left on device\n")
        let piped = shell.run("ssdf-voxelize ball.obj > /dev/full")
        #expect(piped.status == 74)
        #expect(piped.err == "ssdf-voxelize: standard output: cannot write: No space left on device\n")
        let help = shell.run("ssdf-voxelize --help > /dev/full")
        #expect(help.status == 74)
    }

    @Test func leavesNothingOnAFullFileSystem() {
        let shell = Shell.withBall()
        let mounted = shell.run("mkdir small; mount -t tmpfs -o size=64k none small")
        guard mounted.status == 0 else { return }
        defer { shell.run("umount small") }
        let result = shell.run(
            "ssdf-voxelize ball.obj --resolution 256 --codec none -o small/x.ssdf; s=$?; ls -A small; exit $s")
        #expect(result.status == 74 && result.text.isEmpty)
        #expect(result.err == "ssdf-voxelize: small/x.ssdf: cannot write: No space left on device\n")
    }

    @Test func tellsALimitOfFileSize() {
        let shell = Shell.withBall()
        let result = shell.run("ulimit -f 8; ssdf-voxelize ball.obj --resolution 256 --codec none -o x.ssdf")
        #expect(result.status == 74)
        #expect(result.err == "ssdf-voxelize: x.ssdf: cannot write: File too large\n")
        #expect(shell.names == ["ball.obj"])
    }

    @Test func tellsALimitOfMemory() {
        let shell = Shell.withBall()
        // Foreseen; and found out where it could not be, because the estimate may be wrong by a quarter.
        let foreseen = shell.run("ssdf-voxelize ball.obj --resolution 1024 --max-memory 20M -o x.ssdf")
        #expect(foreseen.status == 69, "\(foreseen)")
        #expect(foreseen.err.hasPrefix("ssdf-voxelize: ball.obj: voxelizing needs about "), "\(foreseen)")
        let met = shell.run("ulimit -d 60000; ssdf-voxelize ball.obj --resolution 1024 -o x.ssdf")
        #expect(met.status == 69 && met.err.hasPrefix("ssdf-voxelize: out of memory: "), "\(met)")
        #expect(shell.names == ["ball.obj"])
    }

    @Test func refusesEmptyInput() {
        let shell = Shell()
        for tool in ["ssdf-voxelize", "ssdf-extract", "ssdf-inspect"] {
            let result = shell.run("touch empty; \(tool) empty")
            #expect(result.status == 65)
            #expect(result.err.hasPrefix("\(tool): empty: ") && result.err.split(separator: "\n").count == 1)
            let piped = shell.run("\(tool) - < /dev/null")
            #expect(piped.status == 65)
            #expect(piped.err.hasPrefix("\(tool): standard input: "))
        }
    }

    /// A file that shrinks while it is mapped is an error, not a crash.
    @Test func tellsAFileThatShrinks() {
        let shell = Shell.withVolume()
        // The reader waits for its output pipe to be opened, with the input already mapped or yet to be; either is fine
        // as long as nothing but an error comes of it.
        let result = shell.run(
            """
            ssdf-voxelize ball.obj --resolution 512 --half-width 8 --codec none -o big.ssdf
            ssdf-extract big.ssdf -o big.ply & sleep 0.02; truncate -s 4096 big.ssdf; wait $!
            """)
        #expect([0, 65, 74].contains(result.status), "\(result)")
        #expect(result.status == 0 || result.err.hasPrefix("ssdf-extract: big.ssdf: "))
    }
}
