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
                var record = UnsafeMutableRawPointer(out)
                for t in range {
                    let corners = (0..<3).map { corner in 3 * Int(triangles[3 * t + corner]) }
                    let points = corners.map { Vector3f(positions[$0], positions[$0 + 1], positions[$0 + 2]) }
                    let normal = facetNormal(points[0], points[1], points[2])
                    for (slot, vector) in ([normal] + points).enumerated() {
                        for axis in 0..<3 {
                            record.storeBytes(of: vector[axis], toByteOffset: 12 * slot + 4 * axis, as: Float.self)
                        }
                    }
                    record.storeBytes(of: 0, toByteOffset: 48, as: UInt16.self)
                    record += 50
                }
            }
        }
        return 50 * range.count
    }
}

private func facetNormal(_ a: Vector3f, _ b: Vector3f, _ c: Vector3f) -> Vector3f {
    let n = (Vector3d(b) - Vector3d(a)).cross(Vector3d(c) - Vector3d(a)).normalized
    return Vector3f(n)
}
