import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFGeneration
import SSDFImage
import SSDFNeural
import SSDFTensor
import SSDFVolume

@main
struct Diffuse: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-diffuse", abstract: "Generate latents of a shape from a picture of it.",
        version: ssdfVersion)

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
            "Where the latents go; - is standard output; a folder for several pictures.", valueName: "latents"),
        completion: .file())
    var output = "-"

    @OptionGroup var sampling: SamplingArguments

    @Option(
        name: .customLong("keep-stages"),
        help: ArgumentHelp("Keep every stage's result in this folder.", valueName: "folder"), completion: .directory)
    var keepStages: String?

    @Option(
        help: ArgumentHelp("Start from the cells of this volume instead of the dense stage.", valueName: "volume"),
        completion: .file(extensions: ["ssdf"]))
    var structure: String?

    @Option(
        help: ArgumentHelp("Keep the state after every step in this file.", valueName: "file"), completion: .file())
    var checkpoint: String?

    @Flag(help: "Go on from the checkpoint, when there is one.")
    var resume = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        try sampling.check()
        if resume, checkpoint == nil { throw ValidationError("--resume needs --checkpoint") }
        if inputs.count > 1 {
            if output == "-" { throw ValidationError("several pictures need a folder, -o") }
            if checkpoint != nil { throw ValidationError("--checkpoint takes one picture") }
            if sampling.matte != nil { throw ValidationError("--matte takes one picture") }
        }
        if inputs.filter({ $0 == "-" }).count > 1 { throw ValidationError("standard input can be read once") }
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        for input in inputs { try checkInput(input) }
        if let structure { try checkInput(structure) }
        let directory = try ModelSearch.standard.open(model.model)
        let last = try sampling.lastStage(of: directory)
        if structure != nil, last == .dense { throw ValidationError("--structure needs a later stage than dense") }
        let options = try sampling.options(for: directory, threads: session.threads, memory: common.memoryBudget)
        let pipeline = try DiffusionPipeline(directory, options)
        let outputs = try outputPaths()
        for (input, path) in zip(inputs, outputs) {
            let out = try Output(path: path)
            let (picture, hash) = try session.stage("read", file: input) {
                try sampling.picture(input, session: session)
            }
            let cells = try structure.map { path in
                try session.stage("structure", file: path) {
                    let volume = try loadVolume(path: path, threads: session.threads)
                    return try structureCells(volume, side: SparseStage(last, directory).side)
                }
            }
            let structureHash = try structure.map { try fileHash($0) } ?? ""
            let key = pipeline.key(picture: hash, last: last, structure: structureHash)
            let keeper = StageKeeper(
                session: session, checkpoint: checkpoint, key: key, folder: keepStages, tool: Self.toolName,
                arguments: sampling.recorded(options, of: directory))
            let resumed = resume ? try keeper.resumed() : nil
            var result = try session.stage("diffuse", file: input) {
                try pipeline.run(picture, through: last, structure: cells, resumed: resumed, observer: keeper)
            } outcome: {
                "\(grouped($0.activeCount)) cells"
            }
            keeper.describe(&result.metadata, source: hash)
            try session.stage("write", file: path) {
                try writeVolume(result, options: VolumeWriteOptions(threads: session.threads), to: out.sink)
                try out.commit()
            }
        }
    }

    /// One output a picture: the file that was named, or files of the pictures' names in the folder.
    private func outputPaths() throws -> [String] {
        guard inputs.count > 1 else { return [output] }
        return inputs.map { input in
            let name = input.split(separator: "/").last.map(String.init) ?? input
            let stem = name.hasSuffix(".png") ? String(name.dropLast(4)) : name
            return "\(output)/\(stem).ssdf"
        }
    }
}
