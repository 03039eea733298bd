import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFImage
import SSDFMesh
import SSDFVolume

/// A plane of voxels: "z=12".
struct SlicePlane: ExpressibleByArgument {
    let axis: Axis
    let position: Int

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let axis = Axis(rawValue: String(parts[0])), let position = Int(parts[1]) else {
            return nil
        }
        self.axis = axis
        self.position = position
    }
}

enum Backdrop: String, CaseIterable, ExpressibleByArgument {
    case white, transparent
}

/// What pictures are wanted, and from where.
struct PictureOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Picture a plane of voxels, as x=K, y=K or z=K, in --png.", valueName: "plane"))
    var slice: SlicePlane?

    @Option(
        help: ArgumentHelp("Where the picture of --slice goes; - is standard output.", valueName: "picture"),
        completion: .file(extensions: ["png"]))
    var png: String?

    @Option(
        help: ArgumentHelp(
            "Picture the surface, shaded, in this PNG, several files side by side; - is standard output.",
            valueName: "picture"),
        completion: .file(extensions: ["png"]))
    var render: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("View from this far round the vertical: 0 from +z, 90 from +x.", valueName: "degrees"))
    var azimuth = 30.0

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("View from this far above the horizon, -90 to 90; y is up.", valueName: "degrees"))
    var elevation = 20.0

    @Option(help: ArgumentHelp("Side of a picture, 16 to 8192.", valueName: "pixels"))
    var size = 1024

    @Option(help: ArgumentHelp("What is behind a surface.", valueName: "backdrop"))
    var background = Backdrop.white

    @Option(help: ArgumentHelp("The grid of a volume to picture (default: the first).", valueName: "name"))
    var grid: String?

    var isWanted: Bool { png != nil || render != nil }

    func validate() throws {
        if (slice == nil) != (png == nil) { throw ValidationError("--slice and --png belong together") }
        if png == "-", render == "-" { throw ValidationError("standard output takes one picture") }
        if !(16...8192).contains(size) { throw ValidationError("--size is \(size), expected 16 to 8192") }
        if !(-90.0...90).contains(elevation) {
            throw ValidationError("--elevation is \(elevation), expected -90 to 90")
        }
        if !azimuth.isFinite { throw ValidationError("--azimuth is \(azimuth), expected a number") }
    }

    /// Columns of a contact sheet that is as wide as it is high, or a row less high.
    static func columns(of files: Int) -> Int { (1...max(files, 1)).first { $0 * $0 >= files } ?? 1 }

    /// The side of one surface's picture, in pixels.
    func cell(of files: Int) -> Int { max(1, size / Self.columns(of: files)) }

    /// Opens the outputs, before work starts.
    func open() throws(Failure) -> PictureOutputs {
        PictureOutputs(slice: try png.map(outputOf), render: try render.map(outputOf))
    }

    private func outputOf(_ path: String) throws(Failure) -> Output { try Output(path: path) }
}

/// Where pictures go.
struct PictureOutputs {
    let slice: Output?
    let render: Output?
    /// The surfaces pictured so far.
    private var renders: [RasterImage] = []

    init(slice: Output?, render: Output?) {
        self.slice = slice
        self.render = render
    }

    /// Draws the pictures that are wanted of one of `files` files; the surface's waits for `finish(options:)`.
    mutating func draw(
        _ subject: borrowing Inspection, options: PictureOptions, files: Int, session: Session
    ) throws {
        if render != nil {
            let mesh = try session.stage("surface") {
                try subject.surface(grid: options.grid, threads: session.threads)
            }
            var view = RenderOptions()
            view.width = options.cell(of: files)
            view.height = view.width
            view.azimuth = options.azimuth
            view.elevation = options.elevation
            view.background = options.background == .white ? .white : .transparent
            view.threads = session.threads
            let picture = try session.stage("render") {
                SSDFImage.render(
                    positions: mesh.positions, triangles: mesh.triangles, normals: mesh.normals, options: view)
            }
            renders.append(picture.image)
        }
        if let slice, let plane = options.slice {
            let (metadata, voxels) = try subject.slice(
                grid: options.grid, axis: plane.axis, position: plane.position, threads: session.threads)
            try voxels.samples.image(
                metadata, zoom: max(1, options.size / max(voxels.columns.count, voxels.rows.count)),
                threads: session.threads
            ).writePNG(to: slice.sink)
            try slice.commit()
        }
    }

    /// Writes the picture of the surfaces: of one as it is, of several as a contact sheet.
    mutating func finish(options: PictureOptions) throws {
        guard let render, !renders.isEmpty else { return }
        let columns = PictureOptions.columns(of: renders.count)
        let background: SIMD4<UInt16> = options.background == .white ? SIMD4(repeating: .max) : .zero
        let picture =
            renders.count == 1
            ? renders[0]
            : RasterImage.contactSheet(
                renders, columns: columns, cell: options.cell(of: renders.count), background: background)
        try picture.writePNG(to: render.sink)
        try render.commit()
    }
}

extension VolumeSlice {
    var samples: SliceSamples { SliceSamples(width: columns.count, height: rows.count, values: values) }
}

extension SliceSamples {
    /// Signed values on both sides of the iso value; others from 0 up.
    fileprivate func image(_ metadata: GridMetadata, zoom: Int, threads: Int) -> RasterImage {
        let isSigned = metadata.kind == .sdf
        let iso = isSigned ? Float(metadata.isoValue) : 0
        let largest = values.reduce(0) { $1.isFinite ? max($0, abs($1 - iso)) : $0 }
        return image(
            map: isSigned ? .diverging : .sequential, iso: iso, range: max(largest, .leastNormalMagnitude), zoom: zoom,
            threads: threads)
    }
}
