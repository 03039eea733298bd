import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Generalised winding numbers of a set of triangles, to any accuracy asked for.
///
/// The winding number of a point is the signed solid angle under which it sees the triangles, over 4π. Far groups of
/// triangles are summed by two terms of their expansion, with a bound on what is left out; the sum is refined until
/// the question asked of it is decided, down to exact solid angles.
///
/// Source: Jacobson, Kavan, Sorkine-Hornung, "Robust Inside-Outside Segmentation using Generalized Winding Numbers",
/// 2013; Barill, Dickson, Schmidt, Levin, Jacobson, "Fast Winding Numbers for Soups and Clouds", 2018, §3.
final class WindingTree: Sendable {
    struct Node: Sendable {
        var center = Vector3d.zero
        /// Farthest corner from the centre.
        var radius = 0.0
        /// Sum of area vectors, and of area vector ⊗ (centroid - centre) by columns.
        var area = Vector3d.zero
        var momentX = Vector3d.zero, momentY = Vector3d.zero, momentZ = Vector3d.zero
        /// Sum of areas, and integral of the squared distance from the centre.
        var totalArea = 0.0, spread = 0.0
        /// Leaves: a range of triangles. Inner nodes: the left child comes next, `right` is the other.
        var first: Int32 = 0, count: Int32 = 0, right: Int32 = 0

        /// Two terms of the expansion of the solid angle seen from a point `d` before the centre, at distance `r`, and
        /// how the first changes as the point moves.
        @inline(__always)
        func expansion(_ d: Vector3d, _ r: Double) -> (value: Double, gradient: Vector3d) {
            let inverse = 1 / r
            let square = inverse * inverse
            let cube = inverse * square
            let trace = momentX.x + momentY.y + momentZ.z
            let along = d.dot(momentX) * d.x + d.dot(momentY) * d.y + d.dot(momentZ) * d.z
            let flux = area.dot(d)
            return (cube * (flux + trace - 3 * along * square), (d * (3 * flux * square) - area) * cube)
        }
    }

    let nodes: [Node]
    /// Three corners a triangle, in the order of the leaves.
    let corners: [(Vector3d, Vector3d, Vector3d)]

    private static let leafSize = 4
    static let fourPi = 4 * Double.pi

    /// - Complexity: O(n log n).
    init(_ triangles: [(Vector3d, Vector3d, Vector3d)]) {
        var order = Array(0..<triangles.count)
        let centroids = triangles.map { ($0.0 + $0.1 + $0.2) / 3 }
        var nodes: [Node] = []
        nodes.reserveCapacity(2 * triangles.count / Self.leafSize + 1)
        if !triangles.isEmpty { Self.build(triangles, centroids, &order, 0..<triangles.count, &nodes) }
        self.nodes = nodes
        corners = order.map { triangles[$0] }
    }

    @discardableResult
    private static func build(
        _ triangles: [(Vector3d, Vector3d, Vector3d)], _ centroids: [Vector3d], _ order: inout [Int],
        _ range: Range<Int>, _ nodes: inout [Node]
    ) -> Int {
        var node = Node()
        var box = Box3d.empty
        for t in order[range] {
            let (a, b, c) = triangles[t]
            let n = (b - a).cross(c - a) * 0.5
            let area = n.length
            node.area += n
            node.totalArea += area
            node.center += centroids[t] * area
            box.insert(centroids[t])
        }
        node.center = node.totalArea > 0 ? node.center / node.totalArea : box.center
        for t in order[range] {
            let (a, b, c) = triangles[t]
            let n = (b - a).cross(c - a) * 0.5
            let offset = centroids[t] - node.center
            node.momentX += n * offset.x
            node.momentY += n * offset.y
            node.momentZ += n * offset.z
            let spread =
                ((a - centroids[t]).lengthSquared + (b - centroids[t]).lengthSquared
                    + (c - centroids[t]).lengthSquared) / 12
            node.spread += n.length * (offset.lengthSquared + spread)
            for p in [a, b, c] { node.radius = max(node.radius, (p - node.center).length) }
        }
        let index = nodes.count
        nodes.append(node)
        if range.count <= leafSize {
            nodes[index].first = Int32(range.lowerBound)
            nodes[index].count = Int32(range.count)
            return index
        }
        let size = box.size
        let axis = size.x >= size.y && size.x >= size.z ? 0 : size.y >= size.z ? 1 : 2
        order[range].sort {
            let (p, q) = (centroids[$0][axis], centroids[$1][axis])
            return p != q ? p < q : $0 < $1
        }
        let middle = range.lowerBound + range.count / 2
        build(triangles, centroids, &order, range.lowerBound..<middle, &nodes)
        nodes[index].right = Int32(build(triangles, centroids, &order, middle..<range.upperBound, &nodes))
        return index
    }

    /// Whether the winding number at `p` is ≤ `threshold`.
    func isAtMost(_ threshold: Double, at p: Vector3d) -> Bool {
        var tolerance = 1e-3
        while true {
            let (winding, error) = estimate(p, tolerance: tolerance)
            if abs(winding - threshold) > error || error < 1e-12 { return winding <= threshold }
            tolerance = tolerance > 1e-13 ? tolerance / 32 : 0
        }
    }

    /// The winding number at `p`, to about `accuracy`.
    func winding(at p: Vector3d, accuracy: Double = 1e-10) -> Double {
        var tolerance = accuracy
        while true {
            let (winding, error) = estimate(p, tolerance: tolerance)
            if error <= accuracy { return winding }
            tolerance = min(tolerance / 16, tolerance * accuracy / error)
        }
    }

    /// A sum in which each group is left unopened when its error is at most `tolerance`, and a bound on its error.
    private func estimate(_ p: Vector3d, tolerance: Double) -> (winding: Double, error: Double) {
        var sum = 0.0
        var error = 0.0
        corners.withUnsafeBufferPointer { corners in
            walk(from: p) { node, _, r in
                let gap = r - node.pointee.radius
                let gap2 = gap * gap
                let bound = 3 * node.pointee.spread / (gap2 * gap2)
                return gap > 0 && bound <= tolerance * Self.fourPi ? bound : nil
            } far: { node, d, r, bound in
                sum += node.pointee.expansion(d, r).value
                error += bound
            } near: { triangles in
                for t in triangles {
                    let (a, b, c) = corners[t]
                    sum += solidAngle(a - p, b - p, c - p)
                }
            }
        }
        return (sum / Self.fourPi, error / Self.fourPi)
    }

    /// Calls `far` for groups of triangles that together with those given to `near` are all of them.
    ///
    /// - Parameters:
    ///   - accept: a bound on the error of a group's expansion, given the way to its centre and the length of that; nil
    ///     when the group is to be opened.
    ///   - far: the group, the way and the distance to its centre, and the bound.
    ///   - near: triangles of a leaf that was not accepted.
    @inline(__always)
    func walk(
        from p: Vector3d, accept: (UnsafePointer<Node>, Vector3d, Double) -> Double?,
        far: (UnsafePointer<Node>, Vector3d, Double, Double) -> Void, near: (Range<Int>) -> Void
    ) {
        nodes.withUnsafeBufferPointer { nodes in
            guard let first = nodes.baseAddress else { return }
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: 128) { stack in
                var depth = 1
                stack[0] = 0
                while depth > 0 {
                    depth -= 1
                    let index = Int(stack[depth])
                    let node = first + index
                    let d = node.pointee.center - p
                    let r = d.length
                    if let bound = accept(node, d, r) {
                        far(node, d, r, bound)
                    } else if node.pointee.count > 0 {
                        near(Int(node.pointee.first)..<Int(node.pointee.first + node.pointee.count))
                    } else {
                        stack[depth] = node.pointee.right
                        stack[depth + 1] = Int32(index + 1)
                        depth += 2
                    }
                }
            }
        }
    }
}

/// Signed solid angle under which the origin sees a triangle: positive from its back.
///
/// Source: van Oosterom, Strackee, "The Solid Angle of a Plane Triangle", 1983.
@inline(__always)
package func solidAngle(_ a: Vector3d, _ b: Vector3d, _ c: Vector3d) -> Double {
    let (la, lb, lc) = (a.length, b.length, c.length)
    let volume = a.dot(b.cross(c))
    let sum = la * lb * lc + a.dot(b) * lc + b.dot(c) * la + c.dot(a) * lb
    return 2 * atan2(volume, sum)
}
