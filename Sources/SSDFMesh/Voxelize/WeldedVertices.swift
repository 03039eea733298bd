import SSDFCore

/// The vertices of a mesh numbered by position: equal coordinates, one number.
struct WeldedVertices: Sendable {
    /// `[vertexCount]` number of each vertex's position.
    let numbers: [UInt32]
    /// `[count]` the first vertex at each position.
    let firstVertex: [UInt32]

    var count: Int { firstVertex.count }

    /// - Complexity: O(vertexCount).
    init(_ mesh: TriangleMesh) {
        let vertices = mesh.vertexCount
        var bits = 4
        while 1 << bits < 2 * vertices { bits += 1 }
        let mask = 1 << bits - 1
        var table = [UInt32](repeating: .max, count: 1 << bits)
        var numbers = [UInt32](repeating: 0, count: vertices)
        var first: [UInt32] = []
        first.reserveCapacity(vertices)
        for v in 0..<vertices {
            // Adding zero makes -0 and +0 one position.
            let p = mesh.position(v) + Vector3f(repeating: 0)
            var h = UInt64(p.x.bitPattern) | UInt64(p.y.bitPattern) << 32
            h = (h ^ UInt64(p.z.bitPattern) &* 0x9E37_79B9_7F4A_7C15) &* 0xD6E8_FEB8_6659_FD93
            h = (h ^ h >> 32) &* 0x9E37_79B9_7F4A_7C15
            var slot = Int(truncatingIfNeeded: h >> 20) & mask
            while true {
                let known = table[slot]
                if known == .max {
                    table[slot] = UInt32(first.count)
                    numbers[v] = UInt32(first.count)
                    first.append(UInt32(v))
                    break
                }
                if mesh.position(Int(first[Int(known)])) == p {
                    numbers[v] = known
                    break
                }
                slot = (slot + 1) & mask
            }
        }
        self.numbers = numbers
        firstVertex = first
    }

    /// A mesh's triangle indices in welded numbers.
    func triangles(of mesh: TriangleMesh) -> [UInt32] { mesh.triangles.map { numbers[Int($0)] } }
}
