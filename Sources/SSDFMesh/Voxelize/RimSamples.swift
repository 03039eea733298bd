import SSDFCore

/// The faces near the rims of a mesh, in index space.
struct RimSamples {
    private struct Sample {
        var center: Vector3d
        /// Unit normal, and area.
        var normal: Vector3d
        var area: Double
    }

    private let patches: SurfacePatches
    private let map: AffineTransform3
    /// How far from an edge faces are looked at, voxels: a few rows of faces, and no less than three voxels.
    private var reach = 3.0
    private var cells: [SIMD3<Int32>: [Sample]] = [:]

    init(_ loops: [[UInt32]], _ patches: SurfacePatches, faces: BoundaryFaces, map: AffineTransform3) {
        self.patches = patches
        self.map = map
        var height = 0.0
        var count = 0.0
        for loop in loops {
            for n in loop.indices {
                let (u, v) = (loop[n], loop[(n + 1) % loop.count])
                let length = (position(u) - position(v)).length
                guard let face = faces.face(u, v), length > 0 else { continue }
                let (a, b, c) = patches.corners(face)
                height += (position(b) - position(a)).cross(position(c) - position(a)).length / length
                count += 1
            }
        }
        reach = max(reach, 2.5 * height / max(1, count))
        for loop in loops {
            for v in loop {
                let cell = cell(position(v))
                for n in 0..<27 {
                    cells[cell &+ SIMD3(Int32(n / 9 - 1), Int32(n / 3 % 3 - 1), Int32(n % 3 - 1))] = []
                }
            }
        }
        for t in patches.weights.indices where patches.weights[t] != 0 {
            let (a, b, c) = patches.corners(t)
            let (p, q, r) = (position(a), position(b), position(c))
            let center = (p + q + r) / 3
            let cell = cell(center)
            guard cells[cell] != nil else { continue }
            let vector = (q - p).cross(r - p) * Double(patches.weights[t])
            guard vector.length > 0 else { continue }
            cells[cell]!.append(Sample(center: center, normal: vector.normalized, area: vector.length / 2))
        }
    }

    private func position(_ v: UInt32) -> Vector3d { map(patches.position(v)) }

    private func cell(_ p: Vector3d) -> SIMD3<Int32> {
        SIMD3(
            Int32((p.x / reach).rounded(.down)), Int32((p.y / reach).rounded(.down)),
            Int32((p.z / reach).rounded(.down)))
    }

    /// The quadric that continues the surface beyond an edge.
    /// - Parameter normal: unit normal of the edge's face, in the mesh's coordinates.
    func fit(_ u: UInt32, _ v: UInt32, normal: Vector3d) -> SurfaceRims.Quadric {
        let (a, b) = (position(u), position(v))
        let center = (a + b) / 2
        let n = (map(normal) - map(.zero)).normalized
        let e = (b - a).normalized
        let t = e.cross(n)
        // Normals over the plane of t and e: (n·t, n·e) ≈ (y, z) + slopes · (along, across).
        var matrix = [0.0, 0, 0, 0, 0, 0]
        var right = [0.0, 0, 0, 0, 0, 0]
        let own = cell(center)
        for k in 0..<27 {
            let near = own &+ SIMD3(Int32(k / 9 - 1), Int32(k / 3 % 3 - 1), Int32(k % 3 - 1))
            for sample in cells[near] ?? [] {
                let d = sample.center - center
                let share = d.lengthSquared / (reach * reach)
                // Another sheet of the surface tells nothing.
                guard share < 1, sample.normal.dot(n) > 0.3, abs(d.dot(n)) < 0.5 * reach else { continue }
                let weight = sample.area * (1 - share) * (1 - share)
                let (x, y) = (d.dot(t), d.dot(e))
                let scale = 1 / sample.normal.dot(n)
                let (f, g) = (sample.normal.dot(t) * scale, sample.normal.dot(e) * scale)
                matrix[0] += weight
                matrix[1] += weight * x
                matrix[2] += weight * y
                matrix[3] += weight * x * x
                matrix[4] += weight * x * y
                matrix[5] += weight * y * y
                right[0] += weight * f
                right[1] += weight * f * x
                right[2] += weight * f * y
                right[3] += weight * g
                right[4] += weight * g * x
                right[5] += weight * g * y
            }
        }
        var quadric = SurfaceRims.Quadric(center: center, normal: n)
        guard matrix[0] > 0 else { return quadric }
        // Slopes that the samples hardly tell stay small, as do those from samples within a voxel or two.
        let damping = matrix[0] * (9 / (reach * reach) + 0.003 * reach * reach)
        let columns = (
            Vector3d(matrix[0], matrix[1], matrix[2]), Vector3d(matrix[1], matrix[3] + damping, matrix[4]),
            Vector3d(matrix[2], matrix[4], matrix[5] + damping)
        )
        let determinant = columns.0.dot(columns.1.cross(columns.2))
        func solve(_ r: Vector3d) -> Vector3d {
            Vector3d(
                r.dot(columns.1.cross(columns.2)), columns.0.dot(r.cross(columns.2)), columns.0.dot(columns.1.cross(r)))
                / determinant
        }
        let f = solve(Vector3d(right[0], right[1], right[2]))
        let g = solve(Vector3d(right[3], right[4], right[5]))
        quadric.normal = n + t * f.x + e * g.x
        let twist = (f.z + g.y) / 2
        let alongT = t * f.y + e * twist
        let alongE = t * twist + e * g.z
        quadric.hessianX = alongT * t.x + alongE * e.x
        quadric.hessianY = alongT * t.y + alongE * e.y
        quadric.hessianZ = alongT * t.z + alongE * e.z
        return quadric
    }
}
