import SSDFCore

/// Gives vertices that lie within `distance` of each other one number: the lowest of those that chains of such neighbours
/// join. With a distance of 0, equal positions alone.
/// - Parameter distance: in mesh units.
/// - Returns: for each vertex the one that stands for it.
/// - Complexity: O(n) where no cell of that size holds very many vertices.
func weldedNumbers(_ mesh: TriangleMesh, within distance: Float) -> [UInt32] {
    let count = mesh.vertexCount
    var parent = (0..<UInt32(count)).map { $0 }
    func root(_ v: UInt32) -> UInt32 {
        var v = v
        while parent[Int(v)] != v {
            parent[Int(v)] = parent[Int(parent[Int(v)])]
            v = parent[Int(v)]
        }
        return v
    }
    func join(_ a: UInt32, _ b: UInt32) {
        let (x, y) = (root(a), root(b))
        parent[Int(max(x, y))] = min(x, y)
    }
    let box = mesh.boundingBox
    /// Cells are counted from the box, so that their numbers are as small as the mesh allows.
    let size = Double(distance)
    func cell(_ v: Int) -> SIMD3<Int64> {
        let p = mesh.position(v)
        guard size > 0 else {
            // Adding zero makes −0 equal to 0 bit by bit.
            let q = p + Vector3f(repeating: 0)
            return SIMD3(Int64(q.x.bitPattern), Int64(q.y.bitPattern), Int64(q.z.bitPattern))
        }
        let q = ((Vector3d(p) - Vector3d(box.minimum)) / size).rounded(.down)
        func clamped(_ x: Double) -> Int64 { Int64(max(-9e15, min(9e15, x))) }
        return SIMD3(clamped(q.x), clamped(q.y), clamped(q.z))
    }
    var slots = 64
    while slots < 2 * count { slots *= 2 }
    func hash(_ c: SIMD3<Int64>) -> Int {
        var h = UInt64(bitPattern: c.x) &* 0x9E37_79B9_7F4A_7C15
        h = (h ^ h >> 32 ^ UInt64(bitPattern: c.y)) &* 0xD6E8_FEB8_6659_FD93
        h = (h ^ h >> 32 ^ UInt64(bitPattern: c.z)) &* 0xA076_1D64_78BD_642F
        return Int(truncatingIfNeeded: h >> 32) & (slots - 1)
    }
    // Chains of the vertices whose cells share a slot.
    var heads = [UInt32](repeating: .max, count: slots)
    var chain = [UInt32](repeating: .max, count: count)
    let reach = size > 0 ? Int64(1) : 0
    for v in 0..<count {
        let home = cell(v)
        let p = mesh.position(v)
        for dz in -reach...reach {
            for dy in -reach...reach {
                for dx in -reach...reach {
                    var other = heads[hash(home &+ SIMD3(dx, dy, dz))]
                    while other != .max {
                        let q = mesh.position(Int(other))
                        if size > 0 ? (p - q).lengthSquared <= distance * distance : p == q { join(UInt32(v), other) }
                        other = chain[Int(other)]
                    }
                }
            }
        }
        let slot = hash(home)
        chain[v] = heads[slot]
        heads[slot] = UInt32(v)
    }
    return (0..<UInt32(count)).map { root($0) }
}
