import SSDFCore

/// Gives equal positions one vertex, numbered in the order of first use.
/// - Complexity: O(1) expected for each corner; 8 to 16 bytes of table for each.
struct PositionWelder: ~Copyable {
    private var positions: [Float] = []
    private var triangles: [UInt32] = []
    /// One more than a vertex, or 0: an open-addressing table of a power of two entries.
    private let table: Buffer<UInt32>
    private let mask: Int

    /// - Parameter corners: the most that will be added.
    init(corners: Int) {
        var size = 64
        while size < 2 * corners { size *= 2 }
        table = Buffer(zeros: size)
        mask = size - 1
        triangles.reserveCapacity(corners)
    }

    /// The next corner of a triangle.
    mutating func add(_ point: Vector3f) {
        // Adding zero makes −0 equal to 0 bit by bit.
        let p = point + Vector3f(repeating: 0)
        let x = UInt64(p.x.bitPattern)
        let y = UInt64(p.y.bitPattern)
        let z = UInt64(p.z.bitPattern)
        var hash = (x | y << 32) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash >> 32 ^ z) &* 0xD6E8_FEB8_6659_FD93
        var slot = Int(truncatingIfNeeded: hash >> 32) & mask
        while true {
            let entry = table.pointer[slot]
            if entry == 0 {
                positions.append(p.x)
                positions.append(p.y)
                positions.append(p.z)
                let vertex = UInt32(positions.count / 3)
                table.pointer[slot] = vertex
                triangles.append(vertex - 1)
                return
            }
            let at = 3 * Int(entry - 1)
            if positions[at] == p.x, positions[at + 1] == p.y, positions[at + 2] == p.z {
                triangles.append(entry - 1)
                return
            }
            slot = (slot + 1) & mask
        }
    }

    /// All corners so far, three to a triangle.
    ///
    /// It does not consume the welder: a local value that one path consumes is not released by this compiler where another
    /// path throws.
    func mesh() -> TriangleMesh { TriangleMesh(positions: positions, triangles: triangles) }
}

/// The mesh with equal positions merged and unused ones dropped.
func weldedByPosition(_ mesh: TriangleMesh) -> TriangleMesh {
    var welder = PositionWelder(corners: mesh.triangles.count)
    for vertex in mesh.triangles { welder.add(mesh.position(Int(vertex))) }
    return welder.mesh()
}
