import SSDFCore
import SSDFMesh

/// Times remeshing, hands the same mesh to peers, and judges all results by the same measure.
///
///     remesh-benchmark simplify MESH SHARE UNIT           to this share of the triangles
///     remesh-benchmark unfitted MESH SHARE UNIT           the same, but vertices stay where edges collapsed to
///     remesh-benchmark remesh MESH LENGTH CREASE ROUNDS   isotropic; the unit is the length. Also the least angle between two
///                                                         creases at one corner, where it is below 25°
///     remesh-benchmark dump MESH POSITIONS TRIANGLES      raw 32-bit floats and indices
///     remesh-benchmark judge MESH POSITIONS TRIANGLES UNIT PROGRAM SECONDS
///
/// One thread. Each but `dump` prints one line of JSON; distances are in `UNIT`s.
@main
struct RemeshBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        func number(_ index: Int) throws -> Double {
            guard let value = Double(arguments[index]) else {
                throw Failure(.usage, "\(arguments[index]) is no number")
            }
            return value
        }
        guard arguments.count > 2 else { throw Failure(.usage, "usage: remesh-benchmark simplify|remesh|dump|judge …") }
        let mesh = try loadMesh(path: arguments[2], threads: availableProcessors()).mesh
        switch (arguments[1], arguments.count) {
        case ("simplify", 5), ("unfitted", 5):
            var options = SimplifyOptions(target: .ratio(try number(3)))
            options.refits = arguments[1] == "simplify"
            let (result, seconds) = try fastest { try simplify(mesh, options: options).mesh }
            print(row(options.refits ? "ssdf" : "ssdf, unfitted", mesh, result, unit: try number(4), seconds))
        case ("remesh", 6):
            var options = IsotropicOptions(edgeLength: Float(try number(3)))
            options.creaseAngle = try number(4)
            options.iterations = Int(try number(5))
            let (result, seconds) = try fastest { try remeshIsotropic(mesh, options: options) }
            let corners = CreaseCorners(mesh, creaseAngle: options.creaseAngle, below: 25)
            let more = [
                JSONValue.Member("minimumCreaseAngle", .number(corners.corners.map(\.angle).min() ?? 180))
            ]
            print(
                row("ssdf, \(options.iterations) rounds", mesh, result, unit: try number(3), seconds, more))
        case ("dump", 5):
            try write(mesh.positions, to: arguments[3])
            try write(mesh.triangles, to: arguments[4])
        case ("judge", 8):
            let result = TriangleMesh(positions: try read(arguments[3]), triangles: try read(arguments[4]))
            print(row(arguments[6], mesh, result, unit: try number(5), try number(7)))
        default:
            throw Failure(.usage, "usage: remesh-benchmark simplify|remesh|dump|judge …")
        }
    }

    /// The fastest of three runs.
    static func fastest(_ body: () throws -> TriangleMesh) rethrows -> (TriangleMesh, Double) {
        var least = Double.infinity
        var result = TriangleMesh()
        let clock = ContinuousClock()
        for _ in 0..<3 {
            result = TriangleMesh()
            let start = clock.now
            result = try body()
            least = min(least, (clock.now - start) / .seconds(1))
        }
        return (result, least)
    }

    static func row(
        _ program: String, _ input: TriangleMesh, _ output: TriangleMesh, unit: Double, _ seconds: Double,
        _ more: [JSONValue.Member] = []
    ) -> JSONValue {
        let distance = MeshDistance(input, output, threads: availableProcessors())
        let quality = TriangleQuality(output)
        let report = MeshReport(output, threads: availableProcessors())
        func number(_ value: Float) -> JSONValue { .number(Double(value)) }
        return .object(
            [
                JSONValue.Member("program", .string(program)), JSONValue.Member("seconds", .number(seconds)),
                JSONValue.Member("triangles", .integer(output.triangleCount)),
                JSONValue.Member("mean", .number(Double(distance.mean) / unit)),
                JSONValue.Member("hausdorff", .number(Double(distance.hausdorff) / unit)),
                JSONValue.Member("hausdorffForward", .number(Double(distance.maximumForward) / unit)),
                JSONValue.Member("hausdorffBackward", .number(Double(distance.maximumBackward) / unit)),
                JSONValue.Member("minimumAngle", number(quality.minimumAngle)),
                JSONValue.Member("below10", .number(quality.shareBelow10)),
                JSONValue.Member("edgeVariation", number(quality.edgeVariation)),
                JSONValue.Member("meanEdge", .number(Double(quality.meanEdge) / unit)),
                JSONValue.Member("boundaryEdges", .integer(report.boundaryEdges)),
                JSONValue.Member("nonManifoldEdges", .integer(report.nonManifoldEdges)),
                JSONValue.Member("zeroArea", .integer(report.degenerateTriangles)),
            ] + more)
    }
}
