import CSSDFKernels
import SSDFCore

/// The original that collapses are held to, at the scale of the states made of it: found once for all of them.
struct CollapseOriginal: ~Copyable {
    let mesh: TriangleMesh
    let tree: TriangleBVH
    /// `[n, 3]`: every vertex and every face's centroid.
    let samples: Buffer<Float>

    /// - Complexity: O(n log n).
    init(_ original: TriangleMesh, threads: Int) {
        let scale = SimplifyState.scale(of: original)
        mesh = TriangleMesh(positions: original.positions.map { $0 * scale }, triangles: original.triangles)
        tree = TriangleBVH(mesh, threads: threads)
        samples = verticesAndCentroids(of: mesh)
    }
}

extension SimplifyState {
    /// Goes on until no collapse is left that would keep the surfaces within `error` of each other, in the mesh's units.
    ///
    /// Every vertex and every face's centroid of the original is listed at a triangle near it. A collapse must leave all that
    /// are listed around it near one of its triangles, and samples of these near the original.
    /// - Parameters:
    ///   - original: of the mesh that the state was made of.
    ///   - leastShape: kept to as long as that lets anything go, then given up.
    /// - Returns: when samples are farther away already, the triangles nearest to these, and nothing is collapsed.
    /// - Complexity: O(n log n) and, for each collapse that is tried, the samples around it; 60 bytes a triangle more.
    mutating func reduce(
        within error: Float, of original: borrowing CollapseOriginal, leastShape: Float
    ) -> [UInt32] {
        let sampleCount = original.samples.count / 3
        guard triangleCount > 0, error > 0, sampleCount < Int(UInt32.max) else { return [] }
        let faces = Buffer<UInt32>(uninitialized: sampleCount)
        let far = findFaces(near: original.samples, within: error * scale, into: faces)
        guard far.isEmpty else { return far }
        let next = Buffer<UInt32>(uninitialized: sampleCount)
        let first = Buffer<UInt32>(uninitialized: triangleCount)
        let spacing = Float(MeshDistance.spacing(original.mesh, triangleCount, threads: threads))
        let samples = original.samples.pointer
        original.tree.withTree { tree in
            var bound = ssdf_simplify_bound(
                tree: tree, samples: samples, face: faces.pointer, next: next.pointer, first: first.pointer,
                sample_count: UInt32(sampleCount), most: (error * scale) * (error * scale), spacing: spacing)
            var shape = leastShape
            retry(nil)
            while true {
                let before = triangleCount
                round(
                    blockSize: .max, shift: 0, threshold: 1e30, cap: 1, target: 0, leastShape: shape, bound: &bound)
                if triangleCount < before {
                    retry(SSDF_MARK_CHANGED)
                    continue
                }
                guard shape > 0 else { break }
                shape = 0
                retry(SSDF_MARK_THIN)
            }
        }
        return []
    }

    /// Finds the triangle of the mesh as it stands that is nearest to each of points `[n, 3]`, scaled as the state's
    /// vertices. Returns those found for points that are farther away than `reach`.
    private func findFaces(
        near points: borrowing Buffer<Float>, within reach: Float, into faces: borrowing Buffer<UInt32>
    ) -> [UInt32] {
        let positions = [Float](filling: 3 * vertexCount) { out in
            for v in 0..<vertexCount {
                let p = vertices.pointer[v].position
                (out[3 * v], out[3 * v + 1], out[3 * v + 2]) = (p.0, p.1, p.2)
            }
        }
        let mesh = TriangleMesh(
            positions: positions,
            triangles: Array(UnsafeBufferPointer(start: triangles.pointer, count: 3 * triangleCount)))
        let found = Unchecked(faces.pointer)
        let tree = TriangleBVH(mesh, threads: threads)
        tree.forEachClosestPoint(
            to: points.pointer, count: points.count / 3, within: reach, threads: threads
        ) { found.value[$0] = $1.map { UInt32($0.triangle) } ?? .max }
        return (0..<faces.count).filter { faces.pointer[$0] == .max }.compactMap { s in
            let p = points.pointer + 3 * s
            return tree.closestPoint(to: Vector3f(p[0], p[1], p[2])).map { UInt32($0.triangle) }
        }
    }
}
