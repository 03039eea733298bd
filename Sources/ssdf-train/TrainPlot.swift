import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFImage
import SSDFTraining

/// Draws what the logs of training runs say.
struct TrainPlot: ParsableCommand {
    enum Horizontal: String, CaseIterable, ExpressibleByArgument {
        case step, hours
    }

    static let configuration = CommandConfiguration(
        commandName: "plot", abstract: "Draw curves of the logs of training runs.")

    @Argument(
        help: ArgumentHelp("Logs: the .jsonl files of model folders, below training.", valueName: "log"),
        completion: .file(extensions: ["jsonl"]))
    var logs: [String]

    @Option(
        name: [.short, .long], help: ArgumentHelp("Where the PNG goes; - is standard output.", valueName: "picture"),
        completion: .file())
    var output = "-"

    @Option(help: ArgumentHelp("What to draw, with commas between: loss, iou, …", valueName: "names"))
    var fields = "loss"

    @Option(help: ArgumentHelp("What the curves run along.", valueName: "axis"))
    var along = Horizontal.step

    @Option(help: ArgumentHelp("How values are spaced.", valueName: "scale"))
    var scale = LinePlot.Scale.auto

    @Option(
        help: ArgumentHelp(
            "Weight of the past in the moving average, 0 to 0.9999 (default: averages over a 50th of the steps).",
            valueName: "weight"))
    var smooth: Double?

    @Option(help: ArgumentHelp("Size of the picture, 200 to 8192 each: 1200x800.", valueName: "pixels"))
    var size = PlotSize(width: 1200, height: 800)

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let smooth, !(0...0.9999).contains(smooth) {
            throw ValidationError("--smooth is \(smooth), expected 0 to 0.9999")
        }
        if fields.split(separator: ",", omittingEmptySubsequences: false).contains("") {
            throw ValidationError("--fields is \"\(fields)\", expected names with commas between")
        }
    }

    func run() throws {
        let session = try common.session(tool: Train.toolName)
        for log in logs { try checkInput(log) }
        let out = try Output(path: output)
        let names = fields.split(separator: ",").map(String.init)
        var series: [LinePlot.Series] = []
        for path in logs {
            let log = try session.stage("read", file: path) { try RunLog(path: path) }
            for name in names {
                let points = try log.points(name, hours: along == .hours)
                if scale == .log, let bad = points.first(where: { !($0.y > 0) }) {
                    throw Failure.badData(
                        file: path, place: name, "\(bad.y) at \(rounded(bad.x))",
                        expected: "numbers above 0 on a logarithmic scale")
                }
                let run = path.hasSuffix(".jsonl") ? String(path.dropLast(6)) : path
                let title = names.count == 1 ? run : logs.count == 1 ? name : "\(run) \(name)"
                series.append(LinePlot.Series(name: title, points: points))
            }
        }
        var plot = LinePlot(series: series)
        plot.xTitle = along.rawValue
        plot.yTitle = names.count == 1 ? names[0] : ""
        plot.scale = scale
        plot.smoothing = smooth
        plot.width = size.width
        plot.height = size.height
        try plot.image().writePNG(to: out.sink)
        try out.commit()
    }
}

/// "1200x800"
struct PlotSize: ExpressibleByArgument {
    let width: Int
    let height: Int

    init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

    init?(argument: String) {
        let parts = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard parts.count == 2, parts.allSatisfy({ (200...8192).contains($0) }) else { return nil }
        self.init(width: parts[0], height: parts[1])
    }

    var defaultValueDescription: String { "\(width)x\(height)" }
}

extension LinePlot.Scale: ExpressibleByArgument {}
