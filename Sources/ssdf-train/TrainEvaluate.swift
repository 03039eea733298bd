import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTraining

/// Measures the auto-encoder of a model.
struct TrainEvaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure a model's auto-encoder on shapes it was not trained on.")

    @Option(
        name: [.short, .long], help: ArgumentHelp("The model folder.", valueName: "folder"), completion: .directory)
    var model: String

    @Argument(help: ArgumentHelp("Meshes to measure on, instead of procedural shapes.", valueName: "mesh"))
    var meshes: [String] = []

    @Option(help: ArgumentHelp("Held-out procedural shapes, 1 to 10000.", valueName: "count"))
    var count = 100

    @Flag(help: "Print the numbers of every shape as JSON on standard output.")
    var json = false

    @OptionGroup var seed: SeedOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if !(1...10_000).contains(count) { throw ValidationError("--count is \(count), expected 1 to 10000") }
    }

    func run() throws {
        let session = try common.session(tool: Train.toolName)
        let evaluation = try AutoencoderEvaluation(model: ModelDirectory(path: model), threads: session.threads)
        var results: [(name: String, score: RoundTripScore)] = []
        let progress = session.progress("evaluate")
        if meshes.isEmpty {
            let shapes = ProceduralShapes(seed: seed.seed.value)
            let resolution = evaluation.resolution
            results = try evaluation.scores(count) {
                "\(shapes.shape($0, .heldOut).family.rawValue) \($0)"
            } band: {
                BandSamples(shapes.shape($0, .heldOut).shape, resolution: resolution)
            } finished: {
                progress($0, $1)
            }
        } else {
            for (index, path) in meshes.enumerated() {
                try checkInput(path)
                let source = try loadMesh(path: path, threads: session.threads)
                var options = VoxelizeOptions()
                options.resolution = evaluation.resolution
                options.threads = session.threads
                let volume = try voxelize(source.mesh, options: options)
                let score = try evaluation.score(BandSamples(volume), threads: session.threads)
                results.append((path, score))
                progress(index + 1, meshes.count)
            }
        }
        try printOutput(json ? jsonText(results) : text(results))
    }

    private func text(_ results: [(name: String, score: RoundTripScore)]) -> String {
        func mean(_ value: (RoundTripScore) -> Double) -> String {
            rounded(results.reduce(0) { $0 + value($1.score) } / Double(results.count), digits: 4)
        }
        var report = Report(title: "\(results.count) shapes")
        report.add("f1", label: "F-score at 1 voxel", mean(\.fScore), .null)
        report.add("fhalf", label: "F-score at half a voxel", mean(\.fScoreAtHalf), .null)
        report.add("iou", label: "volumetric IoU", mean(\.overlap), .null)
        report.add("error", label: "mean error (voxels)", mean(\.error), .null)
        report.add("closed", label: "closed, oriented, manifold", mean { $0.isClosed ? 1 : 0 }, .null)
        let worst = results.sorted { $0.score.fScore < $1.score.fScore }.prefix(5)
        report.add(
            "worst", label: "worst",
            worst.map { "\($0.name) \(rounded($0.score.fScore, digits: 4))" }.joined(separator: "\n"),
            .null)
        return report.text
    }

    private func jsonText(_ results: [(name: String, score: RoundTripScore)]) -> String {
        JSONValue.array(
            results.map { name, score in
                .object([
                    .init("name", .string(name)), .init("f_score", .number(score.fScore)),
                    .init("f_score_half", .number(score.fScoreAtHalf)), .init("iou", .number(score.overlap)),
                    .init("error_voxels", .number(score.error)), .init("closed", .bool(score.isClosed)),
                    .init("wrong_signs", .integer(score.wrongSigns)), .init("tokens", .integer(score.tokens)),
                ])
            }
        ).description
    }
}
