import CSSDFKernels
import SSDFCore

/// Writes binary little-endian PLY: vertices of x y z (and nx ny nz), faces of uchar/int lists.
func writePLY(_ mesh: TriangleMesh, threads: Int, to sink: ByteSink) throws(Failure) {
    let axes = mesh.hasNormals ? ["x", "y", "z", "nx", "ny", "nz"] : ["x", "y", "z"]
    let properties = axes.map { "property float \($0)\n" }.joined()
    // Readers differ in whether they know unsigned indices, so they are signed unless they do not fit.
    let indexType = mesh.vertexCount <= Int32.max ? "int" : "uint"
    try write(
        """
        ply
        format binary_little_endian 1.0
        comment written by ssdf
        element vertex \(mesh.vertexCount)
        \(properties)element face \(mesh.triangleCount)
        property list uchar \(indexType) vertex_indices
        end_header

        """, to: sink)
    if mesh.hasNormals {
        try writeInterleaved(mesh, threads: threads, to: sink)
    } else {
        try write(mesh.positions, to: sink)
    }
    let triangles = mesh.triangles
    try writeRecords(mesh.triangleCount, recordSize: 13, threads: threads, to: sink) { range, out in
        triangles.withUnsafeBufferPointer {
            ssdf_scatter_triangles($0.baseAddress! + 3 * range.lowerBound, range.count, out)
        }
        return 13 * range.count
    }
}

/// Positions and normals, vertex by vertex.
private func writeInterleaved(_ mesh: TriangleMesh, threads: Int, to sink: ByteSink) throws(Failure) {
    try writeRecords(mesh.vertexCount, recordSize: 24, threads: threads, to: sink) { range, out in
        out.withMemoryRebound(to: Float.self, capacity: 6 * range.count) { out in
            for (item, vertex) in range.enumerated() {
                for axis in 0..<3 {
                    out[6 * item + axis] = mesh.positions[3 * vertex + axis]
                    out[6 * item + axis + 3] = mesh.normals[3 * vertex + axis]
                }
            }
        }
        return 24 * range.count
    }
}
