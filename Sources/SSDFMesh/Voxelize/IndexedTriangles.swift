import SSDFCore

/// A mesh's triangles seen from a grid's index space, in double precision. It lends the mesh's arrays and must not
/// outlive them.
struct IndexedTriangles: @unchecked Sendable {
    let positions: UnsafePointer<Float>
    let triangles: UnsafePointer<UInt32>
    let count: Int
    /// Mesh coordinates → index space.
    let map: AffineTransform3

    @inline(__always) func vertex(_ v: UInt32) -> Vector3d {
        let p = positions + 3 * Int(v)
        return map(Vector3d(Double(p[0]), Double(p[1]), Double(p[2])))
    }

    @inline(__always) func corners(_ t: Int) -> (Vector3d, Vector3d, Vector3d) {
        (vertex(triangles[3 * t]), vertex(triangles[3 * t + 1]), vertex(triangles[3 * t + 2]))
    }
}

extension TriangleMesh {
    /// Lends the triangles as `map` places them.
    func withIndexedTriangles(_ map: AffineTransform3, _ body: (IndexedTriangles) -> Void) {
        positions.withUnsafeBufferPointer { p in
            triangles.withUnsafeBufferPointer { t in
                // An empty array may lend no address; nothing is read through the one that stands in for it.
                let positions = p.baseAddress ?? UnsafePointer(bitPattern: 64)!
                let triangles = t.baseAddress ?? UnsafePointer(bitPattern: 64)!
                body(IndexedTriangles(positions: positions, triangles: triangles, count: t.count / 3, map: map))
            }
        }
    }
}
