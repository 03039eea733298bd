import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// The skin of the solid cells of a lattice: watertight whatever the pattern, and bent to shape by a map.
    ///
    /// - Parameters:
    ///   - x: coordinates of the lattice planes, ascending; likewise `y` and `z`.
    ///   - wrapsY: whether the cell after the last y plane joins back to the first (an angle, say).
    ///   - map: takes lattice coordinates to space; it must keep the handedness, or the skin is inside out.
    package static func lattice(
        x: [Float], y: [Float], z: [Float], wrapsY: Bool = false, map: (Vector3f) -> Vector3f = { $0 },
        isSolid: (Int, Int, Int) -> Bool
    ) -> TriangleMesh {
        let cells = SIMD3(x.count - 1, wrapsY ? y.count : y.count - 1, z.count - 1)
        func solid(_ i: Int, _ j: Int, _ k: Int) -> Bool {
            let wrapped = wrapsY ? (j + cells.y) % cells.y : j
            guard i >= 0, i < cells.x, wrapped >= 0, wrapped < cells.y, k >= 0, k < cells.z else { return false }
            return isSolid(i, wrapped, k)
        }
        var mesh = TriangleMesh()
        var known: [SIMD3<Int32>: UInt32] = [:]
        func vertex(_ i: Int, _ j: Int, _ k: Int) -> UInt32 {
            let jj = wrapsY ? j % cells.y : j
            let key = SIMD3(Int32(i), Int32(jj), Int32(k))
            if let index = known[key] { return index }
            let index = mesh.addVertex(map([x[i], y[jj], z[k]]))
            known[key] = index
            return index
        }
        func quad(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32) {
            mesh.addTriangle(a, b, c)
            mesh.addTriangle(a, c, d)
        }
        for i in 0..<cells.x {
            for j in 0..<cells.y {
                for k in 0..<cells.z where solid(i, j, k) {
                    let (p, q, r) = (i + 1, j + 1, k + 1)
                    if !solid(p, j, k) { quad(vertex(p, j, k), vertex(p, q, k), vertex(p, q, r), vertex(p, j, r)) }
                    if !solid(i - 1, j, k) { quad(vertex(i, j, k), vertex(i, j, r), vertex(i, q, r), vertex(i, q, k)) }
                    if !solid(i, q, k) { quad(vertex(i, q, k), vertex(i, q, r), vertex(p, q, r), vertex(p, q, k)) }
                    if !solid(i, j - 1, k) { quad(vertex(i, j, k), vertex(p, j, k), vertex(p, j, r), vertex(i, j, r)) }
                    if !solid(i, j, r) { quad(vertex(i, j, r), vertex(p, j, r), vertex(p, q, r), vertex(i, q, r)) }
                    if !solid(i, j, k - 1) { quad(vertex(i, j, k), vertex(i, q, k), vertex(p, q, k), vertex(p, j, k)) }
                }
            }
        }
        return mesh
    }

    /// A box, each edge in `divisions` cells.
    package static func box(
        size: Vector3f = [1, 1, 1], center: Vector3f = .zero, divisions: Int = 1
    ) -> TriangleMesh {
        func planes(_ axis: Int) -> [Float] {
            (0...divisions).map { center[axis] + size[axis] * (Float($0) / Float(divisions) - 0.5) }
        }
        return lattice(x: planes(0), y: planes(1), z: planes(2)) { _, _, _ in true }
    }

    /// A plate 1.5 × 1 across and `thickness` through, tilted so that no voxel plane is parallel to it.
    package static func plate(thickness: Float) -> TriangleMesh {
        var mesh = box(size: [1.5, 1, thickness], divisions: 2)
        mesh.transform(by: .tilt)
        return mesh
    }

    /// A bracket about 1.6 long: a base with two slots and a chamfer, an upright with a window, a step between.
    /// Every edge is sharp; the angles are 90° but for the chamfer.
    package static func machinedPart() -> TriangleMesh {
        let x: [Float] = [-0.8, -0.65, -0.35, -0.2, 0.2, 0.35, 0.65, 0.8]
        let y: [Float] = [-0.5, -0.3, -0.1, 0.1, 0.3, 0.5]
        let z: [Float] = [-0.4, -0.25, -0.1, 0.1, 0.4, 0.6]
        func chamfered(_ p: Vector3f) -> Vector3f {
            // The base's long upper edges at x = ±0.8 slope inwards.
            p.z == -0.25 && abs(p.x) == 0.8 ? [p.x * 0.93, p.y, p.z] : p
        }
        return lattice(x: x, y: y, z: z, map: chamfered) { i, j, k in
            switch k {
            case 0:
                // Two slots through the base.
                return !((i == 1 || i == 5) && (1...3).contains(j))
            case 1:
                // The step that carries the upright.
                return (2...4).contains(i)
            default:
                // The upright, with a window.
                return i == 3 && !(k == 3 && j == 2) && !(k == 4 && (j == 0 || j == 4))
            }
        }
    }

    /// A spur gear of radius 0.9: 14 teeth with chamfered tips, a bore with a keyway.
    package static func gear(teeth: Int = 14) -> TriangleMesh {
        let steps = 4 * teeth
        let angles = (0..<steps).map { 2 * Float.pi * Float($0) / Float(steps) }
        func bent(_ p: Vector3f) -> Vector3f {
            var radius = p.x
            if p.x == 0.9 { radius = abs(p.z) == 0.25 ? 0.85 : 0.9 }
            return [radius * cosine(p.y), radius * sine(p.y), p.z]
        }
        return lattice(
            x: [0.2, 0.28, 0.72, 0.9], y: angles, z: [-0.25, -0.2, 0.2, 0.25], wrapsY: true, map: bent
        ) { i, j, _ in
            switch i {
            case 0: return j > 2
            case 1: return true
            default: return j % 4 < 2
            }
        }
    }

    /// Two cubes of side 0.5 that meet along one edge.
    package static func cubesSharingAnEdge() -> TriangleMesh {
        lattice(x: [-0.5, 0, 0.5], y: [-0.5, 0, 0.5], z: [0, 0.5]) { i, j, _ in i == j }
    }

    /// Two cubes of side 0.5 that meet in one corner.
    package static func cubesSharingACorner() -> TriangleMesh {
        lattice(x: [-0.5, 0, 0.5], y: [-0.5, 0, 0.5], z: [-0.5, 0, 0.5]) { i, j, k in i == j && j == k }
    }
}

extension AffineTransform3 {
    /// A rotation by exact rational sines: about x by (3, 4, 5), then about y by (5, 12, 13).
    package static var tilt: AffineTransform3 {
        let aboutX = AffineTransform3(x: [1, 0, 0], y: [0, 0.8, 0.6], z: [0, -0.6, 0.8], translation: .zero)
        let c = 12.0 / 13
        let s = 5.0 / 13
        let aboutY = AffineTransform3(x: [c, 0, -s], y: [0, 1, 0], z: [s, 0, c], translation: .zero)
        return aboutY.composed(after: aboutX)
    }
}
