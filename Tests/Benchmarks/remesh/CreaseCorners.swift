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
    private let creaseAngle: Double

    /// - Parameters:
    ///   - creaseAngle: between faces' normals, in degrees, from which on their edge is a crease.
    ///   - limit: angle between creases, in degrees, below which their corner counts.
    init(_ mesh: TriangleMesh, creaseAngle: Double, below limit: Double) {
        self.creaseAngle = creaseAngle
        var ways: [UInt32: [Vector3d]] = [:]
        for edge in Self.creases(mesh, creaseAngle: creaseAngle) {
            let (u, v) = (UInt32(edge >> 32), UInt32(truncatingIfNeeded: edge))
            ways[u, default: []].append(Self.place(mesh, v) - Self.place(mesh, u))
            ways[v, default: []].append(Self.place(mesh, u) - Self.place(mesh, v))
        }
        for (vertex, directions) in ways.sorted(by: { $0.key < $1.key }) {
            var least = 180.0
            for i in directions.indices {
                for j in 0..<i { least = min(least, Self.angle(directions[i], directions[j])) }
            }
            if least < limit { corners.append((Self.place(mesh, vertex), least)) }
        }
    }

    private static func creases(_ mesh: TriangleMesh, creaseAngle: Double) -> Set<UInt64> {
        var normals: [UInt64: [Vector3d]] = [:]
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            let corners = [UInt32(a), UInt32(b), UInt32(c)]
            let p = corners.map { place(mesh, $0) }
            let normal = (p[1] - p[0]).cross(p[2] - p[0]).normalized
            for k in 0..<3 { normals[edge(corners[k], corners[(k + 1) % 3]), default: []].append(normal) }
        }
        return Set(normals.filter { $1.count != 2 || angle($1[0], $1[1]) > creaseAngle }.keys)
    }

    private static func place(_ mesh: TriangleMesh, _ v: UInt32) -> Vector3d { Vector3d(mesh.position(Int(v))) }

    private static func edge(_ u: UInt32, _ v: UInt32) -> UInt64 { UInt64(min(u, v)) << 32 | UInt64(max(u, v)) }

    private static func angle(_ a: Vector3d, _ b: Vector3d) -> Double {
        atan2(a.cross(b).length, a.dot(b)) * 180 / .pi
    }
}
