import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFMesh
import SSDFTraining

/// Makes training data of meshes.
struct TrainPrepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare", abstract: "Turn meshes into a folder of training data.",
        discussion: """
            Every mesh becomes a sample: signed distance volumes with their nearness to sharp edges, and pictures. A mesh \
            that cannot be used is left out, and manifest.jsonl says why. Called again, it makes only what is not there.
            """)

    @Argument(help: ArgumentHelp("The meshes, of any format.", valueName: "mesh"), completion: .file())
    var meshes: [String]

    @Option(
        name: [.short, .long], help: ArgumentHelp("The folder of training data.", valueName: "folder"),
        completion: .directory)
    var output: String

    @Option(
        help: ArgumentHelp(
            "Voxels along the cube's side, 32 to 2048, multiples of 8; several with commas between.",
            valueName: "voxels"))
    var resolution = ResolutionList(values: PreparationSettings().resolutions)

    @Option(help: ArgumentHelp("How inside is told from outside.", valueName: "method"))
    var sign = SignChoice.auto

    @Option(help: ArgumentHelp("The meshes' axis that points up; it becomes y.", valueName: "axis"))
    var up = UpAxis.y

    @Option(
        name: .customLong("crease-angle"),
        help: ArgumentHelp("Edges that turn by more than this are sharp, 1 to 179.", valueName: "degrees"))
    var creaseAngle = PreparationSettings().creaseAngle

    @Option(help: ArgumentHelp("Pictures of each mesh, 0 to 64.", valueName: "count"))
    var views = PreparationSettings().views

    @Option(
        name: .customLong("view-size"),
        help: ArgumentHelp("Pixels along a picture's side, 32 to 2048.", valueName: "pixels"))
    var viewSize = PreparationSettings().viewSize

    @Option(
        help: ArgumentHelp("Cameras stand up to this far to either side of the front, 0 to 180.", valueName: "degrees"))
    var azimuth = PreparationSettings().azimuth

    @OptionGroup var seed: SeedOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if sign == .none { throw ValidationError("--sign is none, expected a method that tells inside from outside") }
        if !(1...179).contains(creaseAngle) {
            throw ValidationError("--crease-angle is \(creaseAngle), expected 1 to 179")
        }
        if !PreparationSettings.viewRange.contains(views) {
            throw ValidationError("--views is \(views), expected 0 to 64")
        }
        if !PreparationSettings.viewSizes.contains(viewSize) {
            throw ValidationError("--view-size is \(viewSize), expected 32 to 2048")
        }
        if !(0...180).contains(azimuth) { throw ValidationError("--azimuth is \(azimuth), expected 0 to 180") }
    }

    func run() throws {
        let session = try common.session(tool: Train.toolName)
        var settings = PreparationSettings()
        settings.resolutions = resolution.values
        settings.sign = sign
        settings.up = up
        settings.creaseAngle = creaseAngle
        settings.views = views
        settings.viewSize = viewSize
        settings.azimuth = azimuth
        settings.seed = seed.seed.value
        let folder = try PreparationFolder(path: output, settings: settings)
        let progress = session.progress("prepare")
        let summary = try session.stage("prepare") {
            try folder.prepare(
                meshes, threads: session.threads, memory: common.memoryBudget,
                tool: "\(Train.toolName) \(ssdfVersion)", progress: progress)
        }
        session.note(
            "prepare: about \(byteText(MemoryEstimate(bytes: summary.foreseen).peak)) of memory foreseen, "
                + "peak memory \(byteText(peakMemory()))")
        for (source, reason) in summary.dropped { session.warn("\(source): dropped: \(reason)") }
        guard summary.made + summary.wereThere > 0 else {
            throw Failure(
                .badData, file: "\(output)/\(PreparationFolder.manifestName)",
                "all \(grouped(meshes.count)) meshes were dropped, expected at least one that can be used")
        }
        session.warn(
            "\(output): \(grouped(summary.made)) samples made, \(grouped(summary.wereThere)) were there, "
                + "\(grouped(summary.dropped.count)) meshes dropped")
    }
}

/// Whole numbers with commas between: 128,256,512.
struct ResolutionList: ExpressibleByArgument {
    let values: [Int]

    init(values: [Int]) { self.values = values }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        let values = parts.compactMap { $0 }
        let range = PreparationSettings.resolutionRange
        guard !values.isEmpty, values.count == parts.count, values.allSatisfy({ range.contains($0) && $0 % 8 == 0 })
        else { return nil }
        self.values = Set(values).sorted()
    }

    var defaultValueDescription: String { values.map { "\($0)" }.joined(separator: ",") }
}

extension SignChoice: ExpressibleByArgument {}
extension UpAxis: ExpressibleByArgument {}
