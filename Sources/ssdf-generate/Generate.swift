import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFGeneration
import SSDFImage
import SSDFMesh
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
        help: ArgumentHelp("The picture, PNG; - is standard input.", valueName: "picture"),
        completion: .file(extensions: ["png"]))
    var input: String

    @OptionGroup var model: ModelOptions

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Where the mesh goes; its suffix chooses the format.", valueName: "mesh"),
        completion: .file())
    var output: String

    @OptionGroup var sampling: SamplingArguments

    @Flag(inversion: .prefixedNo, help: "Continue a surface that leaves the cells, so that it is closed.")
    var close = true

    @Option(
        help: ArgumentHelp("Picture the mesh in this PNG, too.", valueName: "picture"),
        completion: .file(extensions: ["png"]))
    var preview: String?

    @Option(
        help: ArgumentHelp("Keep the state after every step in this file.", valueName: "file"), completion: .file())
    var checkpoint: String?

    @Flag(help: "Go on from the checkpoint, when there is one.")
    var resume = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        try sampling.check()
        if resume, checkpoint == nil { throw ValidationError("--resume needs --checkpoint") }
        if sampling.stage == .stage(.dense) {
            throw ValidationError("--stage is dense, expected a later one: a mesh is made")
        }
        if MeshFileFormat(path: output) == nil {
            throw ValidationError("\(output): unknown suffix, expected .ply, .obj, .stl, .off or .glb")
        }
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        try checkInput(input)
        let directory = try ModelSearch.standard.open(model.model)
        let last = try sampling.lastStage(of: directory)
        let options = try sampling.options(for: directory, threads: session.threads, memory: common.memoryBudget)
        let pipeline = try DiffusionPipeline(directory, options)
        let out = try Output(path: output)
        let picturing = try preview.map { try Output(path: $0) }
        let (picture, hash) = try session.stage("read", file: input) { try sampling.picture(input, session: session) }
        let keeper = StageKeeper(
            session: session, checkpoint: checkpoint, key: pipeline.key(picture: hash, last: last, structure: ""),
            folder: nil, tool: Self.toolName, arguments: sampling.recorded(options, of: directory))
        let resumed = resume ? try keeper.resumed() : nil
        let latents = try session.stage("diffuse", file: input) {
            try pipeline.run(picture, through: last, resumed: resumed, observer: keeper)
        } outcome: {
            "\(grouped($0.activeCount)) cells"
        }
        let mesh = try session.stage("decode", file: input) {
            try pipeline.mesh(latents, closes: close, progress: session.progress("decode"))
        } outcome: {
            "\(grouped($0.triangleCount)) triangles"
        }
        var view = RenderOptions()
        view.threads = session.threads
        if mesh.triangleCount == 0 { session.warn("\(input): no surface was generated") }
        try session.stage("write", file: output) {
            try writeMesh(
                mesh, format: MeshFileFormat(path: output) ?? .ply, threads: session.threads, to: out.sink)
            if let picturing {
                try render(
                    positions: mesh.positions, triangles: mesh.triangles, normals: mesh.normals, options: view
                ).image.writePNG(to: picturing.sink)
                try picturing.commit()
            }
            try out.commit()
        }
    }
}
