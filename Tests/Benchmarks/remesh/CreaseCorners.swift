import SSDFCore
import SSDFMesh

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Corners at which creases of a mesh meet at a small angle: no triangle that fits between them has a larger one.
struct CreaseCorners {
    /// Of each corner, the place and the least angle between two of its creases, in degrees.
    private(set) var corners: [(place: Vector3d, angle: Double)] = []

    /// - Parameters:
    ///   - creaseAngle: between faces' normals, in degrees, from which on their edge is a crease.
    ///   - limit: angle between creases, in degrees, below which their corner counts.
    init(_ mesh: TriangleMesh, creaseAngle: Double, below limit: Double) {
        func place(_ v: UInt32) -> Vector3d { Vector3d(mesh.position(Int(v))) }
        var normals: [UInt64: [Vector3d]] = [:]
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            let corners = [UInt32(a), UInt32(b), UInt32(c)]
            let normal = (place(corners[1]) - place(corners[0])).cross(place(corners[2]) - place(corners[0])).normalized
            for k in 0..<3 {
                let (u, v) = (corners[k], corners[(k + 1) % 3])
                normals[UInt64(min(u, v)) << 32 | UInt64(max(u, v)), default: []].append(normal)
            }
        }
        var ways: [UInt32: [Vector3d]] = [:]
        for (edge, faces) in normals {
            guard faces.count != 2 || Self.angle(faces[0], faces[1]) > creaseAngle else { continue }
            let (u, v) = (UInt32(edge >> 32), UInt32(truncatingIfNeeded: edge))
            ways[u, default: []].append(place(v) - place(u))
            ways[v, default: []].append(place(u) - place(v))
        }
        for (vertex, directions) in ways.sorted(by: { $0.key < $1.key }) {
            var least = 180.0
            for i in directions.indices {
                for j in 0..<i { least = min(least, Self.angle(directions[i], directions[j])) }
            }
            if least < limit { corners.append((place(vertex), least)) }
        }
    }

    /// The smallest angle, in degrees, of the triangles of a mesh that have no vertex within `reach` of a corner.
    func leastAngleElsewhere(_ mesh: TriangleMesh, reach: Double) -> Double {
        var least = 180.0
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            let p = [a, b, c].map { Vector3d(mesh.position($0)) }
            guard !corners.contains(where: { corner in p.contains { ($0 - corner.place).length < reach } }) else {
                continue
            }
            for i in 0..<3 { least = min(least, Self.angle(p[(i + 1) % 3] - p[i], p[(i + 2) % 3] - p[i])) }
        }
        return least
    }

    private static func angle(_ a: Vector3d, _ b: Vector3d) -> Double {
        atan2(a.cross(b).length, a.dot(b)) * 180 / .pi
    }
}
