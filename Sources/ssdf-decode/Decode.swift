import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

@main
struct Decode: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-decode", abstract: "Decode latents to a sparse signed distance volume.",
        version: ssdfVersion)

    static var libraries: [String] { ["zstd \(zstdVersion)", MatrixProduct.shared.description] }

    @Argument(
        help: ArgumentHelp("The .ssdf file of latents; - is standard input.", valueName: "latents"),
        completion: .file(extensions: ["ssdf"]))
    var input: String

    @OptionGroup var model: ModelOptions

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Where the volume goes; - is standard output.", valueName: "volume"), completion: .file())
    var output = "-"

    @Option(help: ArgumentHelp("The grid of the file (default: the first).", valueName: "name"))
    var grid: String?

    @Flag(help: "Pass the volume through the model's refiner.")
    var refine = false

    @Flag(
        inversion: .prefixedNo,
        help: "Continue a surface that leaves the cells, so that it is closed (default: in latents of ssdf-diffuse).")
    var close: Bool?

    @Flag(help: "Decode latents of another model, too.")
    var force = false

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

        var closes = close ?? false
        let decoder = try session.stage("read", file: input) {
            let latents = try loadVolume(path: input, grid: grid, threads: session.threads)
            closes = close ?? latents.metadata.isGenerated
            try check(latents.metadata, modelHash, of: model.model ?? directory.path)
            return try LatentDecoder(latents, model: directory)
        }
        let refiner = refine ? try RefinerPlan(for: decoder.autoencoder, in: directory) : nil
        let (chunks, cost) = decoder.chunking(
            within: common.memoryBudget, keepsFeatures: refiner?.needsFeatures ?? false, threads: session.threads,
            precision: precision)
        session.note(
            "decode: about \(cost.summary), in \(chunks * chunks * chunks) \(chunks == 1 ? "piece" : "pieces")")
        guard cost.bytes <= common.memoryBudget else {
            throw Failure(
                .unavailable, file: input,
                "decoding needs about \(byteText(cost.bytes)) of memory, expected at most "
                    + "\(byteText(common.memoryBudget))")
        }
        var options = DecodeOptions()
        options.threads = session.threads
        options.precision = precision
        options.chunks = chunks
        options.progress = session.progress("decode")
        let start = ContinuousClock.now
        var decoded = try session.stage("decode", file: input) {
            try decoder.decode(options, keepsFeatures: refiner?.needsFeatures ?? false)
        } outcome: {
            "\(grouped($0.volume.activeCount)) active voxels, \(speed(cost.operations, since: start)), peak memory "
                + byteText(peakMemory())
        }
        if let refiner {
            let progress = session.progress("refine")
            try session.stage("refine", file: input) {
                try refiner.refine(
                    &decoded, threads: session.threads, precision: precision,
                    progress: progress)
            }
        }
        var volume = decoded.takeVolume()
        if closes {
            let continued = volume.close(threads: session.threads)
            session.note("close: \(grouped(continued)) cells hold a surface that left the others")
        }
        volume.metadata.modelHash = modelHash
        volume.metadata.tool = "\(Self.toolName) \(ssdfVersion)"
        volume.metadata.arguments =
            (refine ? ["--refine"] : []) + (closes ? ["--close"] : [])
            + (precision == .f32 ? [] : ["--precision=\(precision.rawValue)"])
        try session.stage("write", file: output) {
            try writeVolume(volume, options: VolumeWriteOptions(threads: session.threads), to: out.sink)
            try out.commit()
        }
    }

    /// Latents mean something to the model that made them, and to no other.
    private func check(_ metadata: GridMetadata, _ modelHash: String, of path: String) throws(Failure) {
        guard !force, !metadata.modelHash.isEmpty, metadata.modelHash != modelHash else { return }
        throw Failure(
            .badData, place: "grid \"\(metadata.name)\"",
            "made by model \(metadata.modelHash), expected \(modelHash), which is \(path); --force decodes it anyway"
        )
    }
}

extension Precision: ExpressibleByArgument {}
