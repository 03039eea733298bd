import SSDFCore

/// A hole whose rim is where walls met a flat face: the base that a part stood on.
///
/// What is missing of the walls themselves is put back first: a corner of the rim that is a notch in the plane of a face
/// beside it is filled. When all of what is left of the rim lies in one plane, and the walls do not run into that plane
/// smoothly, then the plane is taken to have been the base.
///
/// The caps of several such holes in one plane add up as areas in it do: a rim round a slot takes away from the cap of
/// the rim outside.
///
/// Where the whole mesh stands on one plane in which some rim lies, walls that end a little above it are taken to have
/// stood on it too, and bores to have gone through.
struct FlatBase {
    /// Triangles that close the hole.
    private(set) var caps: [(Vector3d, Vector3d, Vector3d)] = []
    /// Twice the area that the caps span.
    private(set) var area = 0.0

    /// Largest distance from its plane, as a share of the rim's extent, at which a rim is flat.
    private static let flatness = 2e-4
    /// Cosine of the largest angle between faces of one plane.
    private static let coplanar = 0.9998
    /// Cosine of the angle between the base and the walls' normals above which walls run smoothly into it.
    private static let smooth = 0.75

    /// - Parameters:
    ///   - loop: welded vertices along which the surface's boundary runs.
    ///   - isWithinAnother: whether the rim's cap takes away from that of another rim, and so faces into the part.
    ///   - normal: the surface's unit normal along the edge between two of them.
    /// - Returns: nil when the rim is not one of a flat base.
    /// - Complexity: O(n).
    init?(
        _ loop: [UInt32], isWithinAnother: Bool, position: (UInt32) -> Vector3d, normal: (UInt32, UInt32) -> Vector3d
    ) {
        var points = loop.map(position)
        var normals = loop.indices.map { normal(loop[$0], loop[($0 + 1) % loop.count]) }
        fillNotches(&points, &normals)
        guard let plane = Self.plane(points, normals) else { return nil }
        // Where notches were cut off down to a few corners, those say little: the rim itself must lie in the plane.
        let members = loop.count { abs(plane.height(position($0))) <= plane.tolerance }
        guard 10 * members >= 3 * loop.count else { return nil }
        var lean = 0.0
        var around = 0.0
        for n in points.indices {
            let length = (points[(n + 1) % points.count] - points[n]).length
            lean += length * normals[n].dot(plane.normal)
            around += length
        }
        if isWithinAnother { lean = -lean }
        // A gap in a face that is flat itself is flat too.
        guard lean <= Self.smooth * around || abs(lean) >= Self.coplanar * around else { return nil }
        guard extend(&points, normals, to: plane) else { return nil }
        close(points)
    }

    /// Closes the rim, in its plane by now.
    private mutating func close(_ points: [Vector3d]) {
        // In single precision, as the caps are kept.
        let apex = Vector3d(Vector3f(points.reduce(.zero, +) / Double(points.count)))
        var vector = Vector3d.zero
        for n in points.indices {
            let (p, q) = (points[n], points[(n + 1) % points.count])
            caps.append((apex, q, p))
            vector += (q - apex).cross(p - apex)
        }
        area += vector.length
    }

    /// Share of the mesh's height above the plane that it stands on within which walls are lengthened to it.
    private static let footing = 0.12

    /// The hole of a rim whose walls go on, as they are, down to a plane that the mesh stands on.
    /// - Returns: nil when the rim lies in the plane or too far above it, or its walls do not run towards it.
    /// - Complexity: O(n).
    init?(_ loop: [UInt32], onto base: Plane, position: (UInt32) -> Vector3d, normal: (UInt32, UInt32) -> Vector3d) {
        var points = loop.map(position)
        let heights = points.map(base.height)
        let lowest = -Self.footing * base.depth
        guard heights.min()! >= lowest, heights.min()! < -base.tolerance, heights.max()! <= base.tolerance else {
            return nil
        }
        let normals = loop.indices.map { normal(loop[$0], loop[($0 + 1) % loop.count]) }
        guard normals.allSatisfy({ abs($0.dot(base.normal)) < 0.9 }) else { return nil }
        guard extend(&points, normals, to: base) else { return nil }
        close(points)
    }

    /// The plane that a mesh stands on: one that all of a flat rim lies in and nothing is beyond.
    /// - Parameter corners: welded vertices that faces use.
    /// - Complexity: O(corners) for each rim.
    static func footing(
        _ loops: [[UInt32]], corners: [UInt32], position: (UInt32) -> Vector3d, normal: (UInt32, UInt32) -> Vector3d
    ) -> Plane? {
        var best: (plane: Plane, area: Double)?
        for loop in loops {
            let points = loop.map(position)
            guard let (mean, area) = meanPlane(points), area > best?.area ?? 0,
                points.allSatisfy({ abs(mean.height($0)) <= mean.tolerance }),
                FlatBase(loop, isWithinAnother: false, position: position, normal: normal) != nil
            else { continue }
            var (low, high) = (0.0, 0.0)
            for v in corners {
                let height = mean.height(position(v))
                low = min(low, height)
                high = max(high, height)
                if min(-low, high) > mean.tolerance { break }
            }
            guard min(-low, high) <= mean.tolerance, max(-low, high) > mean.tolerance else { continue }
            // Of a mesh that is inside out the rim's cap faces in.
            let side = high <= mean.tolerance ? 1.0 : -1
            best = (
                Plane(
                    normal: mean.normal * side, offset: mean.offset * side, tolerance: mean.tolerance,
                    depth: max(-low, high)), area
            )
        }
        return best?.plane
    }

    /// A plane with the side that is outside.
    struct Plane {
        var normal: Vector3d
        var offset: Double
        /// Distance from it within which points are in it.
        var tolerance: Double
        /// How far the mesh reaches behind it.
        var depth = 0.0

        func height(_ p: Vector3d) -> Double { p.dot(normal) - offset }
    }

    /// The plane that a good part of the rim lies in, all of the rest being on one side of it.
    private static func plane(_ points: [Vector3d], _ normals: [Vector3d]) -> Plane? {
        guard let (mean, _) = meanPlane(points) else { return nil }
        let tolerance = mean.tolerance
        if points.allSatisfy({ abs(mean.height($0)) <= tolerance }) { return mean }
        // Any three of a few points are in some plane, but that is hardly ever one that all walls meet at right angles.
        guard points.count > 5 else { return points.count > 3 ? prismBase(points, normals, towards: mean) : nil }
        let extent = tolerance / flatness
        // Three points of the rim make a plane; enough threes are tried to find one that a third of the rim shares.
        var random = Philox(seed: 17)
        var best: (plane: Plane, members: Int)?
        for _ in 0..<300 {
            let three = (0..<3).map { _ in points[Int(random.next() % UInt64(points.count))] }
            let cross = (three[1] - three[0]).cross(three[2] - three[0])
            guard cross.length > 1e-3 * extent * extent else { continue }
            let normal = cross.normalized * (cross.dot(mean.normal) < 0 ? -1 : 1)
            let plane = Plane(normal: normal, offset: three[0].dot(normal), tolerance: tolerance)
            let heights = points.map(plane.height)
            let (low, high) = (heights.min()!, heights.max()!)
            guard min(high, -low) <= tolerance, high - low <= 0.5 * extent else { continue }
            let members = heights.count { abs($0) <= tolerance }
            if members > best?.members ?? 0 { best = (plane, members) }
        }
        guard let best, best.members >= 4, 3 * best.members >= points.count else { return nil }
        return best.plane
    }

    /// Sine of the largest angle between a prism's walls and what is square to its base.
    private static let square = 0.01

    /// The plane through three of a few points that is square to all walls, the other points being on one side of it.
    private static func prismBase(_ points: [Vector3d], _ normals: [Vector3d], towards mean: Plane) -> Plane? {
        let n = points.count
        for a in 0..<n {
            for b in a + 1..<n {
                for c in b + 1..<n {
                    let cross = (points[b] - points[a]).cross(points[c] - points[a])
                    guard cross.length > 0 else { continue }
                    let normal = cross.normalized * (cross.dot(mean.normal) < 0 ? -1 : 1)
                    let plane = Plane(normal: normal, offset: points[a].dot(normal), tolerance: mean.tolerance)
                    if normals.allSatisfy({ abs($0.dot(normal)) <= square }),
                        points.allSatisfy({ plane.height($0) <= mean.tolerance })
                            || points.allSatisfy({ plane.height($0) >= -mean.tolerance })
                    {
                        return plane
                    }
                }
            }
        }
        return nil
    }

    /// The plane through a rim's centre across its area vector, and the length of that.
    private static func meanPlane(_ points: [Vector3d]) -> (Plane, area: Double)? {
        var box = Box3d.empty
        for p in points { box.insert(p) }
        let center = points.reduce(.zero, +) / Double(points.count)
        var vector = Vector3d.zero
        for n in points.indices { vector += (points[(n + 1) % points.count] - center).cross(points[n] - center) }
        guard vector.length > 0 else { return nil }
        let normal = vector.normalized
        return (
            Plane(normal: normal, offset: center.dot(normal), tolerance: flatness * box.size.length), vector.length
        )
    }

    /// Lengthens the faces at what of the rim is not in the plane until they reach it.
    /// - Returns: false when a face there does not run towards the plane.
    private mutating func extend(_ points: inout [Vector3d], _ normals: [Vector3d], to plane: Plane) -> Bool {
        let old = points
        for n in points.indices {
            let height = plane.height(old[n])
            guard abs(height) > plane.tolerance else { continue }
            let (before, after) = (normals[(n + points.count - 1) % points.count], normals[n])
            // Along the edge of the two faces, or straight down the face when they are one.
            var way = before.cross(after)
            if way.length < 0.05 {
                let normal = (before + after).normalized
                way = plane.normal - normal * plane.normal.dot(normal)
            }
            way = way.normalized
            let slope = way.dot(plane.normal)
            guard abs(slope) > 0.2 else { return false }
            points[n] = Vector3d(Vector3f(old[n] - way * (height / slope)))
        }
        for n in points.indices {
            let m = (n + 1) % points.count
            let (p, q) = (old[n], old[m])
            if points[n] != p { caps.append((q, p, points[n])) }
            if points[m] != q { caps.append((q, points[n], points[m])) }
            area += (p - q).cross(points[n] - q).length + (points[n] - q).cross(points[m] - q).length
        }
        return true
    }

    /// Cuts off corners of the rim as long as the triangle that does so continues a face beside it in its plane.
    private mutating func fillNotches(_ points: inout [Vector3d], _ normals: inout [Vector3d]) {
        var next = points.indices.map { ($0 + 1) % points.count }
        var previous = points.indices.map { ($0 + points.count - 1) % points.count }
        var isCut = [Bool](repeating: false, count: points.count)
        var left = points.count
        var queue = Array(points.indices)
        var head = 0
        while head < queue.count, left > 3 {
            let v = queue[head]
            head += 1
            guard !isCut[v] else { continue }
            let (u, w) = (previous[v], next[v])
            let (p, q, r) = (points[u], points[v], points[w])
            let vector = (r - p).cross(q - p)
            let span = max((r - p).lengthSquared, (q - p).lengthSquared)
            guard vector.length > 1e-6 * span else { continue }
            let (before, after) = (vector.normalized.dot(normals[u]), vector.normalized.dot(normals[v]))
            guard max(before, after) > Self.coplanar, min(before, after) > -0.1 else { continue }
            caps.append((p, r, q))
            area += vector.length
            normals[u] = vector.normalized
            isCut[v] = true
            next[u] = w
            previous[w] = u
            left -= 1
            queue.append(u)
            queue.append(w)
        }
        let kept = points.indices.filter { !isCut[$0] }
        points = kept.map { points[$0] }
        normals = kept.map { normals[$0] }
    }
}
