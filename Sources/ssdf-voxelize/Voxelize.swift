import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFMesh
import SSDFVolume

@main
struct Voxelize: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-voxelize", abstract: "Turn a mesh into a sparse signed distance volume.",
        version: ssdfVersion)

    static var libraries: [String] { ["zstd \(zstdVersion)"] }

    @Argument(
        help: ArgumentHelp(
            "The mesh: OBJ, PLY, STL, OFF, or what Assimp reads; - is standard input.", valueName: "mesh"),
        completion: .file())
    var input: String

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Where the .ssdf goes; - is standard output.", valueName: "volume"), completion: .file())
    var output = "-"

    @Option(help: ArgumentHelp("Voxels along the cube's side, 16 to 4096 (default: 512).", valueName: "voxels"))
    var resolution: Int?

    @Option(
        name: .customLong("voxel-size"),
        help: ArgumentHelp("Side of a voxel in the mesh's own units, instead of --resolution.", valueName: "length"))
    var voxelSize: Double?

    @Option(
        name: .customLong("half-width"),
        help: ArgumentHelp("Voxels this far from the surface are active, in voxels, 1 to 64.", valueName: "voxels"))
    var halfWidth = 4.0

    @Flag(
        inversion: .prefixedNo,
        help: "Move and scale the mesh so that its longest side is 1.9 in the cube [-1,1]³, centred.")
    var normalize = true

    @Option(help: ArgumentHelp("How inside is told from outside.", valueName: "method"))
    var sign = SignChoice.auto

    @Option(help: ArgumentHelp("The mesh's axis that points up; it becomes y.", valueName: "axis"))
    var up = UpAxis.y

    @Option(help: ArgumentHelp("How values are stored.", valueName: "type"))
    var dtype = ValueType.f32

    @Option(help: ArgumentHelp("How bricks are compressed.", valueName: "codec"))
    var codec = Codec.zstd

    @Option(help: ArgumentHelp("Compression level, -50 to 19.", valueName: "level"))
    var level = 1

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let resolution, !VoxelizeOptions.resolutions.contains(resolution) {
            throw ValidationError("--resolution is \(resolution), expected 16 to 4096")
        }
        if resolution != nil, voxelSize != nil {
            throw ValidationError("--resolution and --voxel-size exclude each other")
        }
        if let voxelSize, !(voxelSize > 0 && voxelSize.isFinite) {
            throw ValidationError("--voxel-size is \(voxelSize), expected a length > 0")
        }
        if !VoxelizeOptions.halfWidths.contains(halfWidth) {
            throw ValidationError("--half-width is \(halfWidth), expected 1 to 64")
        }
        if !(-50...19).contains(level) { throw ValidationError("--level is \(level), expected -50 to 19") }
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        try checkInput(input)
        let out = try Output(path: output)

        let source = try session.stage("read") {
            try loadMesh(path: input, threads: session.threads)
        } outcome: {
            "\(grouped($0.mesh.triangleCount)) triangles"
        }
        var options = VoxelizeOptions()
        options.resolution = resolution ?? options.resolution
        options.voxelSize = voxelSize
        options.halfWidth = halfWidth
        options.normalize = normalize
        options.sign = sign
        options.up = up
        options.threads = session.threads
        try session.foresee("voxelizing", MemoryEstimate(bytes: options.memory(for: source.mesh)), file: input)
        options.progress = session.progress("voxelize")
        var volume = try session.stage("voxelize", file: input) {
            try voxelize(source.mesh, options: options)
        } outcome: {
            "\(grouped($0.activeCount)) active voxels, sign \($0.metadata.signMethod.name)"
        }
        volume.metadata.sourceHash = source.contentHash
        volume.metadata.tool = "\(Self.toolName) \(ssdfVersion)"
        volume.metadata.arguments = recordedArguments
        try session.stage("write", file: output) {
            let coding = VolumeWriteOptions(dtype: dtype, codec: codec, level: level, threads: session.threads)
            try writeVolume(volume, options: coding, to: out.sink)
            try out.commit()
        }
        session.notePeak()
    }

    /// What shaped the result, in one order however it was typed.
    private var recordedArguments: [String] {
        let size =
            voxelSize.map { "--voxel-size=\($0)" } ?? "--resolution=\(resolution ?? VoxelizeOptions().resolution)"
        return [
            size, "--half-width=\(halfWidth)", normalize ? "--normalize" : "--no-normalize", "--sign=\(sign.rawValue)",
            "--up=\(up.rawValue)", "--dtype=\(dtype.name)", "--codec=\(codec.name)", "--level=\(level)",
        ]
    }
}

extension SignChoice: ExpressibleByArgument {}
extension UpAxis: ExpressibleByArgument {}

extension ValueType: ExpressibleByArgument {
    public init?(argument: String) {
        guard let type = Self.allCases.first(where: { $0.name == argument }) else { return nil }
        self = type
    }

    public var defaultValueDescription: String { name }
    public static var allValueStrings: [String] { allCases.map(\.name) }
}

extension Codec: ExpressibleByArgument {
    public init?(argument: String) {
        guard let codec = Self.allCases.first(where: { $0.name == argument }) else { return nil }
        self = codec
    }

    public var defaultValueDescription: String { name }
    public static var allValueStrings: [String] { allCases.map(\.name) }
}
