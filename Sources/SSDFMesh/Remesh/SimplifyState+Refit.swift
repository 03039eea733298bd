import CSSDFKernels
import SSDFCore

extension SimplifyState {
    /// Moves the vertices to where they fit the mesh that all came from best. Borders and what is no manifold stay.
    /// - Parameters:
    ///   - original: the mesh that the state was made of.
    ///   - leastShape: no triangle gets thinner than it was and than this.
    mutating func refit(to original: TriangleMesh, leastShape: Float) {
        let pointCount = original.vertexCount
        let sampleCount = pointCount + original.triangleCount
        // Samples are numbered in 32 bits.
        guard let pointHomes = homes(), sampleCount < Int(UInt32.max), triangleCount > 0 else { return }
        let homes = Buffer<UInt32>(uninitialized: sampleCount)
        let points = Buffer<Float>(uninitialized: 3 * pointCount)
        let positions = Buffer<Float>(uninitialized: 3 * vertexCount)
        let corners = Buffer<UInt32>(uninitialized: 3 * triangleCount)
        let fixed = Buffer<UInt8>(uninitialized: vertexCount)
        pointHomes.withUnsafeBufferPointer { known in
            for p in 0..<pointCount { homes.pointer[p] = known[p] }
            original.triangles.withUnsafeBufferPointer { faces in
                for f in 0..<sampleCount - pointCount { homes.pointer[pointCount + f] = known[Int(faces[3 * f])] }
            }
        }
        original.positions.withUnsafeBufferPointer { given in
            for i in 0..<3 * pointCount { points.pointer[i] = given[i] * scale }
        }
        for i in 0..<3 * triangleCount { corners.pointer[i] = triangles.pointer[i] }
        for v in 0..<vertexCount {
            let vertex = vertices.pointer[v]
            let (x, y, z) = vertex.position
            (positions.pointer[3 * v], positions.pointer[3 * v + 1], positions.pointer[3 * v + 2]) = (x, y, z)
            fixed.pointer[v] = vertex.flags & UInt8(SSDF_VERTEX_LOCKED.rawValue | SSDF_VERTEX_BORDER.rawValue)
        }
        let mesh = RefitMesh(
            points: points, faces: original.triangles, homes: homes, positions: positions, triangles: corners,
            fixed: fixed, threads: threads)
        mesh.fit(leastShape: leastShape)
        for v in 0..<vertexCount {
            let p = mesh.positions.pointer + 3 * v
            vertices.pointer[v].position = (p[0], p[1], p[2])
        }
    }

    /// Raises a level by one, up to `most`, at every vertex of the original that has become a corner of one of `faces`.
    func raise(_ marks: inout [UInt8], at faces: [UInt32], by step: ssdf_simplify_marks, most: UInt8) {
        guard let homes = homes() else { return }
        var isNear = [Bool](repeating: false, count: vertexCount)
        for t in faces {
            for h in 3 * Int(t)..<3 * Int(t) + 3 { isNear[Int(triangles.pointer[h])] = true }
        }
        let unit = UInt8(step.rawValue)
        for v in 0..<marks.count where homes[v] != .max && isNear[Int(homes[v])] {
            if marks[v] / unit & most < most { marks[v] += unit }
        }
    }

    /// For each vertex that the state was made of, the one it became part of, or `UInt32.max`; nil before any round.
    func homes() -> [UInt32]? {
        guard var homes = successors.last else { return nil }
        for earlier in successors.dropLast().reversed() {
            homes = earlier.withUnsafeBufferPointer { earlier in
                homes.withUnsafeBufferPointer { later in
                    [UInt32](filling: earlier.count) { out in
                        for v in 0..<out.count { out[v] = earlier[v] == .max ? .max : later[Int(earlier[v])] }
                    }
                }
            }
        }
        return homes
    }
}
