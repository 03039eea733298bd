import FixtureMeshes
import RandomModels
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The commands that the documents show are run as they stand there.
///
/// Names in them are those of files that each folder of a test holds: meshes, pictures, a release of Direct3D-S2 with
/// random weights and the model d3ds2 made of it, and where the built-in model is not there, one with random weights.
@Suite struct DocumentTests {
    /// What all pages have in common, made once.
    private static let prepared: Result<Shell, any Error> = Result {
        let shell = Shell()
        shell.write("scan.obj", TriangleMesh.scan(frequency: 8).objText)
        for name in ["part", "chair", "rough"] { shell.write("\(name).obj", TriangleMesh.machinedPart().objText) }
        try RandomRelease.write(
            to: "\(shell.folder)/Direct3D-S2-v-1-1",
            imageEncoder: "\(shell.folder)/dinov2_vitl14_reg4_pretrain.pth")
        if shell.run("test -e '\(Shell.root)/Fixtures/models/small/config.yaml'").status != 0 {
            shell.run("mkdir models")
            try RandomModel(yaml: small).write(to: "\(shell.folder)/models/small")
        }
        shell.write("field.npy", field)
        shell.write("autoencoder.yaml", TinyModel.yaml(steps: 3))
        shell.write("small-model.yaml", TinyModel.yaml(steps: 3))
        shell.run("mkdir meshes")
        shell.write("meshes/part.obj", TriangleMesh.machinedPart().objText)
        let result = shell.run(
            """
            set -e
            cp '\(Shell.root)'/Fixtures/meshes/*.* .
            ssdf-voxelize scan.obj --resolution 64 -o scan.ssdf; ssdf-extract scan.ssdf -o scan.ply
            ssdf-voxelize part.obj --resolution 512 -o part.ssdf
            ssdf-inspect chair.obj --render chair.png --size 128 --background transparent
            mkdir -p models
            ssdf-model import Direct3D-S2-v-1-1 --image-encoder dinov2_vitl14_reg4_pretrain.pth -o models/d3ds2
            ssdf-diffuse chair.png -m models/d3ds2 --stage 512 --steps 2 -o chair-latents.ssdf
            """)
        #expect(result.status == 0, "\(result)")
        return shell
    }

    /// A folder of its own for one page.
    private func shell() throws -> Shell {
        let shell = Shell()
        shell.run("cp -r '\(try Self.prepared.get().folder)'/* .")
        return shell
    }

    /// Distances to a sphere, 24³ numbers cut off at 3, as NumPy writes them.
    private static var field: [UInt8] {
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (24, 24, 24), }"
        header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
        for x in 0..<24 {
            for y in 0..<24 {
                for z in 0..<24 {
                    let squares = [x, y, z].reduce(Float(0)) { $0 + (Float($1) - 11.5) * (Float($1) - 11.5) }
                    let distance = max(-3, min(3, squares.squareRoot() - 7))
                    bytes += withUnsafeBytes(of: distance.bitPattern.littleEndian) { Array($0) }
                }
            }
        }
        return bytes
    }

    /// The built-in model, narrower.
    private static var small: String {
        RandomModel.small(side: 16).replacing("embed_dim: 128", with: "embed_dim: 32")
            .replacing("_channels: 128", with: "_channels: 32")
            .replacing("num_blocks: 6", with: "num_blocks: 1").replacing("num_kv_heads: 2", with: "num_kv_heads: 1")
    }

    private func expectRuns(_ command: String, in shell: Shell) {
        let result = shell.run("set -e -o pipefail; export SSDF_MODEL_PATH=$PWD/models; " + command)
        #expect(result.status == 0, "\(command): \(result)")
    }

    private static let pages = Shell().run("cd '\(Shell.root)/man' && ls").text.split(separator: "\n").map(String.init)

    @Test(arguments: pages) func manPageExamplesRun(page: String) throws {
        let text = String(decoding: Shell().read("\(Shell.root)/man/\(page)"), as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.hasPrefix(".Dl $ ") }
        let examples: [String] = lines.map { line in
            String(line.dropFirst(6)).replacing("\\(aq", with: "'").replacing("\\e", with: "\\")
        }
        #expect(!examples.isEmpty || !page.hasSuffix(".1"))
        guard !examples.isEmpty else { return }
        let shell = try shell()
        // Several processes need the trait MPI: MPITests runs that example.
        for example in examples where !example.hasPrefix("mpirun ") {
            if example.contains("numpy"), shell.run("python3 -c 'import numpy'").status != 0 {
                let note = "note: there is no NumPy; an example of \(page) is not run\n"
                _ = note.withCString { write(2, $0, strlen($0)) }
                continue
            }
            expectRuns(example, in: shell)
        }
    }

    /// Blocks marked as shell are run line by line. Every other block is one of those that a person runs once, and that
    /// continuous integration or a test of its own runs too.
    @Test func readmeExamplesRun() throws {
        let text = String(decoding: Shell().read("\(Shell.root)/README.md"), as: UTF8.self)
        var fence: String?
        var examples: [String] = []
        var others: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("```") {
                fence = fence == nil ? String(line.dropFirst(3)) : nil
            } else if fence == "sh" {
                examples.append(line)
            } else if fence != nil {
                others.append(line)
            }
        }
        #expect(examples.count >= 20)
        let known = ["Fixtures/demo", "Fixtures/install", "Tests/", "swift ", " mesh", "  "]
        for line in others {
            #expect(known.contains { line.hasPrefix($0) }, "\(line): run by no test; mark its block as sh")
        }
        let shell = try shell()
        for example in examples { expectRuns(example, in: shell) }
    }

    @Test(arguments: pages) func manPagesAreWellFormed(page: String) {
        let shell = Shell()
        guard shell.run("command -v mandoc").status == 0 else { return }
        let result = shell.run("mandoc -T lint -W warning '\(Shell.root)/man/\(page)'")
        #expect(result.status == 0 && result.text.isEmpty, "\(result.text)")
    }

    /// Every program and no other has a page, and the pages name each other.
    @Test func everyToolHasAPage() {
        let shell = Shell()
        let tools = shell.run("ssdf --help | sed -n 's/^  \\([a-z]*\\)  .*[.]$/\\1/p' | grep -v help").text
            .split(separator: "\n").map { "ssdf-\($0).1" }
        #expect(tools.count > 10)
        #expect(Set(Self.pages) == Set(tools + ["ssdf.1", "ssdf.5", "ssdf.7"]))
        let overview = String(decoding: shell.read("\(Shell.root)/man/ssdf.7"), as: UTF8.self)
        for tool in tools { #expect(overview.contains(".Xr \(tool.dropLast(2)) 1"), "\(tool)") }
    }
}
