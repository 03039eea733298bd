import FixtureMeshes
import RandomModels
import SSDFCore
import SSDFMesh
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Every call that a tool makes to the system fails once: what comes of it is the whole result, or one line, the right
/// status, the old files and nothing else. `SSDF_LONG_TESTS` tries every call, of allocations up to 3000 a job; otherwise the
/// first, the last and some between. Tests/Faults/faults.c makes them fail.
@Suite struct FaultTests {
    /// A tool on a small job.
    struct Job: CustomTestStringConvertible, Sendable {
        /// Whose calls fail.
        var program: String
        var command: String
        var outputs: [String]
        var testDescription: String { "\(program) in \(command)" }

        init(_ command: String, _ outputs: String..., program: String? = nil) {
            self.program = program ?? String(command.split(separator: " ").first { $0.hasPrefix("ssdf-") }!)
            self.command = command
            self.outputs = outputs
        }
    }

    private static let isLong = getenv("SSDF_LONG_TESTS") != nil

    private static let jobs = [
        Job("ssdf-voxelize ball.obj --resolution 48 -o x.ssdf", "x.ssdf"),
        Job("cat ball.obj | ssdf-voxelize - --resolution 32"),
        Job("ssdf-voxelize cube.glb --resolution 32 -o x.ssdf", "x.ssdf"),
        Job("ssdf-voxelize cube.glb --resolution 32 -o x.ssdf", "x.ssdf", program: "ssdf-import"),
        Job("ssdf-extract ball.ssdf -o x.glb", "x.glb"),
        Job("ssdf-extract - --method dc < ball.ssdf"),
        Job(
            "ssdf-remesh ball.ply -o x.ply --repair --fill-holes --smooth 1 --keep 0.5 --depfile x.d", "x.ply", "x.d"),
        Job("ssdf-inspect ball.ply ball.ssdf --json"),
        Job("ssdf-inspect ball.ssdf --slice z=16 --png x.png --render y.png --size 32", "x.png", "y.png"),
        Job("ssdf-encode volume.ssdf -m model -o x.ssdf", "x.ssdf"),
        Job("ssdf-decode latent.ssdf -m model -o x.ssdf", "x.ssdf"),
        Job("ssdf-model info model --json"),
        Job("ssdf-train shapes --count 1 --resolution 16 -o x.png", "x.png"),
    ]

    /// The library that makes calls fail; nil, with a note, where there is no C compiler.
    private static let injector: (folder: Shell, path: String)? = {
        let shell = Shell()
        let built = shell.run(
            "cc -O1 -shared -fPIC -o faults.so '\(Shell.root)/Tests/Faults/faults.c' -ldl 2>&1 || which cc || exit 3")
        if built.status == 3 {
            let note = "note: there is no C compiler; calls that fail are not tested\n"
            _ = note.withCString { write(2, $0, strlen($0)) }
            return nil
        }
        #expect(built.text.isEmpty, "\(built.text)")
        return (shell, "\(shell.folder)/faults.so")
    }()

    private static func shell() throws -> Shell {
        let shell = Shell()
        shell.write("ball.obj", TriangleMesh.icosphere(radius: 0.8, frequency: 4).objText)
        try RandomModel(yaml: RandomModel.tiny).write(to: "\(shell.folder)/model", refinerWidths: [8, 8, 8, 8])
        shell.run(
            """
            cp '\(Shell.root)/Fixtures/meshes/cube.glb' .
            ssdf-voxelize ball.obj --resolution 32 -o ball.ssdf; ssdf-extract ball.ssdf -o ball.ply
            ssdf-voxelize ball.obj --resolution 64 -o volume.ssdf; ssdf-encode volume.ssdf -m model -o latent.ssdf
            """)
        return shell
    }

    /// What a call of a kind may end a tool with when it fails.
    private static func statuses(of kind: String) -> Set<Int32> {
        switch kind {
        case "open", "status": [66, 69]
        case "create": [73, 74]
        case "read": [66, 74]
        case "write", "rename", "close", "seek": [74]
        case "map", "grow", "allocate", "thread", "spawn", "pipe", "memory": [69]
        case "folder", "link": [73, 69]
        default: []
        }
    }

    @Test(arguments: jobs) func everyCallMayFail(job: Job) throws {
        guard let injector = Self.injector else { return }
        let shell = try Self.shell()
        let environment = "export LD_PRELOAD='\(injector.path)' FAULT_PROGRAM=\(job.program)"
        let names = shell.names
        let good = shell.run("set -o pipefail; \(environment) FAULT_COUNTS=$PWD/counts; \(job.command)")
        #expect(good.status == 0, "\(good)")
        let wanted = job.outputs.map { shell.read($0) }
        var counts: [(kind: String, count: Int)] = []
        for line in String(decoding: shell.read("counts"), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            counts.append((String(words[0]), Int(words[1]) ?? 0))
        }
        #expect(counts.contains { $0.kind == "allocate" && $0.count > 100 }, "\(job): \(counts)")
        shell.run("rm counts")
        for (kind, count) in counts where count > 0 {
            for place in Self.places(kind, count) {
                for manner in kind == "read" || kind == "write" ? ["fail", "short", "interrupted"] : ["fail"] {
                    for name in job.outputs { shell.write(name, "old") }
                    let fault = "FAULT_CALL=\(kind) FAULT_AT=\(place) FAULT_HOW=\(manner)"
                    let result = shell.run("set -o pipefail; \(environment) \(fault); \(job.command)")
                    let about = "\(job.testDescription): \(kind) \(place) of \(count) \(manner): \(result)"
                    #expect(shell.names == (names + job.outputs).sorted(), "\(about)")
                    let found = job.outputs.map { shell.read($0) }
                    if result.status == 0 {
                        // The call was not needed, or was made again.
                        #expect(found == wanted && result.out == good.out && result.err == good.err, "\(about)")
                    } else {
                        for (found, wanted) in zip(found, wanted) {
                            #expect(found == wanted || found == Array("old".utf8), "\(about)")
                        }
                        let lines = result.err.split(separator: "\n", omittingEmptySubsequences: false)
                        #expect(lines.count == 2 && lines[1].isEmpty && lines[0].hasPrefix("ssdf-"), "\(about)")
                        #expect(manner == "fail", "\(about)")
                        // What becomes of its importer is told as bad data or as something missing.
                        let statuses = job.program == "ssdf-import" ? [65, 69, 74] : Self.statuses(of: kind)
                        #expect(statuses.contains(result.status), "\(about)")
                    }
                }
            }
        }
    }

    /// A model folder is whole or not there.
    @Test func anImportLeavesAllOrNothing() throws {
        guard let injector = Self.injector, let parity = SharedData.folder("parity") else { return }
        let shell = Shell()
        shell.run("cp -r '\(parity)/j_checkpoint_v1_1' released")
        let command = "ssdf-model import released -o model"
        let environment = "export LD_PRELOAD='\(injector.path)' FAULT_PROGRAM=ssdf-model"
        let good = shell.run("\(environment) FAULT_COUNTS=$PWD/counts; \(command)")
        #expect(good.status == 0, "\(good)")
        let sums = shell.run("cd model && sha256sum * | sort").text
        let counts = String(decoding: shell.read("counts"), as: UTF8.self).split(separator: "\n")
        for line in counts {
            let words = line.split(separator: " ").map(String.init)
            guard let count = Int(words[1]), count > 0, words[0] != "seek" else { continue }
            for place in Self.places(words[0], count) {
                shell.run("rm -rf model")
                let result = shell.run("\(environment) FAULT_CALL=\(words[0]) FAULT_AT=\(place); \(command)")
                let about = "\(words[0]) \(place) of \(count): \(result)"
                let left = shell.run("cd model && sha256sum $(ls -A) | sort")
                if result.status == 0 {
                    #expect(left.text == sums, "\(about)")
                } else {
                    #expect(left.status != 0 && shell.names == ["counts", "released"], "\(about): \(left.text)")
                    #expect(result.err.hasPrefix("ssdf-model: "), "\(about)")
                    #expect([65, 66, 69, 73, 74].contains(result.status), "\(about)")
                }
            }
        }
    }

    /// Which calls of a kind fail. The tail of allocations differs from run to run.
    private static func places(_ kind: String, _ count: Int) -> [Int] {
        let few = isLong ? (kind == "allocate" ? 3000 : .max) : kind == "allocate" ? 5 : 3
        if count <= few { return Array(0..<count) }
        var places = Set([0, count - 1])
        var random = Philox(seed: UInt64(count))
        while places.count < few { places.insert(Int(random.next() % UInt64(count))) }
        return places.sorted()
    }
}
