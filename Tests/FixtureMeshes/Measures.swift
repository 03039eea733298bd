import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// Volume by the divergence theorem, summed about the box's centre in double precision; negative when inside out.
    package var signedVolume: Double {
        let box = boundingBox
        let center = Vector3d(box.minimum + box.maximum) * 0.5
        var sum = 0.0
        for t in 0..<triangleCount {
            let (a, b, c) = cornerPositions(t)
            sum += (a - center).dot((b - center).cross(c - center))
        }
        return sum / 6
    }

    package func cornerPositions(_ triangle: Int) -> (Vector3d, Vector3d, Vector3d) {
        let (a, b, c) = corners(triangle)
        return (Vector3d(position(a)), Vector3d(position(b)), Vector3d(position(c)))
    }
}

/// How often each edge of a mesh is used, after merging vertices with equal positions. A plain count to check others by.
package struct EdgeCensus: Sendable, Equatable {
    /// Distinct edges.
    package var edges = 0
    /// Edges with one face.
    package var boundary = 0
    /// Edges with more than two faces.
    package var nonManifold = 0
    /// Edges with an odd number of faces.
    package var odd = 0
    /// Edges with two faces that run along it the same way, so that the two disagree on which side is out.
    package var misoriented = 0
    /// Faces with two corners at one position.
    package var collapsedFaces = 0
    /// Distinct positions that faces use.
    package var vertices = 0

    package init(_ mesh: TriangleMesh) {
        var merged: [SIMD3<UInt32>: UInt32] = [:]
        let vertexOf = (0..<mesh.vertexCount).map { v -> UInt32 in
            let p = mesh.position(v) + Vector3f(repeating: 0)
            let key = SIMD3(p.x.bitPattern, p.y.bitPattern, p.z.bitPattern)
            if let known = merged[key] { return known }
            merged[key] = UInt32(merged.count)
            return UInt32(merged.count - 1)
        }
        var uses: [UInt64: (forward: Int, backward: Int)] = [:]
        var used = Set<UInt32>()
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            let v = [vertexOf[a], vertexOf[b], vertexOf[c]]
            used.formUnion(v)
            if v[0] == v[1] || v[1] == v[2] || v[2] == v[0] {
                collapsedFaces += 1
                continue
            }
            for (p, q) in [(v[0], v[1]), (v[1], v[2]), (v[2], v[0])] {
                let key = UInt64(min(p, q)) << 32 | UInt64(max(p, q))
                if p < q { uses[key, default: (0, 0)].forward += 1 } else { uses[key, default: (0, 0)].backward += 1 }
            }
        }
        vertices = used.count
        edges = uses.count
        for (forward, backward) in uses.values {
            let count = forward + backward
            boundary += count == 1 ? 1 : 0
            nonManifold += count > 2 ? 1 : 0
            odd += count % 2
            misoriented += count == 2 && forward != backward ? 1 : 0
        }
    }

    /// Vertices − edges + faces, for `faces` faces that have not collapsed: 2 − 2·genus for one closed component.
    package func eulerCharacteristic(faces: Int) -> Int { vertices - edges + faces - collapsedFaces }
}
