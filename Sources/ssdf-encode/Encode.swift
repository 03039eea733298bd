import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

@main
struct Encode: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-encode", abstract: "Encode a sparse signed distance volume as latents.",
        version: ssdfVersion)

    static var libraries: [String] { ["zstd \(zstdVersion)", MatrixProduct.shared.description] }

    @Argument(
        help: ArgumentHelp("The .ssdf file; - is standard input.", valueName: "volume"),
        completion: .file(extensions: ["ssdf"]))
    var input: String

    @OptionGroup var model: ModelOptions

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Where the latents go; - is standard output.", valueName: "latents"), completion: .file())
    var output = "-"

    @Option(help: ArgumentHelp("The grid of the file (default: the first).", valueName: "name"))
    var grid: String?

    @Option(help: ArgumentHelp("The most likely latents, or some drawn at random.", valueName: "choice"))
    var posterior = PosteriorChoice.mean

    @OptionGroup var seed: SeedOptions

    @Option(help: ArgumentHelp("Number format of the products.", valueName: "format"))
    var precision = Precision.f32

    @OptionGroup var common: CommonOptions

    func run() throws {
        // Every layer takes what the one before gave back.
        keepMemory(heap: false)
        let session = try common.session(tool: Self.toolName)
        try checkInput(input)
        let directory = try ModelSearch.standard.open(model.model)
        let modelHash = try directory.hash()
        let out = try Output(path: output)

        let encoder = try session.stage("read", file: input) {
            let volume = try loadVolume(path: input, grid: grid, threads: session.threads)
            return try LatentEncoder(volume, model: directory, threads: session.threads, precision: precision)
        }
        for warning in encoder.warnings { session.warn("\(input): \(warning)") }
        session.note("encode: about \(encoder.cost.summary)")
        guard encoder.cost.bytes <= common.memoryBudget else {
            throw Failure(
                .unavailable, file: input,
                "encoding needs about \(byteText(encoder.cost.bytes)) of memory, expected at most "
                    + "\(byteText(common.memoryBudget))")
        }
        let operations = encoder.cost.operations
        var options = EncodeOptions()
        options.posterior = posterior
        options.seed = seed.seed.value
        options.threads = session.threads
        options.precision = precision
        options.progress = session.progress("encode")
        let start = ContinuousClock.now
        var latents = try session.stage("encode", file: input) {
            try encoder.encode(options)
        } outcome: {
            "\(grouped($0.activeCount)) tokens, \(speed(operations, since: start)), peak memory \(byteText(peakMemory()))"
        }
        latents.metadata.modelHash = modelHash
        latents.metadata.tool = "\(Self.toolName) \(ssdfVersion)"
        latents.metadata.arguments =
            ["--posterior=\(posterior.rawValue)"] + (precision == .f32 ? [] : ["--precision=\(precision.rawValue)"])
        try session.stage("write", file: output) {
            try writeVolume(latents, options: VolumeWriteOptions(threads: session.threads), to: out.sink)
            try out.commit()
        }
    }
}

extension PosteriorChoice: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
