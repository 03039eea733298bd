import SSDFCore

/// The winding number over a small ball, as a linear function plus a few triangles that are summed as they are.
///
/// Beside a hole, every voxel of a brick asks for the winding number of what closed the hole. Most of it lies far off and
/// hardly changes over a brick, so it is gathered once.
struct LocalWinding {
    var center = Vector3d.zero
    /// Value at the centre and change per unit of length, over 4π.
    var value = 0.0
    var gradient = Vector3d.zero
    /// Bound on the error of `value + gradient · (p - center)` anywhere in the ball.
    var error = 0.0

    /// Whether the winding number, less that of triangles listed apart, stays nearer to 0 than to ±½ within `radius`.
    func staysSmall(within radius: Double) -> Bool { abs(value) + gradient.length * radius + error < 0.499 }
}

extension WindingTree {
    /// Gathers all triangles around a ball. Those too near for an expansion are listed in `near`.
    ///
    /// A group of triangles with area A, farthest corner R from its centre, whose nearest part is `g` from the ball of
    /// radius ρ, is replaced by two terms of its expansion about its own centre, and the result by its linear part about
    /// the ball's. The third derivatives of 1/r are at most 6/r⁴ in any direction, so what the linear part leaves out is
    /// at most (6ρRA + 3ρ²A) / g⁴.
    /// - Complexity: O(log n) for a ball far from all triangles.
    func around(_ center: Vector3d, radius: Double, near: inout ScratchBuffer<Int32>) -> LocalWinding {
        /// Solid angle that one group may be wrong by.
        let tolerance = 2e-3 * Self.fourPi
        var local = LocalWinding(center: center)
        near.count = 0
        walk(from: center) { node, _, r in
            let gap = r - node.pointee.radius
            let clear = gap - radius
            let gap4 = gap * gap * gap * gap
            let clear4 = clear * clear * clear * clear
            let bound =
                3 * node.pointee.spread / gap4
                + (6 * radius * node.pointee.radius + 3 * radius * radius) * node.pointee.totalArea / clear4
            return clear > 0 && bound <= tolerance ? bound : nil
        } far: { node, d, r, bound in
            let (value, gradient) = node.pointee.expansion(d, r)
            local.value += value
            local.gradient += gradient
            local.error += bound
        } near: { triangles in
            for t in triangles { near.append(Int32(t)) }
        }
        local.value /= Self.fourPi
        local.gradient /= Self.fourPi
        local.error /= Self.fourPi
        return local
    }

    /// Whether the winding number at `p`, in the ball of `local`, is ≤ `threshold`.
    func isAtMost(
        _ threshold: Double, at p: Vector3d, local: LocalWinding, near: borrowing ScratchBuffer<Int32>
    ) -> Bool {
        var sum = 0.0
        corners.withUnsafeBufferPointer { corners in
            for n in 0..<near.count {
                let (a, b, c) = corners[Int(near.pointer[n])]
                sum += solidAngle(a - p, b - p, c - p)
            }
        }
        let winding = local.value + local.gradient.dot(p - local.center) + sum / Self.fourPi
        if abs(winding - threshold) > local.error + 1e-9 { return winding <= threshold }
        return isAtMost(threshold, at: p)
    }
}
