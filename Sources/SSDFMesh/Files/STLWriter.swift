import CSSDFKernels
import SSDFCore

/// Writes binary STL; each facet with the normal of its plane, or zero when it has none.
/// - Throws: `badData` when there are more triangles than the format can count.
func writeSTL(_ mesh: TriangleMesh, threads: Int, to sink: ByteSink) throws(Failure) {
    guard let count = UInt32(exactly: mesh.triangleCount) else {
        throw .badData("\(mesh.triangleCount) triangles", expected: "at most \(UInt32.max) in an STL file")
    }
    // The header must not begin with "solid", by which careless readers tell the ASCII format.
    var header = Array("binary STL written by ssdf".utf8)
    header += [UInt8](repeating: 0, count: 80 - header.count)
    for shift in [0, 8, 16, 24] { header.append(UInt8(truncatingIfNeeded: count >> UInt32(shift))) }
    try write(header, to: sink)
    try writeRecords(mesh.triangleCount, recordSize: 50, threads: threads, to: sink) { range, out in
        mesh.positions.withUnsafeBufferPointer { positions in
            mesh.triangles.withUnsafeBufferPointer { triangles in
                ssdf_scatter_facets(
                    positions.baseAddress!, triangles.baseAddress! + 3 * range.lowerBound, range.count, out)
            }
        }
        return 50 * range.count
    }
}
