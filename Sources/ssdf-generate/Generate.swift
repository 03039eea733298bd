import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFGeneration
import SSDFImage
import SSDFMesh
import SSDFMeshCommand
import SSDFNeural
import SSDFTensor
import SSDFVolume

@main
struct Generate: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-generate", abstract: "Generate a mesh from a picture.", version: ssdfVersion)

    static var libraries: [String] {
        ["libpng \(pngVersion)", "zstd \(zstdVersion)", MatrixProduct.shared.description]
    }

    @Argument(
        help: ArgumentHelp("The pictures, PNG; - is standard input.", valueName: "picture"),
        completion: .file(extensions: ["png"]))
    var inputs: [String]

    @OptionGroup var model: ModelOptions

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Where the mesh goes; - is standard output; a folder for several pictures.", valueName: "mesh"),
        completion: .file())
    var output = "-"

    @Option(
        help: ArgumentHelp(
            "The mesh's format (default: by the output's suffix; ply on a pipe and in a folder).", valueName: "format"))
    var format: MeshFileFormat?

    @OptionGroup var sampling: SamplingArguments

    @Flag(inversion: .prefixedNo, help: "Continue a surface that leaves the cells, so that it is closed.")
    var close = true

    @OptionGroup(title: "Operations on the mesh") var operations: RemeshOperations

    @Option(
        help: ArgumentHelp("Picture the mesh in this PNG, too; a folder for several.", valueName: "picture"),
        completion: .file(extensions: ["png"]))
    var preview: String?

    @OptionGroup var checkpoints: CheckpointArguments

    @OptionGroup var common: CommonOptions

    func validate() throws {
        try sampling.check(inputs: inputs)
        try checkpoints.check(inputs: inputs)
        if sampling.stage == .stage(.dense) {
            throw ValidationError("--stage is dense, expected a later one: a mesh is made")
        }
        if inputs.count == 1, !output.hasSuffix("/") { _ = try meshFormat(asked: format, output: output) }
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        for input in inputs { try checkInput(input) }
        let directory = try ModelSearch.standard.open(model.model)
        let last = try sampling.lastStage(of: directory)
        let options = try sampling.options(for: directory, threads: session.threads, memory: common.memoryBudget)
        let pipeline = try DiffusionPipeline(directory, options)
        let meshes = try OutputPlan(inputs, output: output, suffix: (format ?? .ply).rawValue)
        let previews = try preview.map { try OutputPlan(inputs, output: $0, suffix: "png", option: "--preview") }
        try meshes.makeFolder()
        try previews?.makeFolder()
        let outputs = try meshes.paths.map { try Output(path: $0) }
        let pictures = try previews?.paths.map { try Output(path: $0) }
        for (index, input) in inputs.enumerated() {
            let out = outputs[index]
            let (picture, hash) = try session.stage("read", file: input) {
                try sampling.picture(input, session: session)
            }
            let keeper = StageKeeper(
                session: session, checkpoint: checkpoints.file,
                key: pipeline.key(picture: hash, last: last, structure: ""), folder: nil, tool: Self.toolName,
                arguments: sampling.recorded(options, of: directory), precision: sampling.precision)
            try keeper.check()
            let resumed = checkpoints.resume ? try keeper.resumed() : nil
            let latents = try session.stage("diffuse", file: input) {
                try pipeline.run(picture, through: last, resumed: resumed, observer: keeper)
            } outcome: {
                "\(grouped($0.activeCount)) cells"
            }
            let surface = try session.stage("decode", file: input) {
                try pipeline.mesh(latents, closes: close, observer: keeper, part: "decode")
            } outcome: {
                "\(grouped($0.triangleCount)) triangles, peak memory \(byteText(peakMemory()))"
            }
            if surface.triangleCount == 0 { session.warn("\(input): no surface was generated") }
            try session.foresee(
                "remeshing", MemoryEstimate(bytes: operations.memory(for: surface)), file: input)
            let result = try operations.run(on: surface, session: session, file: input)
            for note in result.notes { session.warn("\(input): \(note)") }
            try session.stage("write", file: meshes.paths[index]) {
                let kind = try meshFormat(asked: format, output: meshes.paths[index])
                try writeMesh(result.mesh, format: kind, threads: session.threads, to: out.sink)
                if let pictures { try pictures[index].write(pictureOf: result.mesh, threads: session.threads) }
                try out.commit()
            }
        }
        session.notePeak()
    }
}

extension Output {
    /// Renders a mesh as a PNG and gives the file its name.
    fileprivate func write(pictureOf mesh: TriangleMesh, threads: Int) throws(Failure) {
        var view = RenderOptions()
        view.threads = threads
        try render(positions: mesh.positions, triangles: mesh.triangles, normals: mesh.normals, options: view)
            .image.writePNG(to: sink)
        try commit()
    }
}
