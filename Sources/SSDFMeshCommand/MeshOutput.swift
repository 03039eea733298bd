import ArgumentParser
import SSDFCore
import SSDFMesh

extension MeshFileFormat: ExpressibleByArgument {}

/// The format of a mesh that is written: the one asked for, else the one that the suffix names, else ply on standard
/// output.
/// - Throws: `ValidationError` when the suffix names none.
package func meshFormat(asked: MeshFileFormat?, output: String) throws -> MeshFileFormat {
    if let asked { return asked }
    if output == "-" { return .ply }
    guard let format = MeshFileFormat(path: output) else {
        throw ValidationError("\(output): unknown suffix, expected .ply, .obj, .stl, .off or .glb, or --format")
    }
    return format
}
