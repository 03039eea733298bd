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
        nodes.withUnsafeBufferPointer { nodes in
            guard !nodes.isEmpty else { return }
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: 128) { stack in
                var depth = 1
                stack[0] = 0
                while depth > 0 {
                    depth -= 1
                    let index = Int(stack[depth])
                    let node = nodes[index]
                    let d = node.center - center
                    let r = d.length
                    let gap = r - node.radius
                    let clear = gap - radius
                    let gap4 = gap * gap * gap * gap
                    let clear4 = clear * clear * clear * clear
                    let bound =
                        3 * node.spread / gap4
                        + (6 * radius * node.radius + 3 * radius * radius) * node.totalArea / clear4
                    if clear > 0, bound <= tolerance {
                        let (value, gradient) = node.expansion(d, r)
                        local.value += value
                        local.gradient += gradient
                        local.error += bound
                    } else if node.count > 0 {
                        for t in node.first..<node.first + node.count { near.append(t) }
                    } else {
                        stack[depth] = node.right
                        stack[depth + 1] = Int32(index + 1)
                        depth += 2
                    }
                }
            }
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
