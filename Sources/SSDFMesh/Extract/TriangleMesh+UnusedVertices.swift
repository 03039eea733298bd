extension TriangleMesh {
    /// Drops the vertices that no triangle names; the others keep their order.
    /// - Complexity: O(vertices + triangles).
    package mutating func removeUnusedVertices() {
        let unused = UInt32.max
        var number = [UInt32](repeating: unused, count: vertexCount)
        for index in triangles { number[Int(index)] = 0 }
        let hasNormals = normals.count == positions.count
        var kept = 0
        for vertex in number.indices where number[vertex] != unused {
            number[vertex] = UInt32(kept)
            for c in 0..<3 {
                positions[3 * kept + c] = positions[3 * vertex + c]
                if hasNormals { normals[3 * kept + c] = normals[3 * vertex + c] }
            }
            kept += 1
        }
        guard kept < number.count else { return }
        positions.removeLast(3 * (number.count - kept))
        if hasNormals { normals.removeLast(3 * (number.count - kept)) }
        for corner in triangles.indices { triangles[corner] = number[Int(triangles[corner])] }
    }
}
