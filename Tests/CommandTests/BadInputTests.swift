import FixtureMeshes
import Testing

/// Every file that should be refused is: with status 65, one line that names it, and nothing left behind.
@Suite struct BadInputTests {
    private static func check(_ shell: Shell, _ tool: String, _ path: String, _ command: String) {
        let result = shell.run("\(command) '\(path)' -o out.\(tool == "ssdf-voxelize" ? "ssdf" : "ply")")
        let lines = result.err.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(result.status == 65 && result.out.isEmpty, "\(path): \(result)")
        #expect(lines.count == 2 && lines[1].isEmpty && lines[0].hasPrefix("\(tool): \(path): "), "\(result)")
        #expect(shell.names.isEmpty)
    }

    private static func names(in folder: String) -> [String] {
        let found = Shell().run("ls '\(folder)'").text.split(separator: "\n").map(String.init)
        return found.filter { !$0.hasSuffix(".md") }
    }

    @Test func refusesEveryBadMesh() {
        let folder = "\(Shell.root)/Fixtures/meshes/bad"
        let names = Self.names(in: folder)
        #expect(names.count >= 60)
        let shell = Shell()
        for name in names {
            Self.check(shell, "ssdf-voxelize", "\(folder)/\(name)", "ssdf-voxelize --resolution 32")
        }
    }

    /// What the other tools make is named, and what makes a mesh of it.
    @Test(arguments: [
        ("Fixtures/conformance/valid/ball-f32-zstd.ssdf", "a volume or latents", "ssdf-extract"),
        ("Fixtures/pictures/chair.png", "a picture", "ssdf-generate"),
    ])
    func namesWhatIsNoMesh(file: String, kind: String, tool: String) {
        let result = Shell().run("ssdf-remesh '\(Shell.root)/\(file)' -o out.ply")
        #expect(
            result.status == 65
                && result.err.contains("\(file): \(kind), expected a mesh; \(tool) makes one of "), "\(result)")
    }

    @Test func refusesEveryInvalidVolume() {
        let folder = "\(Shell.root)/Fixtures/conformance/invalid"
        let names = Self.names(in: folder)
        #expect(names.count >= 80)
        let shell = Shell()
        for name in names {
            let path = "\(folder)/\(name)"
            // What is stated of the values is compared with them by the check alone: readers have no use for it.
            if name != "wrong-minimum.ssdf" { Self.check(shell, "ssdf-extract", path, "ssdf-extract") }
            let report = shell.run("ssdf-inspect --check '\(path)'")
            #expect(report.status == 1 && !report.err.isEmpty, "\(name): \(report)")
        }
    }

    /// The whole way over every real mesh that is there; one without an inside gives no faces, and the tool says so.
    @Test func remakesEverySharedMesh() {
        guard let folder = SharedData.folder("meshes") else { return }
        let shell = Shell()
        for name in Self.names(in: folder) {
            let result = shell.run(
                """
                set -e -o pipefail
                ssdf-voxelize '\(folder)/\(name)' --resolution 64 -o - | ssdf-extract - -o out.ply
                test $(stat -c %s out.ply) -gt 10000
                """)
            #expect(result.status == 0 || result.err.contains("no surface at level"), "\(name): \(result)")
        }
    }
}
