import SSDFCore
import SSDFMesh
import SSDFMeshCommand

/// What was asked for and what came out. Distances in the mesh's units, angles in degrees.
func remeshReport(
    input: TriangleMesh, outcome: RemeshOperations.Outcome, seconds: Double, threads: Int
) -> Report {
    let output = outcome.mesh
    let distance = MeshDistance(input, output, threads: threads)
    let quality = TriangleQuality(output)
    func text(_ value: Float) -> String { rounded(Double(value), digits: 4) }
    var report = Report(title: "remeshed")
    report.add("asked_faces", outcome.askedFaces.map { .integer($0) } ?? .null)
    report.add("asked_edge_length", outcome.askedLength.map { .number(Double($0)) } ?? .null)
    report.add("input_faces", .integer(input.triangleCount))
    report.add(
        "faces", label: "triangles", "\(grouped(input.triangleCount)) to \(grouped(output.triangleCount))",
        .integer(output.triangleCount))
    report.add(
        "hausdorff", label: "largest distance", text(distance.hausdorff), .number(Double(distance.hausdorff)))
    report.add("mean_distance", label: "mean distance", text(distance.mean), .number(Double(distance.mean)))
    report.add("mean_forward", .number(Double(distance.meanForward)))
    report.add("mean_backward", .number(Double(distance.meanBackward)))
    report.add(
        "minimum_angle", label: "smallest angle", "\(text(quality.minimumAngle))°",
        .number(Double(quality.minimumAngle)))
    report.add("angles_below_10", .number(quality.shareBelow10))
    report.add("mean_edge", label: "mean edge", text(quality.meanEdge), .number(Double(quality.meanEdge)))
    report.add("edge_variation", .number(Double(quality.edgeVariation)))
    report.add("seconds", label: "time", "\(rounded(seconds, digits: 3)) s", .number(seconds))
    report.add("notes", .array(outcome.notes.map { .string($0) }))
    return report
}
