import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFMesh

/// The operations, in the order they run in.
package struct RemeshOperations: ParsableArguments {
    @Flag(help: "Weld, drop bad faces, turn faces outward, separate what is not manifold.")
    package var repair = false

    @Option(help: ArgumentHelp("With --repair, weld vertices this near, in the mesh's units.", valueName: "distance"))
    package var weld: Float?

    @Option(
        help: ArgumentHelp(
            "Keep some pieces: largest, this many, or those of an area: area=A.", valueName: "which"))
    package var components: ComponentChoice?

    @Flag(name: .customLong("remove-interior"), help: "Drop faces that cannot be seen from outside.")
    package var removeInterior = false

    @Flag(name: .customLong("fill-holes"), help: "Fill holes.")
    package var fillHoles = false

    @Option(
        name: .customLong("max-hole-edges"),
        help: ArgumentHelp("With --fill-holes, leave larger holes open.", valueName: "count"))
    package var maxHoleEdges: Int?

    @Option(help: ArgumentHelp("Smooth, this many rounds, without shrinking.", valueName: "rounds"))
    package var smooth: Int?

    @Option(
        name: .customLong("edge-length"),
        help: ArgumentHelp("Remesh with even triangles of this edge, in the mesh's units.", valueName: "length"))
    package var edgeLength: Float?

    @Option(
        name: .customLong("edge-ratio"),
        help: ArgumentHelp("The same, as a share of the diagonal of the mesh's box.", valueName: "share"))
    package var edgeRatio: Float?

    @Option(help: ArgumentHelp("Remeshing keeps edges whose faces turn by more than this.", valueName: "degrees"))
    package var crease = 40.0

    @Option(help: ArgumentHelp("Rounds of remeshing.", valueName: "rounds"))
    package var iterations = 6

    @Option(help: ArgumentHelp("Simplify to this many triangles.", valueName: "count"))
    package var faces: Int?

    @Option(help: ArgumentHelp("Simplify to this share of the triangles, 0 to 1.", valueName: "share"))
    package var keep: Double?

    @Option(
        help: ArgumentHelp(
            "Simplify as far as the surfaces stay this close, in the mesh's units.", valueName: "distance"))
    package var error: Float?

    @Flag(help: "Write vertex normals.")
    package var normals = false

    /// The defaults, before the command line is read: nothing is done.
    package init() {}

    /// - Throws: `ValidationError` for options that exclude each other or are out of range.
    package func validate() throws {
        if [faces != nil, keep != nil, error != nil].filter({ $0 }).count > 1 {
            throw ValidationError("--faces, --keep and --error exclude each other")
        }
        if edgeLength != nil, edgeRatio != nil {
            throw ValidationError("--edge-length and --edge-ratio exclude each other")
        }
        if let weld {
            if !repair { throw ValidationError("--weld belongs to --repair") }
            if !(weld >= 0 && weld.isFinite) { throw ValidationError("--weld is \(weld), expected 0 or more") }
        }
        if let maxHoleEdges {
            if !fillHoles { throw ValidationError("--max-hole-edges belongs to --fill-holes") }
            if maxHoleEdges < 3 {
                throw ValidationError("--max-hole-edges is \(maxHoleEdges), expected at least 3")
            }
        }
        if let smooth, !(0...10_000).contains(smooth) {
            throw ValidationError("--smooth is \(smooth), expected 0 to 10000")
        }
        for (name, length) in [("--edge-length", edgeLength), ("--edge-ratio", edgeRatio)] {
            if let length, !(length > 0 && length.isFinite) {
                throw ValidationError("\(name) is \(length), expected more than 0")
            }
        }
        if !(crease >= 0 && crease <= 180) { throw ValidationError("--crease is \(crease), expected 0 to 180") }
        if !(1...100).contains(iterations) {
            throw ValidationError("--iterations is \(iterations), expected 1 to 100")
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

    /// Bytes that the operations take at their most, the mesh itself among them; measured, in bytes a triangle of what each
    /// works on.
    package func memory(for mesh: TriangleMesh) -> Int {
        var triangles = Double(mesh.triangleCount)
        var most = 60 * triangles
        if components != nil { most = max(most, 200 * triangles) }
        if smooth != nil { most = max(most, 300 * triangles) }
        if fillHoles || removeInterior { most = max(most, 320 * triangles) }
        if repair { most = max(most, 350 * triangles) }
        if let length = edgeLength ?? edgeRatio.map({ $0 * mesh.boundingBox.size.length }), length > 0 {
            let made = mesh.surfaceArea / (Double(length * length) * 3.0.squareRoot() / 4)
            most = max(most, 130 * triangles + 160 * max(made, triangles))
            triangles = max(made, 1)
        }
        // An error takes samples and a tree of what is simplified; the other targets its vertices' way.
        if target != nil { most = max(most, (error == nil ? 260 : 560) * triangles) }
        return Int(min(most, 1e15))
    }

    /// What came of the operations.
    package struct Outcome {
        /// The mesh that came out.
        package var mesh: TriangleMesh
        /// The triangles that a count or share came to.
        package var askedFaces: Int?
        /// The edge length that was asked for, in the mesh's units.
        package var askedLength: Float?
        /// What a person should know about it, one line each.
        package var notes: [String] = []
    }

    /// Runs what was asked for.
    package func run(on input: TriangleMesh, session: Session, file: String) throws -> Outcome {
        var outcome = Outcome(mesh: input)
        try clean(&outcome, session: session, file: file)
        if let smooth {
            var options = SmoothOptions(iterations: smooth)
            options.threads = session.threads
            let mesh = outcome.mesh
            outcome.mesh = try session.stage("smooth", file: file) { try SSDFMesh.smooth(mesh, options: options) }
        }
        if let length = edgeLength ?? edgeRatio.map({ $0 * outcome.mesh.boundingBox.size.length }),
            outcome.mesh.triangleCount > 0
        {
            var options = IsotropicOptions(edgeLength: length)
            options.creaseAngle = crease
            options.iterations = iterations
            options.threads = session.threads
            outcome.askedLength = length
            let mesh = outcome.mesh
            outcome.mesh = try session.stage("remesh", file: file) {
                try remeshIsotropic(mesh, options: options)
            } outcome: {
                "\($0.triangleCount) triangles"
            }
        }
        if let target {
            var options = SimplifyOptions(target: target)
            options.threads = session.threads
            let mesh = outcome.mesh
            let result = try session.stage("simplify", file: file) {
                try simplify(mesh, options: options)
            } outcome: {
                "\($0.mesh.triangleCount) triangles"
            }
            outcome.mesh = result.mesh
            outcome.askedFaces = result.askedFaces
            if let reason = result.stoppedBy {
                let asked = result.askedFaces.map { ", \($0) asked for" } ?? ""
                outcome.notes.append("\(result.mesh.triangleCount) triangles\(asked): \(reason)")
            }
        }
        if normals { outcome.mesh.normals = vertexNormals(outcome.mesh) }
        return outcome
    }

    /// The operations that mend a mesh.
    private func clean(_ outcome: inout Outcome, session: Session, file: String) throws {
        if repair {
            var options = RepairOptions()
            options.weldDistance = weld ?? 0
            options.threads = session.threads
            let mesh = outcome.mesh
            outcome.mesh = try session.stage("repair", file: file) {
                try SSDFMesh.repair(mesh, options: options)
            } outcome: {
                $0.summary.joined(separator: ", ")
            }.mesh
        }
        if let components {
            outcome.mesh = try session.stage("components", file: file) {
                keepComponents(outcome.mesh, components)
            } outcome: {
                "\($0.triangleCount) triangles"
            }
        }
        if removeInterior {
            var options = RemoveInteriorOptions()
            options.threads = session.threads
            let mesh = outcome.mesh
            outcome.mesh = try session.stage("remove-interior", file: file) {
                try SSDFMesh.removeInterior(mesh, options: options)
            } outcome: {
                "\($0.removedTriangles) triangles removed"
            }.mesh
        }
        if fillHoles {
            var options = FillHolesOptions()
            options.maximumEdges = maxHoleEdges ?? .max
            options.threads = session.threads
            let mesh = outcome.mesh
            let result = try session.stage("fill-holes", file: file) {
                SSDFMesh.fillHoles(mesh, options: options)
            } outcome: {
                "\($0.filledHoles) holes filled with \($0.addedTriangles) triangles"
            }
            outcome.mesh = result.mesh
            outcome.mesh.removeUnusedVertices()
            if result.skippedHoles > 0 {
                outcome.notes.append("\(result.skippedHoles) holes have more than \(maxHoleEdges ?? 0) edges and stay")
            }
        }
    }
}

extension ComponentChoice: ExpressibleByArgument {
    /// The choice that a person typed: "largest", a count, or "area=" and an area; nil for anything else.
    package init?(argument: String) {
        if argument == "largest" {
            self = .largest
        } else if let count = Int(argument), count > 0 {
            self = .count(count)
        } else if argument.hasPrefix("area="), let area = Double(argument.dropFirst(5)), area >= 0, area.isFinite {
            self = .leastArea(area)
        } else {
            return nil
        }
    }
}
