import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFOpenVDB
import SSDFVolume

@main
struct Convert: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-convert", abstract: "Convert volumes between .ssdf, NumPy, NRRD and OpenVDB.",
        version: ssdfVersion)

    static var libraries: [String] { ["zstd \(zstdVersion)", "OpenVDB: \(OpenVDB.version ?? "not built in")"] }

    @Argument(
        help: ArgumentHelp("The volume: .ssdf, .npz, .npy, .nrrd or .vdb; - is standard input.", valueName: "volume"),
        completion: .file())
    var input: String

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Where the result goes; the suffix chooses the format; - is standard output.", valueName: "file"),
        completion: .file())
    var output = "-"

    @Option(help: ArgumentHelp("The format to write, whatever the suffix (default for -: ssdf).", valueName: "format"))
    var format: VolumeFormat?

    @Option(help: ArgumentHelp("The grid to convert (default: all, or the first where one fits).", valueName: "name"))
    var grid: String?

    @Option(help: ArgumentHelp("What an .npz holds: the active voxels, or every voxel.", valueName: "layout"))
    var layout: ExportOptions.Layout = .voxels

    @Option(parsing: .unconditional, help: ArgumentHelp("First voxel of the part to convert.", valueName: "x,y,z"))
    var from: VoxelCoordinate?

    @Option(parsing: .unconditional, help: ArgumentHelp("Last voxel of the part to convert.", valueName: "x,y,z"))
    var through: VoxelCoordinate?

    @Option(help: ArgumentHelp("How values are stored: i16 and i8 in .ssdf, f16 not in .nrrd.", valueName: "type"))
    var dtype = ValueType.f32

    @Flag(help: "Store bytes as they are, instead of packed as the format has it.")
    var uncompressed = false

    @OptionGroup var meaning: MeaningOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if (from == nil) != (through == nil) { throw ValidationError("--from and --through belong together") }
        if let from, let through, through.x < from.x || through.y < from.y || through.z < from.z {
            throw ValidationError("--through lies before --from, expected a box of voxels")
        }
        guard let target else {
            throw ValidationError("the suffix of \(output) names no format, expected ssdf, npz, nrrd, vdb, or --format")
        }
        if layout == .dense, target != .npz { throw ValidationError("--layout belongs to .npz") }
        let types: [ValueType] = target == .ssdf ? ValueType.allCases : target == .nrrd ? [.f32] : [.f32, .f16]
        if !types.contains(dtype) {
            let names = types.map(\.name).joined(separator: " or ")
            throw ValidationError("--dtype is \(dtype.name), expected \(names) in .\(target.rawValue)")
        }
    }

    private var target: VolumeFormat? {
        format ?? (output == "-" ? .ssdf : VolumeFormat(suffixOf: output))
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        try checkInput(input)
        let target = target ?? .ssdf
        if target == .vdb || VolumeFormat(suffixOf: input) == .vdb { try OpenVDB.requireSupport() }
        let out = try Output(path: output)

        var options = ImportOptions()
        meaning.apply(to: &options)
        options.memory = common.memoryBudget
        options.threads = session.threads
        var source = GridSource(grid: grid, isSingle: target == .npz || target == .nrrd, options: options)
        if let from, let through { source.box = VoxelBox(from: from, through: through) }

        var export = ExportOptions()
        export.layout = layout
        export.isHalf = dtype == .f16
        export.isDeflated = !uncompressed
        export.box = source.box
        export.memory = common.memoryBudget
        export.threads = session.threads
        let coding = VolumeWriteOptions(
            dtype: dtype, codec: uncompressed ? .none : .zstd, threads: session.threads)
        let sink = try VolumeSink(format: target, coding: coding, options: export, to: out)
        var count = 0
        try session.stage("convert", file: input) {
            try source.forEachGrid(in: input, session: session) { volume, fileBytes in
                let bytes = volume.byteCount + export.memory(for: volume, as: target)
                try session.foresee("writing", MemoryEstimate(bytes: bytes, mapped: fileBytes), file: input)
                try sink.write(volume)
                count += volume.activeCount
            }
        } outcome: { _ in
            "\(grouped(count)) active voxels"
        }
        try session.stage("write", file: output) {
            try sink.finish()
        }
        session.notePeak()
    }
}

/// What a file of another program does not say itself.
struct MeaningOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The array of an .npz that holds the values.", valueName: "name"))
    var array: String?

    @Option(help: ArgumentHelp("What values mean, where the file does not say (default: sdf).", valueName: "kind"))
    var kind: GridMetadata.Kind?

    @Option(parsing: .unconditional, help: ArgumentHelp("The value of voxels that are not active.", valueName: "value"))
    var background: Double?

    @Option(
        name: .customLong("voxel-size"),
        help: ArgumentHelp("Side of a voxel in world units, with voxel (0,0,0) at the origin.", valueName: "length"))
    var voxelSize: Double?

    func validate() throws {
        if let voxelSize, !(voxelSize > 0 && voxelSize.isFinite) {
            throw ValidationError("--voxel-size is \(voxelSize), expected a length > 0")
        }
        if let background, !background.isFinite {
            throw ValidationError("--background is \(background), expected a number")
        }
    }

    func apply(to options: inout ImportOptions) {
        options.array = array
        options.kind = kind
        options.background = background
        options.voxelSize = voxelSize
    }
}
