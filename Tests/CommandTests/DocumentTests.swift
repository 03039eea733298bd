import FixtureMeshes
import SSDFMesh
import Testing

/// The commands that the documents show are run as they stand there.
@Suite struct DocumentTests {
    @Test(arguments: ["ssdf-voxelize.1", "ssdf-extract.1", "ssdf-inspect.1", "ssdf-remesh.1"])
    func manPageExamplesRun(page: String) {
        let shell = Shell()
        shell.write("scan.obj", TriangleMesh.scan(frequency: 8).objText)
        shell.write("part.obj", TriangleMesh.machinedPart().objText)
        shell.run(
            """
            ssdf-voxelize scan.obj --resolution 64 -o scan.ssdf; ssdf-extract scan.ssdf -o scan.ply
            ssdf-voxelize part.obj --resolution 512 -o part.ssdf
            """)
        let text = String(decoding: shell.read("\(Shell.root)/man/\(page)"), as: UTF8.self)
        let examples = text.split(separator: "\n").filter { $0.hasPrefix(".Dl $ ") }.map { String($0.dropFirst(6)) }
        #expect(!examples.isEmpty)
        for example in examples {
            let result = shell.run("set -o pipefail; " + example)
            #expect(result.status == 0 && result.err.isEmpty, "\(example): \(result)")
        }
    }

    @Test func readmeExamplesRun() {
        let shell = Shell()
        let text = String(decoding: shell.read("\(Shell.root)/README.md"), as: UTF8.self)
        var isShell = false
        var examples: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") { isShell = line == "```sh" }
            if isShell, line.hasPrefix("ssdf-") { examples.append(String(line)) }
        }
        #expect(examples.count >= 5)
        shell.run("cp '\(Shell.root)'/Fixtures/meshes/*.* .")
        for example in examples {
            let result = shell.run("set -o pipefail; " + example)
            #expect(result.status == 0, "\(example): \(result)")
        }
    }

    @Test(arguments: [
        "ssdf-voxelize.1", "ssdf-extract.1", "ssdf-inspect.1", "ssdf-encode.1", "ssdf-decode.1", "ssdf-remesh.1",
        "ssdf-model.1", "ssdf.5", "ssdf.7",
    ])
    func manPagesAreWellFormed(page: String) {
        let shell = Shell()
        guard shell.run("command -v mandoc").status == 0 else { return }
        let result = shell.run("mandoc -T lint -W warning '\(Shell.root)/man/\(page)'")
        #expect(result.status == 0 && result.text.isEmpty, "\(result.text)")
    }
}
