import SSDFCore
import SSDFMesh
import SSDFVolume

/// The plain answer, O(voxels · triangles) in double precision, that voxelization is held against.
struct DirectReference {
    let corners: [(Vector3d, Vector3d, Vector3d)]
    /// The mesh's box in index space.
    let box: Box3d

    /// The triangles of `mesh` in the index space of a grid.
    init(_ mesh: TriangleMesh, metadata: GridMetadata) {
        let sourceToIndex = metadata.indexToWorld.inverse!.composed(after: metadata.worldToSource.inverse!)
        var box = Box3d.empty
        corners = (0..<mesh.triangleCount).map { t in
            let (a, b, c) = mesh.corners(t)
            let points = [a, b, c].map { sourceToIndex(Vector3d(mesh.position($0))) }
            for p in points { box.insert(p) }
            return (points[0], points[1], points[2])
        }
        self.box = box
    }

    /// Distance in voxels.
    func distance(_ p: Vector3d) -> Double {
        var best = Double.infinity
        for (a, b, c) in corners {
            // The triangle's sphere rules out most of them; it cannot rule out the nearest.
            let center = (a + b + c) / 3
            let radius = max((a - center).length, (b - center).length, (c - center).length)
            let gap = (p - center).length - radius
            if gap > 0, gap * gap > best { continue }
            best = min(best, plainSquaredDistance(p, a, b, c))
        }
        return best.squareRoot()
    }

    func winding(_ p: Vector3d) -> Double {
        var sum = 0.0
        for (a, b, c) in corners { sum += solidAngle(a - p, b - p, c - p) }
        return sum / (4 * .pi)
    }

    /// Every voxel within `reach` voxels of the mesh's box.
    func voxels(reach: Double) -> [VoxelCoordinate] {
        let low = box.minimum - Vector3d(repeating: reach)
        let high = box.maximum + Vector3d(repeating: reach)
        var all: [VoxelCoordinate] = []
        for x in Int32(low.x.rounded(.up))...Int32(high.x.rounded(.down)) {
            for y in Int32(low.y.rounded(.up))...Int32(high.y.rounded(.down)) {
                for z in Int32(low.z.rounded(.up))...Int32(high.z.rounded(.down)) {
                    all.append(VoxelCoordinate(x, y, z))
                }
            }
        }
        return all
    }
}

/// Squared distance from a point to a triangle by the seven regions of its barycentric plane, written apart from the
/// engine's.
func plainSquaredDistance(_ p: Vector3d, _ a: Vector3d, _ b: Vector3d, _ c: Vector3d) -> Double {
    func toSegment(_ u: Vector3d, _ v: Vector3d) -> Double {
        let e = v - u
        let l = e.dot(e)
        let t = l > 0 ? min(1, max(0, (p - u).dot(e) / l)) : 0
        let d = p - u - e * t
        return d.dot(d)
    }
    let edges = min(toSegment(a, b), toSegment(b, c), toSegment(c, a))
    let n = (b - a).cross(c - a)
    let area2 = n.dot(n)
    guard area2 > 0 else { return edges }
    let u = (b - p).cross(c - p).dot(n)
    let v = (c - p).cross(a - p).dot(n)
    let w = (a - p).cross(b - p).dot(n)
    guard u > 0, v > 0, w > 0 else { return edges }
    let h = (p - a).dot(n)
    return min(edges, h * h / area2)
}

extension VoxelCoordinate {
    var point: Vector3d { Vector3d(Double(x), Double(y), Double(z)) }
}
