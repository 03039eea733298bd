import SSDFCore
import SSDFMesh
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Times extraction, hands the same band to peers, and judges meshes by the same report.
///
///     extract-benchmark time MESH RESOLUTION HALF-WIDTH METHOD THREADS
///     extract-benchmark dump MESH RESOLUTION HALF-WIDTH OUT     voxels as four 32-bit numbers: x, y, z, distance
///     extract-benchmark judge POSITIONS TRIANGLES               raw 32-bit floats and indices
///
/// Each prints one line of JSON.
@main
struct ExtractBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "time" where arguments.count == 7: try time(arguments)
        case "dump" where arguments.count == 6: try dump(arguments)
        case "judge" where arguments.count == 4: try judge(arguments)
        default:
            throw Failure(.usage, "usage: extract-benchmark time|dump|judge …")
        }
    }

    static func band(_ arguments: [String]) throws(Failure) -> SparseVolume {
        guard let resolution = Int(arguments[3]), let halfWidth = Double(arguments[4]) else {
            throw Failure(.usage, "resolution and half width are numbers")
        }
        let loaded = try loadMesh(path: arguments[2], threads: availableProcessors())
        var options = VoxelizeOptions()
        options.resolution = resolution
        options.halfWidth = halfWidth
        options.threads = availableProcessors()
        return try voxelize(loaded.mesh, options: options)
    }

    /// Median of seven runs, in seconds, the tables made by the first.
    static func time(_ arguments: [String]) throws {
        guard let method = ExtractMethod(rawValue: arguments[5]), let threads = Int(arguments[6]) else {
            throw Failure(.usage, "methods are mc, dmc and dc")
        }
        let volume = try band(arguments)
        let before = residentMemory()
        let options = ExtractOptions(method: method, coordinates: .cube, threads: threads)
        var times: [Double] = []
        var mesh = TriangleMesh()
        var peak = 0
        let clock = ContinuousClock()
        for _ in 0..<7 {
            mesh = TriangleMesh()
            resetPeakMemory()
            let start = clock.now
            mesh = try extractSurface(volume, options: options)
            let elapsed = clock.now - start
            times.append(Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18)
            peak = max(peak, peakResidentMemory() - before)
        }
        times.sort()
        let start = clock.now
        let report = MeshReport(mesh, threads: threads)
        let examined = clock.now - start
        print(
            """
            {"program": "ssdf \(method.rawValue)", "threads": \(threads), "voxels": \(volume.activeCount), \
            "seconds": \(times[3]), "fastest": \(times[0]), "peakBytes": \(peak), \(quality(report)), \
            "reportSeconds": \(Double(examined.components.attoseconds) * 1e-18 + Double(examined.components.seconds))}
            """)
    }

    static func dump(_ arguments: [String]) throws {
        let volume = try band(arguments)
        guard let file = fopen(arguments[5], "wb") else {
            throw Failure(.cannotCreate, file: arguments[5], "cannot be created")
        }
        volume.forEachActiveVoxel { row, voxel in
            let record = (voxel.x, voxel.y, voxel.z, volume.values.pointer[row])
            _ = withUnsafeBytes(of: record) { fwrite($0.baseAddress, 1, 16, file) }
        }
        fclose(file)
        print("{\"voxels\": \(volume.activeCount), \"voxelSize\": \(volume.metadata.voxelSize)}")
    }

    static func judge(_ arguments: [String]) throws {
        let mesh = TriangleMesh(
            positions: try numbers(arguments[2]), triangles: try numbers(arguments[3]))
        print("{\(quality(MeshReport(mesh, threads: availableProcessors())))}")
    }

    static func quality(_ report: MeshReport) -> String {
        """
        "vertices": \(report.vertexCount), "triangles": \(report.triangleCount), "closed": \(report.isClosed), \
        "manifold": \(report.isManifold), "oriented": \(report.isConsistentlyOriented), \
        "boundaryEdges": \(report.boundaryEdges), "nonManifoldEdges": \(report.nonManifoldEdges), \
        "nonManifoldVertices": \(report.nonManifoldVertices), "duplicates": \(report.duplicateTriangles), \
        "degenerate": \(report.degenerateTriangles), "minimumAngle": \(report.minimumAngle)
        """
    }

    static func numbers<Number: BitwiseCopyable>(_ path: String) throws -> [Number] {
        guard let file = fopen(path, "rb") else { throw Failure(.noInput, file: path, "cannot be opened") }
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        let count = ftell(file) / MemoryLayout<Number>.stride
        rewind(file)
        return Array(filling: count) { storage in
            _ = fread(storage.baseAddress, MemoryLayout<Number>.stride, count, file)
        }
    }

    /// A value of /proc/self/status, bytes.
    static func status(_ key: String) -> Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix(key) {
                return 1024 * (Int(text.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0)
            }
        }
        return 0
    }

    static func residentMemory() -> Int { status("VmRSS:") }
    static func peakResidentMemory() -> Int { status("VmHWM:") }

    /// Writing 5 there sets the peak back to what is resident.
    static func resetPeakMemory() {
        guard let file = fopen("/proc/self/clear_refs", "w") else { return }
        fputs("5", file)
        fclose(file)
    }
}
