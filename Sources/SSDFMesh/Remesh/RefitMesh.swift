import CSSDFKernels
import SSDFCore

/// A simplified mesh whose vertices move to where they fit the original best; connectivity stays.
///
/// Samples of the original, its vertices and the centroids of its faces, are matched with the nearest triangle around
/// their home vertex, the one that they became part of at first. Then the vertices move to the least sum of squared
/// distances, or near it, and so on. Samples and vertices that are farther than 3/5 of the farthest sample weigh more,
/// which keeps the largest error from growing while the mean falls. In the end a close look at the farthest places
/// (`RefitRegion`) sends vertices back to where they were where the surfaces are farther apart than anywhere before.
///
/// The result does not depend on the number of threads.
/// - Complexity: O(samples) a step, about 25 ns each on one thread.
struct RefitMesh: ~Copyable {
    /// Steps after which an extracted surface's mean error falls by 1 to 2% a step.
    private static let steps = 2
    /// Of the farthest sample, the share from which on samples weigh more and vertices are brought back.
    private static let tolerance: Float = 0.6
    /// Rounds of laying back what has become worse; each goes an edge farther where the last was not enough.
    private static let undoings = 6
    /// Of the vertices, the share that the largest distance before fitting is looked for at.
    private static let boundShare = 0.001
    /// Vertices a thread takes at a time; fixed, so that sums do not depend on the number of threads.
    private static let tile = 1024

    /// The original, `[n, 3]`.
    let points: Buffer<Float>
    let faces: [UInt32]
    /// `[points + faces]` the vertex near each sample, or `UInt32.max` for none.
    let homes: Buffer<UInt32>
    let positions: Buffer<Float>
    let triangles: Buffer<UInt32>
    /// Whether a vertex stays where it is.
    let fixed: Buffer<UInt8>
    let threads: Int

    /// Moves the vertices; `positions` change in place.
    /// - Parameters:
    ///   - leastShape: no triangle gets thinner than it was and than this: 0 … 1, 1 is equilateral.
    ///   - softness: resistance to moves across the normals, as a share of the weight along them.
    func fit(leastShape: Float, softness: Float = 5e-4) {
        let vertexCount = positions.count / 3
        let corners = triangles.count
        let sampleStarts = Buffer<UInt32>(uninitialized: vertexCount + 1)
        let samples = Buffer<UInt32>(uninitialized: homes.count)
        let fanStarts = Buffer<UInt32>(uninitialized: vertexCount + 1)
        let fans = Buffer<UInt32>(uninitialized: corners)
        let sums = Buffer<Float>(uninitialized: Int(SSDF_REFIT_SUMS) * corners)
        let nearestFace = Buffer<UInt32>(uninitialized: vertexCount)
        let farthest = Buffer<Float>(uninitialized: vertexCount)
        let scratch = Buffer<Float>(uninitialized: ssdf_refit_scratch(UInt32(vertexCount), UInt32(corners / 3)))
        faces.withUnsafeBufferPointer { faces in
            guard let firstFace = faces.baseAddress, vertexCount > 0 else { return }
            var kernel = ssdf_refit(
                points: points.pointer, faces: firstFace, point_count: UInt32(points.count / 3),
                face_count: UInt32(faces.count / 3), homes: homes.pointer, sample_starts: sampleStarts.pointer,
                samples: samples.pointer, positions: positions.pointer, triangles: triangles.pointer,
                vertex_count: UInt32(vertexCount), triangle_count: UInt32(corners / 3), fan_starts: fanStarts.pointer,
                fans: fans.pointer, sums: sums.pointer, nearest_face: nearestFace.pointer,
                farthest: farthest.pointer, fixed: fixed.pointer)
            ssdf_refit_list_fans(&kernel)
            var limits = ssdf_refit_limits(
                softness: softness, hold: 1e-3, height: 0, least_shape: leastShape, iterations: 4)
            // At first a home may be some edges away, and the first match only finds better ones; later on what is five times
            // as far as most is looked for.
            ssdf_refit_list_samples(&kernel)
            var distances = match(kernel, tolerated: .infinity, searched: 0.01 * meanSquaredEdge)
            let original = Buffer(positions.array)
            // The largest distance there may be, squared: that of the mesh as it is given.
            var bound: Float = 0
            var tolerated = Float.infinity
            for step in 0..<Self.steps {
                guard distances.count > 0, distances.squares > 0 else { return }
                if step == 0 {
                    bound = RefitRegion(self, farthest: farthest, share: Self.boundShare).measure(
                        kernel, threads: threads)
                } else {
                    ssdf_refit_list_samples(&kernel)
                    distances = match(kernel, tolerated: tolerated, searched: searched(distances))
                }
                tolerated = Self.tolerance * Self.tolerance * min(bound, distances.largest)
                limits.height = tolerated.squareRoot()
                ssdf_refit_solve(&kernel, &limits, scratch.pointer)
            }
            ssdf_refit_list_samples(&kernel)
            _ = match(kernel, tolerated: nil, searched: searched(distances))
            let region = RefitRegion(self, farthest: farthest)
            for round in 0...Self.undoings {
                guard region.measure(kernel, threads: threads) > bound else { break }
                if round == Self.undoings {
                    positions.pointer.update(from: original.pointer, count: positions.count)
                } else if ssdf_refit_undo(&kernel, original.pointer, bound, leastShape, scratch.pointer) == 0 {
                    // What is left has not moved.
                    break
                }
            }
        }
    }

    private func searched(_ distances: ssdf_refit_distances) -> Float {
        Float(25 * distances.squares / Double(max(distances.count, 1)))
    }

    private var meanSquaredEdge: Float {
        let count = triangles.count / 3
        var sum = 0.0
        for t in 0..<count {
            let (a, b) = (3 * Int(triangles.pointer[3 * t]), 3 * Int(triangles.pointer[3 * t + 1]))
            for x in 0..<3 {
                let d = Double(positions.pointer[a + x] - positions.pointer[b + x])
                sum += d * d
            }
        }
        return Float(sum / Double(max(count, 1)))
    }

    /// Matches all samples; without `tolerated` only to find how far they are.
    private func match(_ kernel: ssdf_refit, tolerated: Float?, searched: Float) -> ssdf_refit_distances {
        let count = Int(kernel.vertex_count)
        let shared = Unchecked(kernel)
        let parts = parallelMap((count + Self.tile - 1) / Self.tile, threads: threads) { part in
            var kernel = shared.value
            let first = part * Self.tile
            let (begin, end) = (UInt32(first), UInt32(min(first + Self.tile, count)))
            guard let tolerated else { return ssdf_refit_reach(&kernel, begin, end, searched) }
            return ssdf_refit_match(&kernel, begin, end, tolerated, searched)
        }
        return parts.reduce(into: ssdf_refit_distances()) { sum, part in
            sum.squares += part.squares
            sum.count += part.count
            sum.largest = max(sum.largest, part.largest)
        }
    }
}

/// The samples of a mesh that fitting and bounds go by: its vertices, then the centroids of its faces, `[n, 3]`.
func verticesAndCentroids(of mesh: TriangleMesh) -> Buffer<Float> {
    let samples = Buffer<Float>(uninitialized: mesh.positions.count + 3 * mesh.triangleCount)
    for i in mesh.positions.indices { samples.pointer[i] = mesh.positions[i] }
    for t in 0..<mesh.triangleCount {
        let (a, b, c) = mesh.corners(t)
        let middle = (mesh.position(a) + mesh.position(b) + mesh.position(c)) * (1 / 3)
        for x in 0..<3 { samples.pointer[mesh.positions.count + 3 * t + x] = middle[x] }
    }
    return samples
}
