import Dispatch
import SSDFCore
import SSDFMesh

/// Times reading a mesh file, or writing it in every format: one line of JSON for the script beside it to collect.
///
/// Usage: mesh-files-benchmark FILE THREADS [write]
@main
struct MeshFilesBenchmark {
    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        try body()
        return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }

    static func main() throws {
        guard CommandLine.arguments.count >= 3, let threads = Int(CommandLine.arguments[2]), threads > 0 else {
            print("usage: mesh-files-benchmark FILE THREADS [write]")
            return
        }
        var loaded: LoadedMesh?
        let read = try seconds { loaded = try loadMesh(path: CommandLine.arguments[1], threads: threads) }
        guard let loaded else { return }
        let peak = peakMemory()
        var parts = [
            "\"read\":\(read)", "\"triangles\":\(loaded.mesh.triangleCount)", "\"peak\":\(peak)",
        ]
        for format in MeshFileFormat.allCases where CommandLine.arguments.contains("write") {
            var bytes = 0
            let time = try seconds {
                try writeMesh(loaded.mesh, format: format, threads: threads) { part throws(Failure) in
                    bytes += part.count
                }
            }
            parts.append("\"write-\(format)\":\(time),\"bytes-\(format)\":\(bytes)")
        }
        print("{\(parts.joined(separator: ","))}")
    }
}
