import CSSDFKernels
import SSDFCore

/// A ray or a segment: `origin + t · direction` for `t` in `range`. The direction need not have unit length.
package struct Ray: Sendable {
    /// Where `t` is 0, in the mesh's units.
    package var origin: Vector3f
    /// What `t` counts lengths of.
    package var direction: Vector3f
    /// Both ends count.
    package var range: ClosedRange<Float>

    /// - Precondition: the direction is finite and not zero, the origin finite.
    package init(origin: Vector3f, direction: Vector3f, range: ClosedRange<Float> = 0...Float.greatestFiniteMagnitude) {
        self.origin = origin
        self.direction = direction
        self.range = range
    }

    var packed: ssdf_bvh_ray {
        ssdf_bvh_ray(
            origin: (origin.x, origin.y, origin.z), direction: (direction.x, direction.y, direction.z),
            near: range.lowerBound, far: range.upperBound)
    }
}

/// Where a ray meets a triangle.
package struct RayHit: Sendable {
    /// The triangle that is met; of several at the same `t`, the lowest.
    package var triangle: Int
    /// In lengths of the ray's direction.
    package var t: Float
    /// Whether the ray comes from the counter-clockwise side, so that it goes into the solid.
    package var enters: Bool
    /// Barycentric coordinates of the three corners.
    package var weights: Vector3f

    init?(_ hit: ssdf_bvh_hit) {
        guard hit.triangle != .max else { return nil }
        triangle = Int(hit.triangle)
        t = hit.t
        enters = hit.facing > 0
        weights = Vector3f(hit.weights.0, hit.weights.1, hit.weights.2)
    }
}

extension TriangleBVH {
    /// The first triangle along the ray. Triangles are closed, so that nothing passes through an edge or a corner; one
    /// seen exactly edge-on is not hit. Of equal `t`, the lowest triangle.
    package func firstHit(_ ray: Ray) -> RayHit? {
        var packed = ray.packed
        var hit = ssdf_bvh_hit()
        withTree { ssdf_bvh_first_hits($0, &packed, 1, &hit) }
        return RayHit(hit)
    }

    /// Whether the ray meets any triangle; conventions as `firstHit(_:)`.
    package func isHit(_ ray: Ray) -> Bool {
        var packed = ray.packed
        var result: UInt8 = 0
        withTree { ssdf_bvh_any_hits($0, &packed, 1, &result) }
        return result != 0
    }

    /// Every triangle along the ray, by `t`, then by number.
    ///
    /// Triangles are half open: where the ray passes exactly through an edge or a corner, exactly those around it count
    /// that would after an infinitesimal move of the ray. So the number of hits is even for a ray from outside a closed
    /// mesh, and entering minus leaving hits is the winding number it crosses.
    package func hits(_ ray: Ray) -> [RayHit] {
        var packed = ray.packed
        var capacity = 64
        while true {
            var total = 0
            let found = [ssdf_bvh_hit](unsafeUninitializedCapacity: capacity) { storage, used in
                total = withTree { ssdf_bvh_all_hits($0, &packed, storage.baseAddress!, storage.count) }
                used = min(total, storage.count)
            }
            if total <= capacity {
                return found.compactMap { RayHit($0) }.sorted { ($0.t, $0.triangle) < ($1.t, $1.triangle) }
            }
            capacity = total
        }
    }

    /// The first hits of many rays: calls `body` with the number of each ray and its hit, in tiles that may run on
    /// several threads at once.
    package func forEachFirstHit(
        _ rays: Int, threads: Int, ray: @Sendable (Int) -> Ray, _ body: @Sendable (Int, RayHit?) -> Void
    ) {
        let tile = 256
        parallelFor(rays, threads: threads, grain: tile) { range in
            let packed = range.map { ray($0).packed }
            withUnsafeTemporaryAllocation(of: ssdf_bvh_hit.self, capacity: tile) { hits in
                withTree { ssdf_bvh_first_hits($0, packed, range.count, hits.baseAddress!) }
                for index in range { body(index, RayHit(hits[index - range.lowerBound])) }
            }
        }
    }
}
