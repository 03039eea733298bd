import SSDFCore
import SSDFMesh

/// What was asked for and what came out.
struct RemeshReport {
    let inputFaces: Int
    let faces: Int
    let askedFaces: Int?
    let notes: [String]
    let seconds: Double
    let distance: MeshDistance
    let quality: TriangleQuality

    init(
        input: TriangleMesh, output: TriangleMesh, askedFaces: Int?, notes: [String], seconds: Double, threads: Int
    ) {
        inputFaces = input.triangleCount
        faces = output.triangleCount
        self.askedFaces = askedFaces
        self.notes = notes
        self.seconds = seconds
        distance = MeshDistance(input, output, threads: threads)
        quality = TriangleQuality(output)
    }

    var text: String {
        "\(inputFaces) to \(faces) triangles, Hausdorff distance \(distance.hausdorff), mean distance \(distance.mean), "
            + "minimum angle \(quality.minimumAngle)°"
    }

    /// One object on one line of standard error. Distances in the mesh's units, angles in degrees.
    func printJSON() {
        func number(_ value: Float) -> String { value.isFinite ? "\(value)" : "null" }
        let text = notes.map { "\"" + $0.filter { $0 != "\"" && $0 != "\\" } + "\"" }.joined(separator: ", ")
        let line =
            "{\"asked_faces\": \(askedFaces.map { "\($0)" } ?? "null"), \"input_faces\": \(inputFaces), \"faces\": \(faces), "
            + "\"hausdorff\": \(number(distance.hausdorff)), \"mean_forward\": \(number(distance.meanForward)), "
            + "\"mean_backward\": \(number(distance.meanBackward)), \"minimum_angle\": \(number(quality.minimumAngle)), "
            + "\"angles_below_10\": \(quality.shareBelow10), \"edge_variation\": \(number(quality.edgeVariation)), "
            + "\"seconds\": \(seconds), \"notes\": [\(text)]}"
        writeStandardError(line)
    }
}
