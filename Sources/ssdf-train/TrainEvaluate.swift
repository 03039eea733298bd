import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFNeural
import SSDFTraining

/// Measures a model: the round trip of its auto-encoder, and what it makes of pictures.
struct TrainEvaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure a model on shapes it was not trained on.")

    @Option(
        name: [.short, .long], help: ArgumentHelp("The model folder.", valueName: "folder"), completion: .directory)
    var model: String

    @Argument(help: ArgumentHelp("Meshes to encode and decode, instead of procedural shapes.", valueName: "mesh"))
    var meshes: [String] = []

    @Option(help: ArgumentHelp("Held-out procedural shapes, 1 to 10000.", valueName: "count"))
    var count = 100

    @Flag(help: "Print the numbers of every shape as JSON on standard output.")
    var json = false

    @Flag(name: .customLong("only-pictures"), help: "Leave out the auto-encoder's round trip.")
    var onlyPictures = false

    @Option(
        help: ArgumentHelp("Draw pictures and what was made of them, side by side.", valueName: "picture"),
        completion: .file())
    var sheet: String?

    @Option(name: .customLong("sheet-count"), help: ArgumentHelp("Shapes on the sheet, 1 to 1000.", valueName: "count"))
    var sheetCount = 28

    @Option(help: ArgumentHelp("Start sampling from noise or zero, instead of the model's way.", valueName: "start"))
    var start: SamplingStart?

    @Option(help: ArgumentHelp("Steps of sampling, 1 to 1000.", valueName: "count"))
    var steps: Int?

    @Option(help: ArgumentHelp("Guidance scale, 0 to 100; 0 for none.", valueName: "scale"))
    var guidance: Double?

    @OptionGroup var seed: SeedOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if !(1...10_000).contains(count) { throw ValidationError("--count is \(count), expected 1 to 10000") }
        if !(1...1000).contains(sheetCount) {
            throw ValidationError("--sheet-count is \(sheetCount), expected 1 to 1000")
        }
        if let steps, !(1...1000).contains(steps) { throw ValidationError("--steps is \(steps), expected 1 to 1000") }
        if let guidance, !(0...100).contains(guidance) {
            throw ValidationError("--guidance is \(guidance), expected 0 to 100")
        }
        if onlyPictures, !meshes.isEmpty { throw ValidationError("--only-pictures and meshes exclude each other") }
    }

    func run() throws {
        keepMemory(heap: true)
        let session = try common.session(tool: Train.toolName)
        let directory = try ModelDirectory(path: model)
        let out = try sheet.map { try Output(path: $0) }
        if meshes.isEmpty {
            try session.foresee(
                "evaluating", evaluationMemory(directory, count: count, threads: session.threads), file: model)
        }
        let trips = onlyPictures ? [] : try roundTrips(directory, session)
        var pictures: [PictureScore] = []
        if meshes.isEmpty {
            var sampling = GenerationEvaluation.Sampling()
            (sampling.steps, sampling.guidance, sampling.start) = (steps, guidance, start)
            let evaluation = try GenerationEvaluation(
                model: directory, shapes: ProceduralShapes(seed: seed.seed.value), sampling: sampling,
                threads: session.threads)
            if let evaluation {
                let result = try evaluation.run(
                    count: count, examples: out == nil ? 0 : sheetCount, progress: session.progress("pictures"))
                pictures = result.scores
                if let out { try draw(result.examples, to: out, threads: session.threads) }
            } else if onlyPictures || out != nil {
                throw Failure(.unavailable, file: model, "the model makes nothing of pictures yet")
            }
        }
        try printOutput(json ? jsonText(trips, pictures) : text(trips, pictures))
        session.notePeak()
    }

    private func roundTrips(
        _ directory: ModelDirectory, _ session: Session
    ) throws -> [(name: String, score: RoundTripScore)] {
        let evaluation = try AutoencoderEvaluation(model: directory, threads: session.threads)
        let progress = session.progress("round trips")
        guard !meshes.isEmpty else {
            let shapes = ProceduralShapes(seed: seed.seed.value)
            let resolution = evaluation.resolution
            return try evaluation.scores(count) {
                "\(shapes.shape($0, .heldOut).family.rawValue) \($0)"
            } band: {
                BandSamples(shapes.shape($0, .heldOut).shape, resolution: resolution)
            } finished: {
                progress($0, $1)
            }
        }
        var results: [(name: String, score: RoundTripScore)] = []
        for (index, path) in meshes.enumerated() {
            try checkInput(path)
            let source = try loadMesh(path: path, threads: session.threads)
            var options = VoxelizeOptions()
            options.resolution = evaluation.resolution
            options.threads = session.threads
            let band = BandSamples(try voxelize(source.mesh, options: options))
            try session.foresee(
                "evaluating", evaluationMemory(directory, count: 0, bricks: band.bricks.count, threads: 1), file: path)
            results.append((path, try evaluation.score(band, threads: session.threads)))
            progress(index + 1, meshes.count)
        }
        return results
    }

    private func draw(_ examples: [GenerationEvaluation.Example], to out: Output, threads: Int) throws {
        let sheet = contactSheet(examples, columns: 4, tile: 224, threads: threads)
        try sheet.writePNG(to: out.sink)
        try out.commit()
    }
}

extension SamplingStart: ExpressibleByArgument {}
