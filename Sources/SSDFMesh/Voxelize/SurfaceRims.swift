import SSDFCore

/// The rims of a mesh's large holes, beyond which the surface is taken to go on as it does before them.
///
/// A voxel whose nearest point of the surface is on a rim is inside when it is behind the surface's continuation. The
/// continuation at an edge of a rim is a quadric: the normals of the faces around the edge are fitted by a linear
/// function of the place, so that a surface that bends towards its rim bends on beyond it.
struct SurfaceRims: Sendable {
    /// Shorter loops are gaps of a few faces, which their caps close well.
    static let shortestLoop = 12

    /// One triangle (a, b, b) for each edge, in the mesh's coordinates, so that what bins triangles bins edges.
    private(set) var edges = TriangleMesh()
    /// The continuation at each edge, in index space.
    private(set) var quadrics: [Quadric] = []
    /// Whether near each edge the nearest face tells the side: its body is no part of another.
    private(set) var standsAlone: [Bool] = []

    /// How far from a rim the nearest face is asked, in half widths of the band: what closes a hole is no surface, and
    /// where the surface spreads towards the rim voxels beyond the closure are nearest to a face.
    static let faceReach = 2.5

    /// A function that is positive before and negative behind a surface near `center`: n·d + ½ d·H·d for d = p - center.
    struct Quadric: Sendable {
        var center = Vector3d.zero
        var normal = Vector3d.zero
        var hessianX = Vector3d.zero, hessianY = Vector3d.zero, hessianZ = Vector3d.zero

        @inline(__always) func callAsFunction(_ p: Vector3d) -> Double {
            let d = p - center
            return normal.dot(d) + 0.5 * (d.x * hessianX.dot(d) + d.y * hessianY.dot(d) + d.z * hessianZ.dot(d))
        }
    }

    init() {}

    /// - Parameters:
    ///   - loops: welded vertices along the rims, in the direction of the surface's boundary.
    ///   - isFlipped: whether the surface of a patch is to be turned round.
    ///   - map: the mesh's coordinates → voxels; a rotation and a scale.
    init(
        _ loops: [[UInt32]], _ patches: SurfacePatches, faces: BoundaryFaces, map: AffineTransform3,
        isFlipped: (Int) -> Bool, isAlone: (Int) -> Bool
    ) {
        guard !loops.isEmpty else { return }
        let samples = RimSamples(loops, patches, faces: faces, map: map)
        for loop in loops {
            let first = UInt32(edges.vertexCount)
            for v in loop { _ = edges.addVertex(Vector3f(patches.position(v))) }
            for n in loop.indices {
                let next = (n + 1) % loop.count
                guard let face = faces.face(loop[n], loop[next]) else { continue }
                edges.addTriangle(first + UInt32(n), first + UInt32(next), first + UInt32(next))
                var quadric = samples.fit(loop[n], loop[next], normal: faces.normal(loop[n], loop[next]))
                if isFlipped(Int(patches.patchOf[face])) {
                    quadric.normal = -quadric.normal
                    quadric.hessianX = -quadric.hessianX
                    quadric.hessianY = -quadric.hessianY
                    quadric.hessianZ = -quadric.hessianZ
                }
                quadrics.append(quadric)
                standsAlone.append(isAlone(Int(patches.patchOf[face])))
            }
        }
    }

    /// The point of an edge that is nearest to `p`.
    @inline(__always)
    static func nearest(_ p: Vector3d, _ a: Vector3d, _ b: Vector3d) -> Vector3d {
        let e = b - a
        let length2 = e.lengthSquared
        let t = length2 > 0 ? max(0, min(1, (p - a).dot(e) / length2)) : 0
        return a + e * t
    }
}
