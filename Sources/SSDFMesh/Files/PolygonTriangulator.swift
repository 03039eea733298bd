import SSDFCore

/// A face with more than three corners, stored as a fan: its triangles follow each other, all begin with its first
/// corner, and the corners can be read back from them.
struct PolygonFan: Sendable {
    /// The first of its `corners - 2` triangles.
    var firstTriangle: Int
    var corners: Int
}

/// Cuts polygons into triangles; concave ones too.
///
/// A polygon of n corners always becomes n − 2 triangles between its own corners, and their signed areas in the
/// polygon's plane sum to the polygon's: nothing is dropped, whatever its shape. A simple polygon becomes triangles that
/// do not overlap. Convex quads are cut along the shorter diagonal; other polygons by clipping ears, with the corners
/// that could lie inside an ear tested in double precision.
///
/// Source: Meisters, "Polygons Have Ears", 1975; the plane's normal is Newell's (Sutherland, Sproull, Schumacker,
/// "A Characterization of Ten Hidden-Surface Algorithms", 1974).
struct PolygonTriangulator {
    /// The most corners a polygon may have. Clipping takes time quadratic in the corners at worst.
    static let mostCorners = 1 << 15

    private var points: [SIMD2<Double>] = []
    private var previous: [Int32] = []
    private var next: [Int32] = []
    /// Corners where the polygon turns the wrong way: only they can spoil an ear.
    private var reflex: [Int32] = []
    private var isReflex: [Bool] = []
    private var corners: [UInt32] = []

    /// Cuts the fans of a mesh in place.
    /// - Parameters:
    ///   - fans: the polygons; their indices must be in range.
    ///   - positions: `[vertexCount, 3]`.
    ///   - triangles: `[triangleCount, 3]`, rewritten where the fans are.
    static func cut(
        _ fans: ArraySlice<PolygonFan>, positions: UnsafePointer<Float>, triangles: UnsafeMutablePointer<UInt32>
    ) {
        var triangulator = PolygonTriangulator()
        for fan in fans {
            let place = triangles + 3 * fan.firstTriangle
            if fan.corners == 4 {
                cutQuad((place[0], place[1], place[2], place[5]), positions: positions, into: place)
            } else {
                triangulator.corners.removeAll(keepingCapacity: true)
                triangulator.corners.append(place[0])
                triangulator.corners.append(place[1])
                for t in 0..<fan.corners - 2 { triangulator.corners.append(place[3 * t + 2]) }
                triangulator.cutCorners(positions: positions, into: place)
            }
        }
    }

    /// Cuts a quad along the diagonal that keeps both triangles facing the quad's way; of two such, the shorter, and of
    /// two equal ones that from the first corner.
    private static func cutQuad(
        _ q: (UInt32, UInt32, UInt32, UInt32), positions: UnsafePointer<Float>, into place: UnsafeMutablePointer<UInt32>
    ) {
        let (a, b) = (position(q.0, positions), position(q.1, positions))
        let (c, d) = (position(q.2, positions), position(q.3, positions))
        let ac = c - a
        let bd = d - b
        let normal = ac.cross(bd)
        let alongAC = min((b - a).cross(ac).dot(normal), ac.cross(d - a).dot(normal))
        let alongBD = min((a - d).cross(b - d).dot(normal), (b - d).cross(c - d).dot(normal))
        let cutsAC: Bool
        if alongAC > 0, alongBD > 0 {
            cutsAC = ac.lengthSquared <= bd.lengthSquared
        } else {
            cutsAC = alongAC >= alongBD
        }
        let order = cutsAC ? (q.0, q.1, q.2, q.0, q.2, q.3) : (q.0, q.1, q.3, q.1, q.2, q.3)
        (place[0], place[1], place[2], place[3], place[4], place[5]) = order
    }

    @inline(__always)
    private static func position(_ vertex: UInt32, _ positions: UnsafePointer<Float>) -> Vector3d {
        let p = positions + 3 * Int(vertex)
        return Vector3d(Double(p[0]), Double(p[1]), Double(p[2]))
    }

    /// Projects the corners along Newell's normal and clips ears.
    private mutating func cutCorners(positions: UnsafePointer<Float>, into place: UnsafeMutablePointer<UInt32>) {
        let n = corners.count
        let origin = Self.position(corners[0], positions)
        var normal = Vector3d.zero
        for i in 0..<n {
            let p = Self.position(corners[i], positions) - origin
            let q = Self.position(corners[(i + 1) % n], positions) - origin
            normal += p.cross(q)
        }
        let axis = normal.normalized
        // Without an area there is nothing to keep: the fan will do.
        guard axis != .zero else { return }
        let helper: Vector3d = abs(axis.x) < 0.6 ? [1, 0, 0] : [0, 1, 0]
        let right = helper.cross(axis).normalized
        let up = axis.cross(right)
        points.removeAll(keepingCapacity: true)
        for corner in corners {
            let p = Self.position(corner, positions) - origin
            points.append([right.dot(p), up.dot(p)])
        }
        clipEars(into: place)
    }

    private mutating func clipEars(into place: UnsafeMutablePointer<UInt32>) {
        let n = corners.count
        previous = (0..<n).map { Int32($0 == 0 ? n - 1 : $0 - 1) }
        next = (0..<n).map { Int32($0 == n - 1 ? 0 : $0 + 1) }
        var low = points[0]
        var high = points[0]
        for p in points {
            low = pointwiseMin(low, p)
            high = pointwiseMax(high, p)
        }
        let extent = (high - low).max()
        // Corners flatter than rounding can tell count as straight.
        let flat = extent * extent * 1e-13
        isReflex = [Bool](repeating: false, count: n)
        reflex.removeAll(keepingCapacity: true)
        for i in 0..<n where turn(i) <= flat {
            isReflex[i] = true
            reflex.append(Int32(i))
        }
        var written = 0
        var left = n
        var current = 0
        var tried = 0
        while left > 3 {
            if isEar(current, flat: flat) {
                let before = Int(previous[current])
                clip(current, into: place, &written)
                left -= 1
                tried = 0
                refresh(before, flat: flat)
                refresh(Int(next[before]), flat: flat)
                // Going on from the corner after the next spreads the cuts round the polygon: fewer slivers.
                current = Int(next[Int(next[before])])
                continue
            }
            tried += 1
            current = Int(next[current])
            if tried == left {
                current = leastBadCorner(from: current, left: left, flat: flat)
                let before = Int(previous[current])
                clip(current, into: place, &written)
                left -= 1
                tried = 0
                refresh(before, flat: flat)
                refresh(Int(next[before]), flat: flat)
                current = before
            }
        }
        clip(current, into: place, &written)
    }

    /// Twice the signed area of the triangle at a corner.
    @inline(__always)
    private func turn(_ i: Int) -> Double {
        let p = points[Int(previous[i])]
        let a = points[i] - p
        let b = points[Int(next[i])] - p
        return a.x * b.y - a.y * b.x
    }

    private mutating func refresh(_ i: Int, flat: Double) {
        guard isReflex[i], turn(i) > flat else { return }
        isReflex[i] = false
        if let slot = reflex.firstIndex(of: Int32(i)) {
            reflex.swapAt(slot, reflex.count - 1)
            reflex.removeLast()
        }
    }

    /// Whether the triangle at a corner lies inside the polygon: it turns the right way and no reflex corner is in it.
    private func isEar(_ i: Int, flat: Double) -> Bool {
        guard !isReflex[i], turn(i) > flat else { return false }
        let before = Int(previous[i])
        let after = Int(next[i])
        let (a, b, c) = (points[before], points[i], points[after])
        let low = pointwiseMin(a, pointwiseMin(b, c))
        let high = pointwiseMax(a, pointwiseMax(b, c))
        for slot in reflex {
            let r = Int(slot)
            if r == before || r == after { continue }
            let p = points[r]
            if any(p .< low) || any(p .> high) { continue }
            // A corner at the same place as one of the ear's own touches it but is not inside.
            if p == a || p == b || p == c { continue }
            if side(a, b, p) >= 0, side(b, c, p) >= 0, side(c, a, p) >= 0 { return false }
        }
        return true
    }

    @inline(__always)
    private func side(_ a: SIMD2<Double>, _ b: SIMD2<Double>, _ p: SIMD2<Double>) -> Double {
        (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)
    }

    /// When no ear is left (straight runs, repeated corners, or edges that cross): a corner that costs no area, or else
    /// the one that turns the right way by the most.
    private func leastBadCorner(from start: Int, left: Int, flat: Double) -> Int {
        var best = start
        var bestTurn = -Double.infinity
        var i = start
        for _ in 0..<left {
            let t = turn(i)
            if abs(t) <= flat { return i }
            if t > bestTurn {
                best = i
                bestTurn = t
            }
            i = Int(next[i])
        }
        return best
    }

    private mutating func clip(_ i: Int, into place: UnsafeMutablePointer<UInt32>, _ written: inout Int) {
        let before = Int(previous[i])
        let after = Int(next[i])
        place[written] = corners[before]
        place[written + 1] = corners[i]
        place[written + 2] = corners[after]
        written += 3
        next[before] = Int32(after)
        previous[after] = Int32(before)
        if isReflex[i] {
            isReflex[i] = false
            if let slot = reflex.firstIndex(of: Int32(i)) {
                reflex.swapAt(slot, reflex.count - 1)
                reflex.removeLast()
            }
        }
    }
}
