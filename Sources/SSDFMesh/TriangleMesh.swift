import SSDFCore

/// An indexed triangle mesh.
///
/// Nothing is promised about a mesh that was read from a file except that its indices are in range and its coordinates
/// finite; `MeshReport` tells the rest.
@usableFromInline package struct TriangleMesh: Sendable, Equatable {
    /// `[vertexCount, 3]`, packed.
    @usableFromInline package var positions: [Float]
    /// `[triangleCount, 3]`, counter-clockwise seen from outside.
    @usableFromInline package var triangles: [UInt32]
    /// `[vertexCount, 3]`, unit length, or empty when the mesh carries none.
    @usableFromInline package var normals: [Float] = []

    /// A mesh of packed arrays, shaped as the properties say; empty by default.
    package init(positions: [Float] = [], triangles: [UInt32] = [], normals: [Float] = []) {
        self.positions = positions
        self.triangles = triangles
        self.normals = normals
    }

    /// Number of vertices.
    @inlinable package var vertexCount: Int { positions.count / 3 }
    /// Number of triangles.
    @inlinable package var triangleCount: Int { triangles.count / 3 }

    /// The position of a vertex.
    @inlinable package func position(_ vertex: Int) -> Vector3f {
        Vector3f(positions[3 * vertex], positions[3 * vertex + 1], positions[3 * vertex + 2])
    }

    /// The vertices of a triangle.
    @inlinable package func corners(_ triangle: Int) -> (Int, Int, Int) {
        (Int(triangles[3 * triangle]), Int(triangles[3 * triangle + 1]), Int(triangles[3 * triangle + 2]))
    }

    /// The box of the vertices that triangles use.
    /// - Complexity: O(triangleCount).
    package var boundingBox: Box3f { boundingBox(threads: 1) }

    /// The box of the vertices that triangles use, found by several threads.
    func boundingBox(threads: Int) -> Box3f {
        var box = Box3f.empty
        positions.withUnsafeBufferPointer { p in
            triangles.withUnsafeBufferPointer { t in
                let grain = 1 << 16
                let mesh = Unchecked((p, t))
                let parts = parallelMap((t.count + grain - 1) / grain, threads: threads) { part in
                    let (p, t) = mesh.value
                    var box = Box3f.empty
                    for n in part * grain..<min((part + 1) * grain, t.count) {
                        let i = 3 * Int(t[n])
                        box.insert(Vector3f(p[i], p[i + 1], p[i + 2]))
                    }
                    return box
                }
                for part in parts { box.insert(part) }
            }
        }
        return box
    }

    /// Area of all triangles together, square units of the mesh.
    /// - Complexity: O(triangleCount).
    package var surfaceArea: Double {
        (0..<triangleCount).reduce(0.0) { $0 + areaVector($1).length } / 2
    }

    /// Twice the area of a triangle along its normal, in squared mesh units.
    package func areaVector(_ t: Int) -> Vector3d {
        let (a, b, c) = corners(t)
        let p = Vector3d(position(a))
        return (Vector3d(position(b)) - p).cross(Vector3d(position(c)) - p)
    }

    /// Appends a vertex. Returns its index.
    @inlinable package mutating func addVertex(_ p: Vector3f) -> UInt32 {
        let index = UInt32(vertexCount)
        positions.append(p.x)
        positions.append(p.y)
        positions.append(p.z)
        return index
    }

    /// Appends a triangle of three vertices.
    @inlinable package mutating func addTriangle(_ a: UInt32, _ b: UInt32, _ c: UInt32) {
        triangles.append(a)
        triangles.append(b)
        triangles.append(c)
    }

    /// Moves every vertex; normals follow as directions. A mirroring transform also turns the triangles round.
    package mutating func transform(by map: AffineTransform3) {
        for v in 0..<vertexCount {
            let p = map(Vector3d(position(v)))
            positions[3 * v] = Float(p.x)
            positions[3 * v + 1] = Float(p.y)
            positions[3 * v + 2] = Float(p.z)
        }
        guard let inverse = map.inverse else { return }
        if map.determinant < 0 {
            for t in 0..<triangleCount { triangles.swapAt(3 * t + 1, 3 * t + 2) }
        }
        for v in 0..<normals.count / 3 {
            let n = Vector3d(Double(normals[3 * v]), Double(normals[3 * v + 1]), Double(normals[3 * v + 2]))
            // Normals map by the inverse transpose.
            let m = Vector3d(inverse.x.dot(n), inverse.y.dot(n), inverse.z.dot(n)).normalized
            normals[3 * v] = Float(m.x)
            normals[3 * v + 1] = Float(m.y)
            normals[3 * v + 2] = Float(m.z)
        }
    }

    /// Appends another mesh as further components. Normals are kept only when both have them.
    package mutating func append(_ other: TriangleMesh) {
        let base = UInt32(vertexCount)
        let keepsNormals = normals.count == positions.count && other.normals.count == other.positions.count
        positions.append(contentsOf: other.positions)
        normals = keepsNormals ? normals + other.normals : []
        triangles.append(contentsOf: other.triangles.lazy.map { $0 + base })
    }
}
