import SSDFCore
import SSDFVolume

/// How `SignChoice.auto` understands a mesh.
///
/// 1. Faces are joined into patches, each turned one way (`SurfacePatches`).
/// 2. Patches that touch at their open edges are one body. The loops in which a body is open are closed: the rim of a
///    flat base in its plane (`FlatBase`), other small ones by triangles, large ones so that the smooth winding number
///    decides. Where the nearest of the surface is the rim of a larger hole, the surface is taken to go on as it does
///    before it (`SurfaceRims`). A body whose caps are small beside it is solid.
/// 3. A solid body is turned outwards; inside another solid, inwards; inside that, outwards again.
/// 4. Bodies that are not solid count with their smooth winding number when it tells their two sides apart (a box of
///    loose plates); otherwise they have no inside, and only their distance counts.
extension SignPlan {
    /// A body with larger caps than this share of its own area is a sheet, not a solid with holes.
    private static let largestCapShare = 0.7

    static func auto(_ mesh: TriangleMesh, map: AffineTransform3, threads: Int) -> SignPlan {
        if let plan = clean(mesh, threads: threads) { return plan }
        var patches = SurfacePatches(mesh)
        let bodies = Bodies(patches, largestCapShare: largestCapShare)
        let flips = bodies.orientations()
        var plan = SignPlan()
        plan.usesLines = true
        plan.method = .winding
        var residual: [(Vector3d, Vector3d, Vector3d)] = []
        for (n, body) in bodies.bodies.enumerated() where body.isSolid {
            plan.appendCaps(body.caps, flipped: flips[n], patches)
            if !body.cones.isEmpty {
                plan.appendCaps(body.cones, flipped: flips[n], patches)
                for (a, b, c) in body.cones {
                    residual.append(flips[n] ? (map(a), map(c), map(b)) : (map(a), map(b), map(c)))
                }
            }
        }
        plan.rims = SurfaceRims(
            bodies.bodies.filter(\.isSolid).flatMap(\.rims), patches, faces: bodies.faces, map: map,
            isFlipped: { flips[bodies.bodyOf[$0]] }, isAlone: { bodies.bodies[bodies.bodyOf[$0]].isAlone })
        patches.flip { flips[bodies.bodyOf[$0]] }
        var confidence = patches.agreement * bodies.solidity
        let hasSheets = bodies.bodies.contains { !$0.isSolid }
        if hasSheets {
            var sheets: [(Vector3d, Vector3d, Vector3d)] = []
            for t in 0..<mesh.triangleCount where patches.weights[t] != 0 {
                guard !bodies.bodies[bodies.bodyOf[Int(patches.patchOf[t])]].isSolid else { continue }
                let (a, b, c) = patches.corners(t)
                let (p, q, r) = (map(patches.position(a)), map(patches.position(b)), map(patches.position(c)))
                // Taken off as its opposite.
                sheets.append(patches.weights[t] > 0 ? (p, r, q) : (p, q, r))
            }
            let clear = clearShare(of: sheets)
            if clear >= 0.5 {
                residual += sheets
                confidence *= bodies.solidShare + (1 - bodies.solidShare) * clear
            } else if bodies.solidShare == 0 {
                plan.hasNoInside = true
                confidence = clear
            } else {
                confidence *= bodies.solidShare
            }
            patches.drop { !bodies.bodies[bodies.bodyOf[$0]].isSolid }
        }
        plan.weights = patches.weights
        if !residual.isEmpty { plan.residual = WindingTree(residual) }
        plan.confidence = confidence
        return plan
    }

    /// The plan for a mesh that needs no care: closed, and each of its parts turned outwards and inside no other.
    private static func clean(_ mesh: TriangleMesh, threads: Int) -> SignPlan? {
        guard BoundaryChain.cancels(mesh.triangles, threads: threads),
            let parts = mesh.connectedParts(fewerThan: 1000, threads: threads), parts.allSatisfy({ $0.volume > 0 })
        else { return nil }
        if parts.count > 1 {
            for a in parts {
                for b in parts {
                    let isWithin =
                        all(b.box.minimum .> a.box.minimum) && all(b.box.maximum .< a.box.maximum)
                    if isWithin { return nil }
                }
            }
        }
        var plan = SignPlan()
        plan.usesLines = true
        plan.method = .winding
        return plan
    }

    private mutating func appendCaps(
        _ caps: [(Vector3d, Vector3d, Vector3d)], flipped: Bool, _ patches: SurfacePatches
    ) {
        for (a, b, c) in caps {
            let p = self.caps.addVertex(Vector3f(a))
            let q = self.caps.addVertex(Vector3f(b))
            let r = self.caps.addVertex(Vector3f(c))
            if flipped { self.caps.addTriangle(p, r, q) } else { self.caps.addTriangle(p, q, r) }
        }
    }

    /// Share of sheets' area at which the winding numbers just beside it are near 0 on one side and near 1 on the other.
    private static func clearShare(of sheets: [(Vector3d, Vector3d, Vector3d)]) -> Double {
        let tree = WindingTree(sheets)
        var total = 0.0
        var clear = 0.0
        // At most 2000 faces, spread evenly, are looked at.
        for n in stride(from: 0, to: sheets.count, by: max(1, sheets.count / 2000)) {
            let (a, b, c) = sheets[n]
            let normal = (b - a).cross(c - a)
            let area = normal.length
            guard area > 0 else { continue }
            let center = (a + b + c) / 3
            let step = normal / area * (1e-4 * area.squareRoot())
            // The sheets are given turned round: inside is -1.
            let front = -tree.winding(at: center + step, accuracy: 1e-3)
            let back = -tree.winding(at: center - step, accuracy: 1e-3)
            total += area
            if abs(min(front, back)) < 0.25, abs(max(front, back) - 1) < 0.25 { clear += area }
        }
        return total > 0 ? clear / total : 0
    }
}
