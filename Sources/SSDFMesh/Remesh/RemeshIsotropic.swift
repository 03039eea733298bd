import CSSDFKernels
import SSDFCore

/// How a mesh gets even triangles.
package struct IsotropicOptions: Sendable {
    /// The edge length to come to, in mesh units. The mean comes to about 0.93 of it.
    package var edgeLength: Float
    /// Edges whose faces turn by more than this, in degrees, are kept; so are open borders.
    package var creaseAngle = 40.0
    /// Rounds of splitting, collapsing, flipping and smoothing.
    package var iterations = 6
    /// To work on; the result does not depend on it.
    package var threads = 1

    /// The defaults for an edge length in mesh units, > 0.
    package init(edgeLength: Float) { self.edgeLength = edgeLength }
}

/// Remeshes a surface with triangles of even size and shape.
///
/// Each round splits edges longer than 4/3 of the length, collapses those shorter than 4/5, flips edges toward valence
/// six, moves vertices toward the middle of their neighbours within their tangent plane, and puts them back on the input.
/// The last rounds flip for the sake of angles instead. Vertices on creases and borders move along them, their ends,
/// bends and branchings not at all. Creases shorter than five edge lengths that end freely are smoothed over.
///
/// Topology stays; where the mesh is no manifold it is cut first, as `separateNonManifold` does. The result carries no
/// vertex normals. Connectivity changes on one thread, projections run on all: the result does not depend on threads.
///
/// - Throws: `usage` when the length is not positive, or so small that the result would have 3·10⁸ triangles.
/// - Complexity: O(r n log n) for r rounds over n triangles of the result; about 1 µs a triangle and round on one thread.
///
/// Source: Botsch, Kobbelt, "A Remeshing Approach to Multiresolution Modeling", 2004, §4; the kernel names its own.
package func remeshIsotropic(_ mesh: TriangleMesh, options: IsotropicOptions) throws(Failure) -> TriangleMesh {
    let length = options.edgeLength
    guard length > 0, length.isFinite else {
        throw Failure(.usage, "an edge length of \(length) was asked for, expected more than 0")
    }
    guard mesh.triangleCount > 0 else { return mesh }
    let expected = expectedTriangles(mesh, length)
    guard expected < 3e8 else {
        throw Failure(
            .usage,
            "an edge length of \(length) asks for about \(rounded(expected, digits: 2)) triangles, expected at most 3e8"
        )
    }
    var work = IsotropicMesh(
        separateNonManifold(mesh).mesh, length: 0.9 * length, creaseAngle: options.creaseAngle, locksBorders: false,
        room: Int(expected))
    let surface = TriangleBVH(mesh, threads: options.threads)
    let creases = TriangleBVH(work.creases, threads: options.threads)
    for round in 0..<max(1, options.iterations) {
        work.changeConnectivity(byAngle: round >= options.iterations - 3)
        work.relax(threads: options.threads)
        work.project(to: surface, creases: creases, threads: options.threads)
    }
    return work.mesh
}

/// About how many triangles come of a mesh: its area's worth of equilateral ones, and as many as splitting all its edges
/// makes, for triangles may be long and have no area.
private func expectedTriangles(_ mesh: TriangleMesh, _ length: Float) -> Double {
    var area = 0.0
    var edges = 0.0
    for t in 0..<mesh.triangleCount {
        let (a, b, c) = mesh.corners(t)
        let (p, q, r) = (Vector3d(mesh.position(a)), Vector3d(mesh.position(b)), Vector3d(mesh.position(c)))
        area += (q - p).cross(r - p).length / 2
        edges += (q - p).length + (r - q).length + (p - r).length
    }
    let l = Double(length)
    return area / (0.35 * l * l) + edges / l + Double(mesh.triangleCount)
}
