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

    @OptionGroup var checkpoints: CheckpointArguments

    @OptionGroup var common: CommonOptions

    func validate() throws {
        try sampling.check(inputs: inputs)
        try checkpoints.check(inputs: inputs)
        if inputs.count > 1, keepStages != nil { throw ValidationError("--keep-stages takes one picture") }
        if inputs.count > 1, structure != nil { throw ValidationError("--structure takes one picture") }
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
        let outputs = try OutputPlan(inputs, output: output, suffix: "ssdf")
        try outputs.makeFolder()
        let files = try outputs.paths.map { try Output(path: $0) }
        for (input, (path, out)) in zip(inputs, zip(outputs.paths, files)) {
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
                session: session, checkpoint: checkpoints.file, key: key, folder: keepStages, tool: Self.toolName,
                arguments: sampling.recorded(options, of: directory), precision: sampling.precision)
            try keeper.check()
            let resumed = checkpoints.resume ? try keeper.resumed() : nil
            var result = try session.stage("diffuse", file: input) {
                try pipeline.run(picture, through: last, structure: cells, resumed: resumed, observer: keeper)
            } outcome: {
                "\(grouped($0.activeCount)) cells, peak memory \(byteText(peakMemory()))"
            }
            keeper.describe(&result.metadata, source: hash)
            try session.stage("write", file: path) {
                try writeVolume(result, options: VolumeWriteOptions(threads: session.threads), to: out.sink)
                try out.commit()
            }
        }
        session.notePeak()
    }
}
