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
/// bends and branchings not at all. Creases shorter than five edge lengths that end freely are smoothed over. In the end
/// the few triangles with small angles that are left are mended one by one; where two creases meet at a small angle, their
/// corner moves on between them, by less than a twentieth of the length off them, to make room for a triangle. Where the
/// input is finer than the result, free vertices leave it for where the triangles fit it best (`RefitMesh`).
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
    return keepingMemory { remeshed(mesh, options: options, expected: Int(expected)) }
}

private func remeshed(_ mesh: TriangleMesh, options: IsotropicOptions, expected: Int) -> TriangleMesh {
    var work = IsotropicMesh(
        separateNonManifold(mesh).mesh, length: 0.9 * options.edgeLength, creaseAngle: options.creaseAngle,
        locksBorders: false, room: expected)
    let surface = TriangleBVH(mesh, threads: options.threads)
    let creases = TriangleBVH(work.creases, threads: options.threads)
    for round in 0..<max(1, options.iterations) {
        work.changeConnectivity(byAngle: round >= options.iterations - 3)
        work.relax(threads: options.threads)
        work.project(to: surface, creases: creases, threads: options.threads)
    }
    work.mend(below: mendedAngle, on: surface, creases: creases)
    return fitted(work, to: mesh, threads: options.threads)
}

/// Smaller angles, in degrees, are mended in the end one by one: there are few.
private let mendedAngle = 28.0

/// Of a triangle with angles of 26°, 77° and 77°: fitting makes none worse than this.
private let fittedShape: Float = 0.69

/// As hard to move along the surface as this share of across it, so that edges stay even.
private let fittedSoftness: Float = 0.3

/// Vertices on the surface put the middle of every triangle inside of its bends. Where the input has points enough to say
/// so, vertices move a little off it, to where the triangles between them fit it best.
private func fitted(_ work: borrowing IsotropicMesh, to input: TriangleMesh, threads: Int) -> TriangleMesh {
    let mesh = work.mesh
    let sampleCount = input.vertexCount + input.triangleCount
    guard sampleCount >= 2 * mesh.vertexCount, mesh.triangleCount > 0, sampleCount < Int(UInt32.max) else {
        return mesh
    }
    let homes = sampleHomes(of: input, near: mesh, feet: work.feet, threads: threads)
    let refit = RefitMesh(
        points: Buffer(input.positions), faces: input.triangles, homes: homes, positions: Buffer(mesh.positions),
        triangles: Buffer(mesh.triangles), fixed: Buffer(work.isFixed), threads: threads)
    refit.fit(leastShape: fittedShape, softness: fittedSoftness)
    let before = TriangleQuality(mesh)
    let fitted = refit.positions.array
    // Where bends are narrow beside the edges, fitting would make these uneven: then only a part of the way is gone.
    for share in [Float(1), 0.5, 0.25] {
        let moved = TriangleMesh(
            positions: [Float](filling: fitted.count) { out in
                for i in out.indices { out[i] = mesh.positions[i] + share * (fitted[i] - mesh.positions[i]) }
            }, triangles: mesh.triangles)
        let after = TriangleQuality(moved)
        if after.edgeVariation <= max(fittedVariation, 1.05 * before.edgeVariation),
            after.minimumAngle >= min(fittedAngle, before.minimumAngle)
        {
            return moved
        }
    }
    return mesh
}

/// A vertex of a mesh near each sample of the input: its vertices, then its faces.
///
/// Vertices of the input begin with the nearest of the mesh's vertices that were put back on a face of theirs; from there
/// homes spread edge by edge. What is not reached so is looked for.
/// - Parameter feet: `[mesh.vertexCount]` the face of the input that each vertex was put back on, or `UInt32.max`.
private func sampleHomes(
    of input: TriangleMesh, near mesh: TriangleMesh, feet: borrowing Buffer<UInt32>, threads: Int
) -> Buffer<UInt32> {
    let (pointCount, faceCount) = (input.vertexCount, input.triangleCount)
    let homes = Buffer<UInt32>(uninitialized: pointCount + faceCount)
    for p in 0..<pointCount { homes.pointer[p] = .max }
    let home = homes.pointer
    func distance(_ p: Int, _ v: UInt32) -> Float { (input.position(p) - mesh.position(Int(v))).lengthSquared }
    for v in 0..<UInt32(mesh.vertexCount) where feet.pointer[Int(v)] != .max {
        let (a, b, c) = input.corners(Int(feet.pointer[Int(v)]))
        for p in [a, b, c] where home[p] == .max || distance(p, v) < distance(p, home[p]) { home[p] = v }
    }
    var spread: [(Int, UInt32)] = []
    input.triangles.withUnsafeBufferPointer { corners in
        repeat {
            spread.removeAll(keepingCapacity: true)
            for t in stride(from: 0, to: corners.count, by: 3) {
                let known = (home[Int(corners[t])], home[Int(corners[t + 1])], home[Int(corners[t + 2])])
                guard known.0 == .max || known.1 == .max || known.2 == .max else { continue }
                // Any but the last number.
                let from = min(known.0, known.1, known.2)
                guard from != .max else { continue }
                for h in t..<t + 3 where home[Int(corners[h])] == .max { spread.append((Int(corners[h]), from)) }
            }
            for (p, from) in spread where home[p] == .max { home[p] = from }
        } while !spread.isEmpty
        for f in 0..<faceCount { home[pointCount + f] = home[Int(corners[3 * f])] }
    }
    let lost = (0..<homes.count).filter { home[$0] == .max }
    guard !lost.isEmpty else { return homes }
    let samples = verticesAndCentroids(of: input)
    let points = lost.flatMap { s in (0..<3).map { samples.pointer[3 * s + $0] } }
    let found = Unchecked(home)
    TriangleBVH(mesh, threads: threads).forEachClosestPoint(to: points, count: lost.count, threads: threads) {
        guard let place = $1 else { return }
        let w = place.weights
        let corner = w.x >= w.y ? (w.x >= w.z ? 0 : 2) : (w.y >= w.z ? 1 : 2)
        found.value[lost[$0]] = mesh.triangles[3 * place.triangle + corner]
    }
    return homes
}

/// What fitting may make of even edges, and of the smallest angle in degrees.
private let fittedVariation: Float = 0.12
private let fittedAngle: Float = 26

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
