import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFMesh
import SSDFMeshCommand

@main
struct Remesh: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-remesh",
        abstract: "Repair, simplify and remesh a triangle mesh.",
        discussion: """
            Operations run in the order they are listed here, whatever their order on the command line.
            """,
        version: ssdfVersion)

    @Argument(help: "The mesh, or - for standard input.")
    var mesh: String

    @Option(name: .shortAndLong, help: "The mesh to write, or -; its suffix chooses the format.")
    var output: String

    @Option(help: "The format to write: ply, obj, stl, off or glb (default: by suffix; ply for -).")
    var format: MeshFileFormat?

    @OptionGroup(title: "Operations") var operations: RemeshOperations

    @Flag(help: "Print a report as JSON on standard error.")
    var json = false

    @Option(help: ArgumentHelp("Write the inputs read, in make syntax.", valueName: "file"))
    var depfile: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        _ = try meshFormat(asked: format, output: output)
        if depfile != nil, output == "-" { throw ValidationError("--depfile needs an output with a name") }
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        try checkInput(mesh)
        let target = try Output(path: output)
        let dependencies = try depfile.map { try Output(path: $0, isBinary: false) }
        let source = try session.stage("read") {
            try loadMesh(path: mesh, threads: session.threads)
        } outcome: {
            "\($0.mesh.triangleCount) triangles"
        }
        try session.foresee("remeshing", MemoryEstimate(bytes: operations.memory(for: source.mesh)), file: mesh)
        let input = source.mesh
        let start = ContinuousClock.now
        let outcome = try operations.run(on: input, session: session, file: mesh)
        let elapsed = ContinuousClock.now - start
        for note in outcome.notes { session.warn("\(mesh == "-" ? "standard input" : mesh): \(note)") }
        if json || session.isVerbose {
            let report = remeshReport(
                input: input, outcome: outcome, seconds: elapsed / .seconds(1), threads: session.threads)
            if json { writeStandardError("\(report.json)") } else { writeStandardError(report.text) }
        }
        let kind = try meshFormat(asked: format, output: output)
        try session.stage("write") {
            try writeMesh(outcome.mesh, format: kind, threads: session.threads, to: target.sink)
            try target.commit()
        }
        if let dependencies {
            try dependencies.write("\(escaped(output)): \(mesh == "-" ? "" : escaped(mesh))\n")
            try dependencies.commit()
        }
        session.notePeak()
    }

    /// A path as make reads it.
    private func escaped(_ path: String) -> String {
        path.reduce(into: "") { text, character in
            switch character {
            case " ", "#", "\\": text += "\\\(character)"
            case "$": text += "$$"
            default: text.append(character)
            }
        }
    }
}
