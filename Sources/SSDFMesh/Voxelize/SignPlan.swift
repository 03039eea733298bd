import SSDFCore
import SSDFVolume

/// How the sign of every voxel is to be found, settled on the mesh before any voxel is looked at.
///
/// A set of triangles without boundary has whole winding numbers, which `WindingLines` count exactly. What closes an
/// open mesh (`caps`) is counted with it; where the caps are not meant to be surface, their own, smooth winding number
/// is taken off again (`residual`).
struct SignPlan: Sendable {
    /// Whether voxels are inside where lines say so.
    var usesLines = false
    /// How often each triangle counts: -1 turned round, 0 not at all, 1 as it is; nil when all count as they are.
    var weights: [Int8]?
    /// Triangles that close the surface, in the mesh's coordinates.
    var caps = TriangleMesh()
    /// Its winding number is subtracted.
    var residual: WindingTree?
    /// Where voxels are on the side of the surface's continuation.
    var rims = SurfaceRims()
    /// Whether the mesh was found to have no inside.
    var hasNoInside = false
    var method = GridMetadata.SignMethod.none
    var confidence = 1.0

    @inline(__always) func weight(_ triangle: Int) -> Int {
        guard let weights else { return 1 }
        return weights.withUnsafeBufferPointer { Int($0[triangle]) }
    }
}

extension SignPlan {
    /// Inside where the generalised winding number of the mesh as it is reaches ½.
    static func winding(_ mesh: TriangleMesh, map: AffineTransform3) -> SignPlan {
        var plan = SignPlan()
        plan.usesLines = true
        plan.method = .winding
        let boundary = BoundaryChain.of(mesh)
        guard !boundary.isEmpty else { return plan }
        if boundary.edges.count <= mesh.triangleCount / 2 {
            plan.caps = boundary.cones(mesh)
            plan.residual = WindingTree(plan.caps.mappedCorners(map, reversed: false))
        } else {
            // Closing such a soup would take as many triangles as it has: its winding number is summed as it stands.
            plan.weights = [Int8](repeating: 0, count: mesh.triangleCount)
            plan.residual = WindingTree(mesh.mappedCorners(map, reversed: true))
        }
        return plan
    }
}

extension TriangleMesh {
    /// The corners of every triangle as `map` places them.
    func mappedCorners(_ map: AffineTransform3, reversed: Bool) -> [(Vector3d, Vector3d, Vector3d)] {
        (0..<triangleCount).map { t in
            let (a, b, c) = corners(t)
            let (p, q, r) = (map(Vector3d(position(a))), map(Vector3d(position(b))), map(Vector3d(position(c))))
            return reversed ? (p, r, q) : (p, q, r)
        }
    }
}

extension SignPlan {
    /// The plan for a mesh, as the options ask.
    static func make(_ mesh: TriangleMesh, grid: VoxelGrid, options: VoxelizeOptions) -> SignPlan {
        switch options.sign {
        case .none, .flood, .parity: SignPlan()
        case .auto: auto(mesh, map: grid.sourceToIndex, threads: options.threads)
        case .winding: winding(mesh, map: grid.sourceToIndex)
        }
    }
}
