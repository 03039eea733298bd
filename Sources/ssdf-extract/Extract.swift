import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFMesh
import SSDFVolume

@main
struct Extract: Tool {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-extract", abstract: "Extract the surface of a sparse signed distance volume as a mesh.",
        version: ssdfVersion)

    static var libraries: [String] { ["zstd \(zstdVersion)"] }

    @Argument(
        help: ArgumentHelp("The .ssdf file; - is standard input.", valueName: "volume"),
        completion: .file(extensions: ["ssdf"]))
    var input: String

    @Option(
        name: [.short, .long], help: ArgumentHelp("Where the mesh goes; - is standard output.", valueName: "mesh"),
        completion: .file())
    var output = "-"

    @Option(help: ArgumentHelp("The grid of the file (default: the first).", valueName: "name"))
    var grid: String?

    @Option(help: ArgumentHelp("Marching cubes, dual marching cubes or dual contouring.", valueName: "method"))
    var method = ExtractMethod.mc

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Level of the surface, in the values' units (default: the one in the file).", valueName: "level"))
    var iso: Double?

    @Option(
        help: ArgumentHelp(
            "The mesh in the place and units of the original, of the cube, or of voxels.", valueName: "system"))
    var coordinates = ExtractCoordinates.original

    @Option(
        help: ArgumentHelp("The mesh's format (default: by the output's suffix; ply on a pipe).", valueName: "format"))
    var format: MeshFileFormat?

    @Flag(help: "Give every vertex a normal.")
    var normals = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let iso, !iso.isFinite { throw ValidationError("--iso is \(iso), expected a number") }
        _ = try outputFormat()
    }

    func run() throws {
        let session = try common.session(tool: Self.toolName)
        let format = try outputFormat()
        try checkInput(input)
        let out = try Output(path: output)

        var fileBytes = 0
        let volume = try session.stage("read") {
            let file = try VolumeFile(path: input)
            let grid = try file.grid(named: grid)
            fileBytes = file.byteCount
            try session.foresee("reading", MemoryEstimate(bytes: grid.byteCount, mapped: fileBytes), file: input)
            return try file.read(grid, threads: session.threads)
        } outcome: {
            "\(grouped($0.activeCount)) active voxels"
        }
        var options = ExtractOptions(method: method, coordinates: coordinates, threads: session.threads)
        options.iso = iso
        options.normals = normals
        try session.foresee(
            "extracting", MemoryEstimate(bytes: volume.byteCount + options.memory(for: volume), mapped: fileBytes),
            file: input)
        options.progress = session.progress("extract")
        let mesh = try session.stage("extract", file: input) {
            try extractSurface(volume, options: options)
        } outcome: {
            "\(grouped($0.triangleCount)) triangles"
        }
        if mesh.triangleCount == 0 { session.warn("\(input): no surface at level \(iso ?? volume.metadata.isoValue)") }
        try session.stage("write", file: output) {
            try writeMesh(mesh, format: format, threads: session.threads, to: out.sink)
            try out.commit()
        }
        session.notePeak()
    }

    private func outputFormat() throws -> MeshFileFormat {
        if let format { return format }
        guard let dot = output.lastIndex(of: "."), !output[dot...].contains("/") else { return .ply }
        let suffix = output[output.index(after: dot)...].lowercased()
        guard let format = MeshFileFormat(rawValue: suffix) else {
            let known = MeshFileFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("the suffix of \(output) names no format, expected \(known), or --format")
        }
        return format
    }
}

extension ExtractMethod: ExpressibleByArgument {}
extension ExtractCoordinates: ExpressibleByArgument {}
extension MeshFileFormat: ExpressibleByArgument {}
