import CSSDFKernels
import SSDFCore

/// How far `simplify` goes.
package enum SimplifyTarget: Sendable, Equatable {
    /// To this many triangles, exactly up to the parity of a collapse.
    case faces(Int)
    /// To this share of the input's triangles, 0 … 1.
    case ratio(Double)
    /// As far as no point of either surface is farther than this from the other, in the mesh's units: until every collapse
    /// that is left would exceed it.
    case error(Float)
}

/// How a mesh is simplified.
package struct SimplifyOptions: Sendable {
    /// When to stop.
    package var target: SimplifyTarget
    /// Collapses may not leave a triangle of worse shape than this unless it improves: 0 … 1, 1 is equilateral.
    package var leastShape: Float = 0.12
    /// Whether vertices are moved in the end to where they fit the original best.
    package var refits = true
    /// To work on; the result does not depend on it.
    package var threads = 1

    /// The defaults for a target.
    package init(target: SimplifyTarget) { self.target = target }
}

/// What `simplify` reached.
package struct SimplifyResult: Sendable {
    /// The simplified mesh.
    package var mesh: TriangleMesh
    /// Triangles asked for; nil when an error was.
    package var askedFaces: Int?
    /// In words, what kept it from the count that was asked for; nil when nothing did.
    package var stoppedBy: String?
    /// For an error target, the largest distance measured between the result and the input, in the mesh's units.
    package var measuredError: Float?
}

/// Simplifies a mesh by collapsing edges in order of quadric error.
///
/// A closed 2-manifold stays one, of the same topology; open borders keep their course; creases keep theirs, because
/// planes on both sides hold them; no triangle turns over. Where the input is not a manifold its vertices stay as they
/// are: `repair` it first. The result carries no vertex normals.
///
/// The mesh is cut into blocks of 4096 vertices along a space-filling curve. Each is simplified alone, in the cache, up to
/// a common cost, with the vertices at its border fixed; then new blocks are cut elsewhere, at a higher cost. The last
/// fifth is done in one block, in order of cost over the whole mesh. Blocks depend on the mesh alone, so the result is the
/// same on any number of threads. In the end the vertices that are left move to where they fit the original best
/// (`RefitMesh`), which takes a quarter off the mean error.
///
/// - Complexity: O(n), about 0.5 µs a triangle on one thread; 130 bytes a triangle.
///
/// Sources: Garland, Heckbert, "Surface Simplification Using Quadric Error Metrics", 1997; the kernel names its own.
package func simplify(_ mesh: TriangleMesh, options: SimplifyOptions) throws(Failure) -> SimplifyResult {
    let count = mesh.triangleCount
    switch options.target {
    case .faces(let faces):
        guard faces >= 1 else { throw Failure(.usage, "\(faces) faces were asked for, expected at least 1") }
        return keepingMemory { simplify(mesh, to: faces, options) }
    case .ratio(let ratio):
        guard ratio > 0, ratio <= 1 else {
            throw Failure(.usage, "a share of \(ratio) was asked for, expected more than 0 and at most 1")
        }
        return keepingMemory { simplify(mesh, to: max(1, Int((Double(count) * ratio).rounded())), options) }
    case .error(let error):
        guard error >= 0, error.isFinite else {
            throw Failure(.usage, "an error of \(error) was asked for, expected 0 or more")
        }
        return keepingMemory { simplify(mesh, within: error, options) }
    }
}

private func simplify(_ mesh: TriangleMesh, to faces: Int, _ options: SimplifyOptions) -> SimplifyResult {
    guard faces < mesh.triangleCount else {
        return SimplifyResult(
            mesh: TriangleMesh(positions: mesh.positions, triangles: mesh.triangles), askedFaces: faces)
    }
    var state = SimplifyState(mesh, threads: options.threads)
    state.reduce(to: faces, leastShape: options.leastShape)
    if options.refits { state.refit(to: mesh, leastShape: fittedShape) }
    var result = SimplifyResult(mesh: state.mesh(), askedFaces: faces)
    if state.triangleCount > faces + 1 {
        result.stoppedBy =
            "topology: \(state.refusedTopology) edges left cannot be collapsed without changing it, "
            + "\(state.refusedShape) without turning a triangle over, \(state.lockedVertices) vertices are not manifold"
    }
    return result
}

/// Of a triangle with an angle of about 10°: fitting makes none thinner.
private let fittedShape: Float = 0.3

/// Collapses that the quadrics vouch for come first, in blocks; then each is held to the error at samples around it; only
/// the finished surface is measured as a whole. Where it is too far away, all is done again with less allowed there.
private func simplify(_ mesh: TriangleMesh, within error: Float, _ options: SimplifyOptions) -> SimplifyResult {
    var unchanged = SimplifyResult(
        mesh: TriangleMesh(positions: mesh.positions, triangles: mesh.triangles), measuredError: 0)
    guard error > 0 else { return unchanged }
    let input = TriangleBVH(mesh, threads: options.threads)
    let original = CollapseOriginal(mesh, threads: options.threads)
    var marks = [UInt8](repeating: 0, count: mesh.vertexCount)
    // As a share of the error: most of what has strayed by this, on the average of its planes, is nowhere farther than the error.
    var trusted: Float = 0.25
    // Between the samples that collapses are held to the surface is often a sixth farther away, seldom more.
    var allowed = 0.85 * error
    for attempt in 0..<16 {
        var state = SimplifyState(mesh, marks: marks, threads: options.threads)
        if attempt < 8 { state.reduce(strayed: trusted * allowed, leastShape: options.leastShape) }
        let doubtful = state.reduce(within: allowed, of: original, leastShape: options.leastShape)
        guard doubtful.isEmpty else {
            state.raise(&marks, at: doubtful, by: SSDF_MARK_DOUBT, most: 3)
            if attempt > 2 { trusted /= 2 }
            continue
        }
        let surface = state.mesh()
        let distance = MeshDistance(mesh, input, surface, farther: error, threads: options.threads)
        if distance.hausdorff <= error {
            return SimplifyResult(mesh: surface, measuredError: distance.hausdorff)
        }
        state.raise(&marks, at: distance.farTriangles, by: SSDF_MARK_CARE, most: 7)
        if attempt > 1 { allowed *= 0.9 }
    }
    unchanged.stoppedBy = "no fewer were found that stay within the distance"
    return unchanged
}
