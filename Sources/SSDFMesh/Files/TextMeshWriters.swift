import CSSDFKernels
import SSDFCore

/// Writes OBJ: `v`, `vn` when there are normals, and `f` lines.
func writeOBJ(_ mesh: TriangleMesh, threads: Int, to sink: ByteSink) throws(Failure) {
    try write("# written by ssdf: \(mesh.vertexCount) vertices, \(mesh.triangleCount) triangles\n", to: sink)
    try writePoints(mesh.positions, prefix: "v ", threads: threads, to: sink)
    if mesh.hasNormals { try writePoints(mesh.normals, prefix: "vn ", threads: threads, to: sink) }
    try writeTriangles(mesh, prefix: "f ", first: 1, doubled: mesh.hasNormals, threads: threads, to: sink)
}

/// Writes OFF, or NOFF when there are normals.
func writeOFF(_ mesh: TriangleMesh, threads: Int, to sink: ByteSink) throws(Failure) {
    try write("\(mesh.hasNormals ? "NOFF" : "OFF")\n\(mesh.vertexCount) \(mesh.triangleCount) 0\n", to: sink)
    if mesh.hasNormals {
        let size = 6 * (Int(SSDF_FLOAT_TEXT) + 1)
        try writeRecords(mesh.vertexCount, recordSize: size, threads: threads, to: sink) { range, out in
            mesh.positions.withUnsafeBufferPointer { points in
                mesh.normals.withUnsafeBufferPointer { normals in
                    out.withMemoryRebound(to: CChar.self, capacity: size * range.count) { out in
                        ssdf_format_points_with_normals(
                            points.baseAddress! + 3 * range.lowerBound, normals.baseAddress! + 3 * range.lowerBound,
                            range.count, out)
                    }
                }
            }
        }
    } else {
        try writePoints(mesh.positions, prefix: "", threads: threads, to: sink)
    }
    try writeTriangles(mesh, prefix: "3 ", first: 0, doubled: false, threads: threads, to: sink)
}

private func writePoints(_ points: [Float], prefix: String, threads: Int, to sink: ByteSink) throws(Failure) {
    let size = prefix.utf8.count + 3 * (Int(SSDF_FLOAT_TEXT) + 1)
    try writeRecords(points.count / 3, recordSize: size, threads: threads, to: sink) { range, out in
        points.withUnsafeBufferPointer { points in
            out.withMemoryRebound(to: CChar.self, capacity: size * range.count) { out in
                ssdf_format_points(points.baseAddress! + 3 * range.lowerBound, range.count, prefix, out)
            }
        }
    }
}

private func writeTriangles(
    _ mesh: TriangleMesh, prefix: String, first: UInt32, doubled: Bool, threads: Int, to sink: ByteSink
) throws(Failure) {
    let size = prefix.utf8.count + (doubled ? 69 : 33)
    try writeRecords(mesh.triangleCount, recordSize: size, threads: threads, to: sink) { range, out in
        mesh.triangles.withUnsafeBufferPointer { triangles in
            out.withMemoryRebound(to: CChar.self, capacity: size * range.count) { out in
                ssdf_format_triangles(
                    triangles.baseAddress! + 3 * range.lowerBound, range.count, prefix, first, doubled ? 1 : 0, out)
            }
        }
    }
}
