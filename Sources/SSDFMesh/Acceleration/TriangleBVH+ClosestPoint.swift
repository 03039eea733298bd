import CSSDFKernels
import SSDFCore

/// The place of a triangle mesh nearest to a point.
package struct ClosestPoint: Sendable {
    /// Where on its triangle the place lies. Edges and vertices are numbered from the triangle's first corner: edge 0
    /// runs from corner 0 to corner 1.
    package enum Feature: Sendable, Equatable {
        case face
        case edge(Int)
        case vertex(Int)
    }

    private var result: ssdf_bvh_closest

    init?(_ result: ssdf_bvh_closest) {
        guard result.triangle != .max else { return nil }
        self.result = result
    }

    /// The triangle; of several at exactly the same distance, the lowest.
    package var triangle: Int { Int(result.triangle) }
    /// The place, in the mesh's units.
    package var point: Vector3f { Vector3f(result.point.0, result.point.1, result.point.2) }
    /// Barycentric coordinates of the three corners: at least 0, sum 1.
    package var weights: Vector3f { Vector3f(result.weights.0, result.weights.1, result.weights.2) }
    /// Squared distance from the query, in squared mesh units, found in double precision.
    package var distanceSquared: Float { result.distance_squared }

    /// Whether the place lies inside the triangle, on an edge (0 from corner 0 to 1, 1 and 2 onwards) or on a
    /// corner.
    package var feature: Feature {
        switch result.feature {
        case 0: .face
        case 1...3: .edge(Int(result.feature) - 1)
        default: .vertex(Int(result.feature) - 4)
        }
    }
}

extension TriangleBVH {
    /// The closest place to `point`, or nil when there is none within `reach` (in mesh units) or no triangle at all.
    package func closestPoint(to point: Vector3f, within reach: Float = .infinity) -> ClosestPoint? {
        let packed = [point.x, point.y, point.z]
        var result = ssdf_bvh_closest()
        withTree { ssdf_bvh_closest_points($0, packed, 1, reach * reach, &result) }
        return ClosestPoint(result)
    }

    /// The closest places to many points: calls `body` with the number of each point and its place, in tiles that may
    /// run on several threads at once.
    /// - Parameters:
    ///   - points: `[count, 3]`, packed; neighbours in the list should be neighbours in space.
    ///   - reach: nothing farther away is looked for, in mesh units.
    package func forEachClosestPoint(
        to points: UnsafePointer<Float>, count: Int, within reach: Float = .infinity, threads: Int,
        _ body: @Sendable (Int, ClosestPoint?) -> Void
    ) {
        let tile = 256
        let queries = Unchecked(points)
        parallelFor(count, threads: threads, grain: tile) { range in
            withUnsafeTemporaryAllocation(of: ssdf_bvh_closest.self, capacity: tile) { results in
                withTree {
                    ssdf_bvh_closest_points(
                        $0, queries.value + 3 * range.lowerBound, range.count, reach * reach,
                        results.baseAddress!)
                }
                for index in range { body(index, ClosestPoint(results[index - range.lowerBound])) }
            }
        }
    }
}

extension TriangleBVH {
    /// The closest places to points `[n, 3]`, in order, on the caller's thread.
    /// - Precondition: the tree has triangles.
    func visitClosestPoints(to points: [Float], _ body: (ClosestPoint) -> Void) {
        let count = points.count / 3
        withUnsafeTemporaryAllocation(of: ssdf_bvh_closest.self, capacity: count) { results in
            withTree { ssdf_bvh_closest_points($0, points, count, .infinity, results.baseAddress!) }
            for result in results {
                if let place = ClosestPoint(result) { body(place) }
            }
        }
    }
}
