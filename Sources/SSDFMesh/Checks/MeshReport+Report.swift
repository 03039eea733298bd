import SSDFCore

extension MeshReport {
    /// Adds what a person or a program wants to know of a mesh.
    /// - Parameter format: what its file was read as.
    package func add(to report: inout Report, format: String) {
        report.add("format", label: "format", format, .string(format))
        report.add("vertices", label: "vertices", grouped(vertexCount), .integer(vertexCount))
        report.add("triangles", label: "triangles", grouped(triangleCount), .integer(triangleCount))
        report.add("components", label: "components", grouped(components), .integer(components))
        addTopology(to: &report)
        addDefects(to: &report)
        report.add("area", label: "area", rounded(area), .number(area))
        report.add("volume", label: "volume", rounded(volume) + (isClosed ? "" : " (holes closed)"), .number(volume))
        if boundingBox.isEmpty {
            report.add("bounds", .null)
        } else {
            let (low, high) = (Vector3d(boundingBox.minimum), Vector3d(boundingBox.maximum))
            let axes = ["x", "y", "z"].enumerated().map { axis, name in
                "\(name) \(rounded(low[axis])) … \(rounded(high[axis]))"
            }
            report.add(
                "bounds", label: "bounds", axes.joined(separator: ", "),
                .array([low, high].map { .array([.number($0.x), .number($0.y), .number($0.z)]) }))
        }
        report.add(
            "minimum_angle", label: "smallest angle", "\(rounded(minimumAngle, digits: 4))°", .number(minimumAngle))
    }

    private func addTopology(to report: inout Report) {
        report.add(
            "closed", label: "closed",
            isClosed
                ? "yes"
                : "no, \(grouped(boundaryEdges)) boundary edges in \(grouped(boundaryLoops)) \(boundaryLoops == 1 ? "loop" : "loops")",
            .bool(isClosed))
        report.add("boundary_edges", .integer(boundaryEdges))
        report.add("boundary_loops", .integer(boundaryLoops))
        report.add(
            "manifold", label: "manifold",
            isManifold
                ? "yes" : "no, \(grouped(nonManifoldEdges)) edges and \(grouped(nonManifoldVertices)) vertices are not",
            .bool(isManifold))
        report.add("non_manifold_edges", .integer(nonManifoldEdges))
        report.add("non_manifold_vertices", .integer(nonManifoldVertices))
        let facing = isClosed ? (volume < 0 ? ", inwards" : ", outwards") : ""
        report.add(
            "consistently_oriented", label: "orientation",
            isConsistentlyOriented ? "consistent\(facing)" : "mixed, \(grouped(inconsistentEdges)) edges disagree",
            .bool(isConsistentlyOriented))
        report.add("inconsistent_edges", .integer(inconsistentEdges))
        report.add(
            "genus", label: "genus", genus.map { "\($0)" } ?? "undefined", genus.map { .integer($0) } ?? .null)
        report.add("euler_characteristic", .integer(eulerCharacteristic))
    }

    private func addDefects(to report: inout Report) {
        let defects = [
            (degenerateTriangles, "degenerate"), (duplicateTriangles, "duplicate"), (invalidTriangles, "invalid"),
        ].filter { $0.0 > 0 }.map { "\(grouped($0.0)) \($0.1)" }
        report.add(
            "degenerate_triangles", label: "bad triangles", defects.isEmpty ? "none" : defects.joined(separator: ", "),
            .integer(degenerateTriangles))
        report.add("duplicate_triangles", .integer(duplicateTriangles))
        report.add("invalid_triangles", .integer(invalidTriangles))
        report.add("unused_vertices", .integer(unusedVertices))
    }

    /// What keeps the mesh from being the surface of a solid, one line each; empty when nothing does.
    package var shortcomings: [String] {
        [
            (boundaryEdges, "boundary edges, expected 0"), (nonManifoldEdges, "non-manifold edges, expected 0"),
            (nonManifoldVertices, "non-manifold vertices, expected 0"),
            (inconsistentEdges, "edges between opposite orientations, expected 0"),
            (degenerateTriangles, "degenerate triangles, expected 0"),
            (duplicateTriangles, "duplicate triangles, expected 0"),
        ].filter { $0.0 > 0 }.map { "\(grouped($0.0)) \($0.1)" }
    }
}
