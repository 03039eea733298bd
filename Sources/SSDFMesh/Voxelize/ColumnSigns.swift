import SSDFCore

/// The triangles that may be the nearest to voxels of one brick, lent by the column's lists.
struct BrickTriangles {
    /// The mesh's triangles near the tile, and which of them are the brick's.
    let list: UnsafeBufferPointer<UInt32>
    let members: UnsafeBufferPointer<UInt32>

    var count: Int { members.count }
    subscript(n: Int) -> Int { Int(list[Int(members[n])]) }
}

/// Tells which voxels of a column are inside, as a `SignPlan` says.
struct ColumnSigns: ~Copyable {
    /// Half the diagonal of a brick's voxel centres, and a hair.
    private static let brickRadius = 6.0632

    private var lines = WindingLines()
    private var origin = (x: 0, y: 0)
    private var windings = ScratchBuffer<Int32>(capacity: 512)
    private var nearTriangles = ScratchBuffer<Int32>()
    private var nearRims = ScratchBuffer<UInt32>()
    /// Balls round the brick's triangles, their centres seen from its own; made when the first voxel asks.
    private var balls = ScratchBuffer<SIMD4<Float>>()

    init() {}

    mutating func begin(_ plan: borrowing BandPlan, column: Int) {
        origin = plan.columns.origin(column)
        lines.begin()
    }

    /// Adds a triangle of the column that counts `weight` times.
    mutating func add(_ corners: (Vector3d, Vector3d, Vector3d), weight: Int) {
        if weight != 0 { lines.add(corners, weight: weight, x0: origin.x, y0: origin.y) }
    }

    /// Adds the caps; to be called after all triangles of the column and before `decide`.
    mutating func finish(_ plan: borrowing BandPlan, column: Int) {
        for t in plan.capBins.list(column) {
            lines.add(plan.caps.corners(Int(t)), weight: 1, x0: origin.x, y0: origin.y)
        }
        lines.finish()
    }

    /// Sets the bits of a brick's voxels that are inside. Bricks above each other must be asked for from the lowest up.
    /// - Parameters:
    ///   - local: the brick's first voxel in the column; `voxel`: in the grid.
    ///   - triangles: all that may be the nearest to a voxel of the brick.
    ///   - active: eight words, the voxels whose bits matter.
    ///   - squared: `[512]` squared distances from the surface, voxels, of the active ones.
    mutating func decide(
        _ plan: borrowing BandPlan, column: Int, local: (x: Int, y: Int), voxel: (x: Int, y: Int, z: Int),
        triangles: BrickTriangles, active: UnsafePointer<UInt64>, squared: UnsafePointer<Float>,
        inside: UnsafeMutablePointer<UInt64>
    ) {
        guard plan.sign.usesLines else {
            for word in 0..<8 { inside[word] = 0 }
            return
        }
        let center = Vector3d(Double(voxel.x) + 3.5, Double(voxel.y) + 3.5, Double(voxel.z) + 3.5)
        findRims(plan, column: column, center: center)
        balls.count = 0
        var winding = LocalWinding()
        var isSmooth = false
        if let residual = plan.sign.residual {
            winding = residual.around(center, radius: Self.brickRadius, near: &nearTriangles)
            isSmooth = nearTriangles.count > 0 || !winding.staysSmall(within: Self.brickRadius)
        }
        guard isSmooth || nearRims.count > 0 else {
            lines.brick(x: local.x, y: local.y, z: voxel.z, inside: inside)
            return
        }
        lines.windings(x: local.x, y: local.y, z: voxel.z, into: windings.pointer)
        for word in 0..<8 {
            var bits = active[word]
            inside[word] = 0
            while bits != 0 {
                let bit = bits.trailingZeroBitCount
                bits &= bits - 1
                let p = Vector3d(Double(voxel.x + word), Double(voxel.y + bit >> 3), Double(voxel.z + bit & 7))
                let closed = windings.pointer[word * 64 + bit]
                var isInside = closed >= 1
                if (closed == 0 || closed == 1),
                    let side = side(p, plan, triangles, center: center, squared: Double(squared[word * 64 + bit]))
                {
                    isInside = side
                } else if isSmooth {
                    // Inside where (closed winding) - (winding of what closed it) ≥ ½.
                    isInside = plan.sign.residual!.isAtMost(
                        Double(closed) - 0.5, at: p, local: winding, near: nearTriangles)
                }
                if isInside { inside[word] |= 1 << UInt64(bit) }
            }
        }
    }

    /// Lists the rims' edges that matter to voxels of a brick.
    private mutating func findRims(_ plan: borrowing BandPlan, column: Int, center: Vector3d) {
        nearRims.count = 0
        let reach = plan.limit * SurfaceRims.faceReach + Self.brickRadius
        for edge in plan.rimBins.list(column) {
            let (a, b, _) = plan.rims.corners(Int(edge))
            if (SurfaceRims.nearest(center, a, b) - center).lengthSquared <= reach * reach { nearRims.append(edge) }
        }
    }

    /// Whether a voxel near a rim is inside: behind the surface's continuation when the rim is the nearest of the
    /// surface, else behind the nearest face; nil when neither tells.
    private mutating func side(
        _ p: Vector3d, _ plan: borrowing BandPlan, _ triangles: BrickTriangles, center: Vector3d, squared: Double
    ) -> Bool? {
        // Where the nearest point is a corner of the rim, two edges have it, and both are asked.
        var nearest = Double.infinity
        var height = 0.0
        var isAlone = false
        for n in 0..<nearRims.count {
            let edge = Int(nearRims.pointer[n])
            let (a, b, _) = plan.rims.corners(edge)
            let q = SurfaceRims.nearest(p, a, b)
            let distance = (p - q).lengthSquared
            guard distance <= nearest * (1 + 1e-9) else { continue }
            let quadric = plan.sign.rims.quadrics[edge]
            let own = quadric(p) - quadric(q)
            height = distance < nearest * (1 - 1e-9) ? own : height + own
            nearest = min(nearest, distance)
            isAlone = plan.sign.rims.standsAlone[edge]
        }
        if nearest <= squared * (1 + 1e-4) + 1e-4 { return height < 0 }
        let reach = plan.limit * SurfaceRims.faceReach
        guard isAlone, nearest <= reach * reach else { return nil }
        return sideOfNearestFace(p, plan, triangles, center: center, squared: squared)
    }

    /// Whether a voxel is behind the nearest face; of several that share its nearest point, the one that faces it most.
    private mutating func sideOfNearestFace(
        _ p: Vector3d, _ plan: borrowing BandPlan, _ triangles: BrickTriangles, center: Vector3d, squared: Double
    ) -> Bool? {
        if balls.count == 0 { surround(triangles, plan, center: center) }
        let place = Vector3f(p - center)
        // The distance is known but for rounding: most triangles are plainly farther away.
        let known = Float(squared.squareRoot()) * 1.001 + 1e-2
        var nearest = Double.infinity
        var most = 0.0
        var isBehind: Bool?
        for n in 0..<triangles.count {
            let ball = balls.pointer[n]
            let (x, y, z) = (ball.x - place.x, ball.y - place.y, ball.z - place.z)
            guard x * x + y * y + z * z <= (known + ball.w) * (known + ball.w) else { continue }
            let t = triangles[n]
            let (a, b, c) = plan.mesh.corners(t)
            let distance = squaredDistance(from: p, toTriangle: a, b, c)
            guard distance <= nearest * (1 + 1e-9) else { continue }
            let normal = (b - a).cross(c - a).normalized
            // The neighbours of a face without area share its points.
            guard normal != .zero else { continue }
            let height = (p - a).dot(normal)
            if distance < nearest * (1 - 1e-9) || abs(height) > most {
                most = abs(height)
                let weight = plan.sign.weight(t)
                isBehind = weight == 0 ? nil : (height < 0) == (weight > 0)
            }
            nearest = min(nearest, distance)
        }
        return isBehind
    }

    private mutating func surround(_ triangles: BrickTriangles, _ plan: borrowing BandPlan, center: Vector3d) {
        for n in 0..<triangles.count {
            let (a, b, c) = plan.mesh.corners(triangles[n])
            var box = Box3d.empty
            box.insert(a)
            box.insert(b)
            box.insert(c)
            let middle = Vector3f(box.center - center)
            balls.append(SIMD4(middle.x, middle.y, middle.z, Float(box.size.length / 2) + 1e-3))
        }
    }
}
