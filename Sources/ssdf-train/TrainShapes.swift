import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFTraining

/// Draws procedural shapes: what training sees.
struct TrainShapes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shapes", abstract: "Draw a contact sheet of procedural shapes.")

    @Option(
        name: [.short, .long], help: ArgumentHelp("Where the PNG goes; - is standard output.", valueName: "picture"),
        completion: .file())
    var output = "-"

    @Option(help: ArgumentHelp("Shapes to draw, 1 to 1000.", valueName: "count"))
    var count = 42

    @Option(help: ArgumentHelp("Number of the first shape.", valueName: "number"))
    var first = 0

    @Option(help: ArgumentHelp("Draw one family alone: chair, table, …", valueName: "family"))
    var family: ShapeFamily?

    @Option(help: ArgumentHelp("Voxels along the cube's side, 16 to 512, a multiple of 8.", valueName: "voxels"))
    var resolution = 128

    @Flag(name: .customLong("held-out"), help: "Draw shapes that training never sees.")
    var heldOut = false

    @Flag(help: "Draw the pictures that the image encoder is trained on instead.")
    var pictures = false

    @Option(help: ArgumentHelp("Side of these pictures in pixels, 16 to 1024.", valueName: "pixels"))
    var side = 112

    @OptionGroup var seed: SeedOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if !(1...1000).contains(count) { throw ValidationError("--count is \(count), expected 1 to 1000") }
        if first < 0 { throw ValidationError("--first is \(first), expected a number from 0") }
        if !(16...512).contains(resolution) || resolution % 8 != 0 {
            throw ValidationError("--resolution is \(resolution), expected a multiple of 8 from 16 to 512")
        }
        if !(16...1024).contains(side) { throw ValidationError("--side is \(side), expected 16 to 1024") }
    }

    func run() throws {
        let session = try common.session(tool: Train.toolName)
        let out = try Output(path: output)
        let shapes = ProceduralShapes(seed: seed.seed.value)
        let progress = session.progress("shapes")
        let split: ProceduralShapes.Split = heldOut ? .heldOut : .training
        let recipe = PictureSet.Recipe(
            seed: shapes.seed, split: split, shapes: 1, views: 1, side: side, resolution: resolution)
        var meshes: [TriangleMesh] = []
        var tiles: [RasterImage] = []
        var index = first
        while max(meshes.count, tiles.count) < count {
            let (kind, shape) = shapes.shape(index, split)
            index += 1
            if let family, kind != family { continue }
            if pictures {
                let cells = BandSamples.cells(of: shape, resolution: resolution)
                tiles.append(
                    try conditionPicture(shape, cells: cells, recipe: recipe, number: index - 1).image)
                progress(tiles.count, count)
                continue
            }
            let band = BandSamples(shape, resolution: resolution)
            let mesh = try extractSurface(
                band.volume(), options: ExtractOptions(method: .mc, threads: session.threads))
            session.note("\(index - 1): \(kind.rawValue), \(grouped(band.activeCount)) active voxels")
            meshes.append(mesh)
            progress(meshes.count, count)
        }
        let columns = min(count, 7)
        let sheet =
            pictures
            ? contactSheet(tiles, columns: columns, tile: side)
            : contactSheet(meshes, columns: columns, tile: 224, threads: session.threads)
        try sheet.writePNG(to: out.sink)
        try out.commit()
    }
}

extension ShapeFamily: ExpressibleByArgument {}
