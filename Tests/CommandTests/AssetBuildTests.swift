import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The folder Fixtures/asset-build, built as make and Snakemake build it.
@Suite struct AssetBuildTests {
    /// A copy of the folder in a shell's own; volumes small enough for a test.
    private func copy() -> Shell {
        let shell = Shell()
        shell.run("cp -r '\(Shell.root)'/Fixtures/asset-build/. .")
        return shell
    }

    private static let make = "make RESOLUTION=48"
    private static let digests = "cd build && sha256sum $(ls | sort)"

    /// What a build in one piece makes.
    private static let whole: String = {
        let shell = AssetBuildTests().copy()
        shell.run("\(make) -j1")
        return shell.run(digests).text
    }()

    @Test func buildsAllAndThenNothing() {
        let shell = copy()
        let first = shell.run("\(Self.make) -j2")
        #expect(first.status == 0 && first.err.isEmpty, "\(first)")
        #expect(
            shell.run("ls build").text.split(separator: "\n")
                == [
                    "contact.png", "cube.glb", "cube.ply", "cube.png", "cube.ssdf", "cubes.glb", "cubes.ply",
                    "cubes.png",
                    "cubes.ssdf", "gear.glb", "gear.ply", "gear.png", "gear.ssdf", "part.glb", "part.ply",
                    "part.png", "part.ssdf",
                ])
        #expect(shell.run("\(Self.make) -j2").text == "make: Nothing to be done for 'all'.\n")
        #expect(shell.run("\(Self.make) -q").status == 0)
        // The same bytes whatever -j.
        #expect(shell.run(Self.digests).text == Self.whole)
    }

    @Test func aTouchedInputRebuildsItsChainAlone() {
        let shell = copy()
        shell.run("\(Self.make) -j2; sleep 1.1; touch meshes/cube.obj")
        let lines = shell.run("\(Self.make)").text.split(separator: "\n").map(String.init)
        #expect(lines.count == 5, "\(lines)")
        let targets = ["build/cube.ssdf", "build/cube.ply", "build/cube.glb", "build/cube.png", "build/contact.png"]
        for target in targets { #expect(lines.contains { $0.contains(target) }, "\(target)") }
        #expect(shell.run("\(Self.make) -q").status == 0)
    }

    /// The build is ended at several moments; each time every file there is is whole, and the next run completes.
    @Test func anEndedBuildLeavesNoHalfFile() {
        let shell = copy()
        let kinds = Self.whole.split(separator: "\n").map(String.init)
        for pause in [0.02, 0.05, 0.1, 0.2, 0.4] {
            shell.run("rm -rf build; setsid make RESOLUTION=48 -j2 & sleep \(pause); kill -TERM -- -$!; wait")
            let left = shell.run("cd build 2>/dev/null && ls -A | xargs -r sha256sum").text.split(separator: "\n")
            for line in left { #expect(kinds.contains(String(line)), "after \(pause) s: \(line)") }
        }
        #expect(shell.run("\(Self.make) -j2").status == 0)
        #expect(shell.run(Self.digests).text == Self.whole)
    }

    @Test func aBadMeshFailsItsOwnTargetAlone() {
        let shell = copy()
        shell.write("meshes/bad.obj", "v 0 0 0\nf 1 2 3\n")
        let result = shell.run("\(Self.make) -k -j2")
        #expect(result.status == 2)
        let complaints = result.err.split(separator: "\n").filter { $0.hasPrefix("ssdf-") }
        #expect(complaints.count == 1 && complaints.first?.hasPrefix("ssdf-voxelize: meshes/bad.obj: line 2: ") == true)
        #expect(shell.run("ls build/*.glb build/*.png | wc -l").text == "8\n")
        #expect(shell.run("rm meshes/bad.obj; \(Self.make) -j2").status == 0)
        #expect(shell.run(Self.digests).text == Self.whole)
    }

    /// Snakemake makes the same files. It is looked for on the path and where .ci/setup puts it.
    @Test func snakemakeMakesTheSame() {
        let shell = copy()
        let path = "PATH=\"$PATH:\(Shell.root)/.build/snakemake/bin\""
        guard shell.run("\(path) command -v snakemake").status == 0 else {
            let note = "note: there is no snakemake; the workflow of Fixtures/asset-build is not tested\n"
            _ = note.withCString { write(2, $0, strlen($0)) }
            return
        }
        let result = shell.run("\(path) snakemake --cores 2 --config resolution=48")
        #expect(result.status == 0, "\(result)")
        #expect(shell.run(Self.digests).text == Self.whole)
        let again = shell.run("\(path) snakemake --cores 2 --config resolution=48")
        #expect(again.err.contains("Nothing to be done"), "\(again)")
    }
}
