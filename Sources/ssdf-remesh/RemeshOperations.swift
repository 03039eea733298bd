import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFMesh

/// The operations, in the order they run in.
struct RemeshOperations: ParsableArguments {
    @Option(help: ArgumentHelp("Simplify to this many triangles.", valueName: "count"))
    var faces: Int?

    @Option(help: ArgumentHelp("Simplify to this share of the triangles, 0 to 1.", valueName: "share"))
    var keep: Double?

    @Option(
        help: ArgumentHelp(
            "Simplify as far as the surfaces stay this close, in the mesh's units.", valueName: "distance"))
    var error: Float?

    func validate() throws {
        if [faces != nil, keep != nil, error != nil].filter({ $0 }).count > 1 {
            throw ValidationError("--faces, --keep and --error exclude each other")
        }
        if let faces, faces < 1 { throw ValidationError("--faces is \(faces), expected at least 1") }
        if let keep, !(keep > 0 && keep <= 1) { throw ValidationError("--keep is \(keep), expected 0 to 1") }
        if let error, !(error >= 0 && error.isFinite) {
            throw ValidationError("--error is \(error), expected 0 or more")
        }
    }

    private var target: SimplifyTarget? {
        if let faces { return .faces(faces) }
        if let keep { return .ratio(keep) }
        return error.map { .error($0) }
    }

    /// The triangles that the count or share comes to.
    func askedFaces(of input: TriangleMesh) -> Int? {
        faces ?? keep.map { max(1, Int((Double(input.triangleCount) * $0).rounded())) }
    }

    /// Runs what was asked for. Returns the mesh and what a person should know about it.
    func run(on input: TriangleMesh, session: Session, file: String) throws -> (TriangleMesh, [String]) {
        var mesh = input
        var notes: [String] = []
        if let target {
            var options = SimplifyOptions(target: target)
            options.threads = session.threads
            let result = try session.stage("simplify") {
                try simplify(mesh, options: options)
            } outcome: {
                "\($0.mesh.triangleCount) triangles"
            }
            mesh = result.mesh
            if let reason = result.stoppedBy {
                notes.append("\(file): \(mesh.triangleCount) triangles, \(result.askedFaces ?? 0) asked for: \(reason)")
            }
        }
        return (mesh, notes)
    }
}
