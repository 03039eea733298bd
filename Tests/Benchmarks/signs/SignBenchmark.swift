import FixtureMeshes
import SSDFCore
import SSDFMesh

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Measures how often `--sign auto` is wrong on broken meshes.
///
///     sign-benchmark RESOLUTION BREAKAGES MESH…
///
/// Breakages are joined by commas, or `all`; a mesh is a file, `fixture:NAME` or `fixture:clean`. Prints one line of JSON
/// for each mesh and breakage.
@main
struct SignBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 4, let resolution = Int(arguments[1]) else {
            throw Failure(.usage, "usage: sign-benchmark RESOLUTION BREAKAGES MESH…")
        }
        let breakages = try breakages(arguments[2])
        var options = VoxelizeOptions()
        options.resolution = resolution
        options.threads = availableProcessors()
        for argument in arguments[3...] {
            for (name, mesh) in try meshes(argument) {
                for breakage in breakages {
                    guard let (broken, clean) = breakage.applied(to: mesh) else { continue }
                    let errors = try SignErrors(broken, clean: clean, options: options)
                    print(
                        """
                        {"mesh": "\(name)", "triangles": \(mesh.triangleCount), "breakage": "\(breakage.rawValue)", \
                        "resolution": \(resolution), "voxels": \(errors.counted), "wrong": \(errors.wrong), \
                        "percent": \(100 * errors.share), "method": "\(errors.method)", \
                        "confidence": \(errors.confidence)}
                        """)
                    fflush(nil)
                }
            }
        }
    }

    static func breakages(_ names: String) throws(Failure) -> [Breakage] {
        if names == "all" { return Breakage.allCases }
        var found: [Breakage] = []
        for name in names.split(separator: ",") {
            guard let breakage = Breakage(rawValue: String(name)) else {
                throw Failure(
                    .usage,
                    "\(name) is no breakage: expected \(Breakage.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            found.append(breakage)
        }
        return found
    }

    /// The meshes that an argument names.
    static func meshes(_ argument: String) throws -> [(name: String, mesh: TriangleMesh)] {
        if argument == "fixture:clean" { return FixtureMesh.clean.map { ($0.name, $0.mesh) } }
        if argument.hasPrefix("fixture:") {
            let fixture = FixtureMesh.named(String(argument.dropFirst("fixture:".count)))
            return [(fixture.name, fixture.mesh)]
        }
        let name = argument.split(separator: "/").last.map(String.init) ?? argument
        return [(name, try loadMesh(path: argument, threads: availableProcessors()).mesh)]
    }
}
