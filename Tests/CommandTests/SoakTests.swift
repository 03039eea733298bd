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

/// Random pipelines of the tools on random files, some of them bad, some cut off, some stopped by a signal, a closed pipe or
/// a limit at a random moment: every status is one that the cause explains, errors have one line, what is there is whole,
/// and neither files nor processes are left. `SSDF_LONG_TESTS` makes 500 runs of it; `SSDF_SOAK_SEED` chooses others, and
/// `SSDF_SOAK_RUN` one of them, which is then made fifty times.
@Suite(.serialized) struct SoakTests {
    private static let isLong = getenv("SSDF_LONG_TESTS") != nil
    private static let only = getenv("SSDF_SOAK_RUN").flatMap { Int(String(cString: $0)) }
    private static let seed = getenv("SSDF_SOAK_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1

    /// Something that gets in the way.
    private enum Trouble: Equatable {
        case none
        case signal(Int32, stage: Int, after: Double)
        /// The pipeline's reader leaves after so many bytes.
        case closedPipe(Int)
        /// The first input ends after so many bytes.
        case cut(Int)
        /// `--max-memory` of so many megabytes, for one stage.
        case memory(Int, stage: Int)
        /// Files of at most so many KiB.
        case fileSize(Int)
    }

    private struct Run {
        var stages: [String]
        /// Where the result goes; nil for standard output.
        var output: String?
        var isGood: Bool
        var trouble: Trouble
    }

    /// A folder `in` with good files, named good-…, and bad ones, and a model.
    private static func shell() throws -> Shell {
        let shell = Shell()
        shell.run(
            """
            mkdir in
            for file in '\(Shell.root)'/Fixtures/meshes/*.*; do cp "$file" in/good-$(basename "$file"); done
            cp '\(Shell.root)'/Fixtures/meshes/bad/*.{obj,ply,stl,off,dae} in
            rm in/good-degenerate.ply
            for file in knot.ply gear.obj ball.glb; do
                ssdf-voxelize in/good-$file --resolution 64 -o in/good-$file.ssdf
            done
            cp '\(Shell.root)'/Fixtures/conformance/invalid/*.ssdf in
            """)
        try RandomModel(yaml: RandomModel.tiny).write(to: "\(shell.folder)/model", refinerWidths: [8, 8, 8, 8])
        shell.run("ssdf-encode in/good-ball.glb.ssdf -m model -o in/latent")
        return shell
    }

    @Test func randomPipelinesLeaveNothing() throws {
        let shell = try Self.shell()
        let files = shell.run("ls in").text.split(separator: "\n").map(String.init)
        var random = Philox(seed: Self.seed, stream: 7)
        for number in 0..<max(Self.isLong ? 500 : 20, (Self.only ?? -1) + 1) {
            let run = Self.draw(files, &random)
            for _ in 0..<(Self.only == nil ? 1 : Self.only == number ? 50 : 0) {
                let problems = Self.problems(of: run, in: shell)
                #expect(problems.isEmpty, "seed \(Self.seed), run \(number), \(run): \(problems)")
            }
            if Self.only == number { print("seed \(Self.seed), run \(number): \(run)") }
        }
    }

    private static func draw(_ files: [String], _ random: inout Philox) -> Run {
        func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        func pick(_ choices: [String]) -> String { choices[below(choices.count)] }
        let isGood = below(4) > 0
        let kept = files.filter { $0.hasPrefix("good-") == isGood && $0 != "latent" }
        let meshes = kept.filter { !$0.hasSuffix(".ssdf") }.map { "../in/" + $0 }
        let volumes = kept.filter { $0.hasSuffix(".ssdf") }.map { "../in/" + $0 }
        let voxelize =
            "ssdf-voxelize @ --resolution \(pick(["32", "64", "128"])) --half-width \(pick(["1.5", "4"]))"
            + pick(["", " --dtype i8", " --codec none", " --sign none", " --sign flood", " --threads 1"])
        let extract = "ssdf-extract @ --method \(pick(["mc", "dmc", "dc"])) --iso 0.01"
        let remesh =
            "ssdf-remesh @" + pick([" --keep 0.3", " --repair", " --fill-holes", " --edge-ratio 0.05", " --smooth 2"])
        var (stages, input): ([String], String) =
            switch below(8) {
            case 0: ([voxelize], pick(meshes))
            case 1: ([voxelize, extract], pick(meshes))
            case 2: ([voxelize, extract, remesh], pick(meshes))
            case 3: ([extract, remesh], pick(volumes))
            case 4: ([remesh], pick(meshes))
            case 5: ([voxelize, extract, "ssdf-inspect @"], pick(meshes))
            case 6: (["ssdf-encode @ -m ../model", "ssdf-decode @ -m ../model", extract], pick(volumes))
            default: (["ssdf-inspect @" + pick(["", " --json"])], pick(meshes + volumes))
            }
        stages[0].replace("@", with: input)
        for index in stages.indices.dropFirst() { stages[index].replace("@", with: "-") }
        let last = stages[stages.count - 1]
        var output: String?
        if !last.hasPrefix("ssdf-inspect") {
            let suffix = last.hasPrefix("ssdf-voxelize") || last.hasPrefix("ssdf-decode") ? "ssdf" : "ply"
            if below(3) > 0 || last.hasPrefix("ssdf-remesh") {
                output = "out.\(suffix)"
                stages[stages.count - 1] += " -o out.\(suffix)"
            }
        }
        let stage = below(stages.count)
        var trouble = Trouble.none
        switch below(8) {
        case 0, 1, 2:
            let signal = [SIGINT, SIGTERM, SIGHUP, SIGKILL][below(4)]
            trouble = .signal(signal, stage: stage, after: Double(below(400)) / 1000)
        case 3: if output == nil { trouble = .closedPipe(below(20_000)) }
        case 4: if !input.hasSuffix(".glb") { trouble = .cut(below(30_000)) }
        case 5: trouble = .memory(1 + below(40), stage: stage)
        case 6: trouble = .fileSize(1 + below(200))
        default: break
        }
        switch trouble {
        case .cut(let count):
            stages[0].replace(input, with: "-")
            stages[0] = "head -c \(count) \(input) | \(stages[0])"
        case .memory(let size, let stage): stages[stage] += " --max-memory \(size)M"
        default: break
        }
        return Run(stages: stages, output: output, isGood: isGood, trouble: trouble)
    }

    /// What is wrong with what a run did.
    private static func problems(of run: Run, in shell: Shell) -> [String] {
        // Every stage is a process whose number is known; what is cut off comes through a pipe of its own.
        var parts = run.stages.enumerated().map { index, stage in
            var (before, tool) = ("", stage)
            if let bar = stage.firstRange(of: " | ") {
                (before, tool) = (String(stage[..<bar.lowerBound]) + " | ", String(stage[bar.upperBound...]))
            }
            let limit = if case .fileSize(let size) = run.trouble { "ulimit -f \(size); " } else { "" }
            return "\(before)bash -c 'echo $$ > pid.\(index); \(limit)exec \(tool)' 2> err.\(index)"
        }
        if case .closedPipe(let count) = run.trouble {
            parts.append("head -c \(count) > /dev/null")
        } else {
            parts[parts.count - 1] += " > stdout"
        }
        var killer = ""
        if case .signal(let signal, let stage, let after) = run.trouble {
            // A number may belong to another process by then, which works elsewhere.
            let isOurs = #"[ "$(readlink /proc/$pid/cwd)" = "$PWD" ]"#
            killer = "{ sleep \(after); pid=$(cat pid.\(stage)); \(isOurs) && kill -\(signal) $pid; } 2> /dev/null & "
        }
        let result = shell.run(
            """
            rm -rf work; mkdir work; cd work
            \(killer)\(parts.joined(separator: " | "))
            echo "${PIPESTATUS[@]}"
            kill %1 2> /dev/null; wait
            """)
        var problems: [String] = []
        let told = run.stages.indices.map { String(decoding: shell.read("work/err.\($0)"), as: UTF8.self) }
        var statuses = result.text.split { " \n".contains($0) }.compactMap { Int32($0) }
        if case .cut = run.trouble, !statuses.isEmpty { statuses.removeFirst() }
        for (index, stage) in run.stages.enumerated() where index < statuses.count {
            let status = statuses[index]
            let allowed = statusesAllowed(run, index, statuses)
            let text = told[index]
            let lines = text.split(separator: "\n")
            if !allowed.contains(status) { problems.append("\(stage): status \(status), expected \(allowed): \(text)") }
            let isTold = (1...127).contains(status)
            if isTold ? lines.isEmpty || lines.count > 2 : lines.contains { $0.contains("rror") } {
                problems.append("\(stage): status \(status): \(text)")
            }
            if lines.contains(where: { !$0.hasPrefix("ssdf-") }) { problems.append("\(stage) says \(text)") }
        }
        let wasKilled = if case .signal(SIGKILL, _, _) = run.trouble { true } else { false }
        let own = ["stdout"] + run.stages.indices.flatMap { ["pid.\($0)", "err.\($0)"] }
        for name in shell.run("ls -A work").text.split(separator: "\n").map(String.init) where !own.contains(name) {
            if name == run.output {
                // A model of random weights may leave no surface, and so may distances without signs when the level lies
                // between samples: a whole file without faces, of which the extractor tells.
                let check = shell.run("ssdf-inspect --check -q work/\(name)")
                let isEmpty = check.err.contains("no faces") && told.contains { $0.contains("no surface") }
                if check.status != 0, !isEmpty {
                    problems.append("\(name) is not whole: \(check), statuses \(statuses)")
                }
            } else if !(wasKilled && name.hasSuffix(".partial")) {
                problems.append("\(name) is left")
            }
        }
        if statuses.count > run.stages.count - 1, statuses[run.stages.count - 1] == 0, let output = run.output,
            shell.read("work/\(output)").isEmpty
        {
            problems.append("\(output) is not there")
        }
        let processes = shell.run(
            """
            for try in 1 2 3 4 5 6 7 8 9 10; do
                left=$(ls -l /proc/[0-9]*/cwd 2> /dev/null | grep -c "$PWD/work") || exit 0
                sleep 0.3
            done
            echo $left
            """)
        if !processes.text.isEmpty { problems.append("processes are left: \(processes.text)") }
        return problems
    }

    /// How a stage of a run may end.
    private static func statusesAllowed(_ run: Run, _ index: Int, _ statuses: [Int32]) -> Set<Int32> {
        let count = run.stages.count
        // A stage whose reader has left or failed is ended by the pipe; one whose writer failed has bad data.
        let readerLeft = index + 1 < count && statuses[index + 1] != 0
        let writerFailed = index > 0 && statuses[index - 1] != 0
        var allowed: Set<Int32> = [0]
        if readerLeft { allowed.insert(141) }
        if writerFailed { allowed.insert(65) }
        // Open surfaces and thin bands may have nothing to show: an error for what reads it.
        if index > 0 { allowed.insert(65) }
        if index == 0, !run.isGood { allowed = readerLeft ? [0, 65, 141] : [0, 65] }
        if run.stages[index].contains("ssdf-encode") { allowed.insert(65) }
        switch run.trouble {
        case .none: break
        case .signal(let signal, let stage, _): if stage == index { allowed.insert(128 + signal) }
        case .closedPipe: if index == count - 1 { allowed.insert(141) }
        case .cut: allowed.insert(65)
        case .memory(_, let stage): if stage == index { allowed.insert(69) }
        case .fileSize: allowed.insert(74)
        }
        return allowed
    }

    /// A mesh of a million faces, or of sixty thousand in the short form, in pipes that end early at either side.
    @Test func deepPipesEndEarly() {
        let shell = Shell.withBall()
        let resolution = Self.isLong ? 512 : 128
        let result = shell.run(
            """
            ssdf-voxelize ball.obj --resolution \(resolution) -o big.ssdf
            ssdf-extract big.ssdf -o big.ply
            ssdf-inspect --json big.ply
            """)
        #expect(result.status == 0)
        let size = shell.read("big.ply").count
        for reader in ["head -c 100000 > /dev/null", "true", "ssdf-inspect --bogus - 2> /dev/null"] {
            for writer in [
                "ssdf-extract big.ssdf", "ssdf-remesh big.ply --smooth 1 -o -", "ssdf-extract big.ssdf --format obj",
            ] {
                let ended = shell.run("\(writer) | \(reader); echo ${PIPESTATUS[0]}")
                #expect(ended.text == "141\n" && ended.err.isEmpty, "\(writer) | \(reader): \(ended)")
            }
        }
        for tool in ["ssdf-voxelize - -o x.ssdf", "ssdf-remesh - --keep 0.5 -o x.ply", "ssdf-inspect -"] {
            for share in [0.001, 0.3, 0.99] {
                let ended = shell.run("head -c \(Int(Double(size) * share)) big.ply | \(tool)")
                #expect(ended.status == 65 && ended.err.split(separator: "\n").count == 1, "\(tool): \(ended)")
            }
        }
        #expect(shell.names == ["ball.obj", "big.ply", "big.ssdf"])
    }
}
