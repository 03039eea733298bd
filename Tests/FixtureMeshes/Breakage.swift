import SSDFCore
import SSDFMesh

/// The ways in which meshes come broken, each with the clean mesh that tells what is inside.
package enum Breakage: String, CaseIterable, Sendable {
    case clean
    /// 2% of the faces are gone, here and there.
    case facesMissing = "faces-missing"
    /// A third of the faces is turned round.
    case facesFlipped = "faces-flipped"
    case insideOut = "inside-out"
    /// The mesh runs through a moved copy of itself.
    case selfIntersecting = "self-intersecting"
    /// The lowest 6% in z are gone.
    case openBase = "open-base"
    /// The face that it stands on is gone: what looks down at its lowest.
    case noBottom = "no-bottom"

    /// The mesh broken, and the closed mesh that its signs are those of; nil when there is nothing to break.
    package func applied(to mesh: TriangleMesh) -> (broken: TriangleMesh, clean: TriangleMesh)? {
        let broken: TriangleMesh
        switch self {
        case .clean: return (mesh, mesh)
        case .facesMissing: broken = mesh.removingFaces(share: 0.02, seed: 7)
        case .facesFlipped: broken = mesh.flippingFaces(share: 1 / 3.0, seed: 8)
        case .insideOut: broken = mesh.insideOut()
        case .selfIntersecting:
            let crossing = mesh.selfIntersecting(by: Vector3f(0.11, 0.07, 0.05) * mesh.boundingBox.size)
            return (crossing, crossing)
        case .openBase: broken = mesh.withoutBase(share: 0.06)
        case .noBottom:
            broken = mesh.withoutBottom()
            guard broken.triangleCount < mesh.triangleCount else { return nil }
        }
        return (broken, mesh)
    }
}
