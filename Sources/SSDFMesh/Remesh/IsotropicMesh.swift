import CSSDFKernels
import SSDFCore

/// A mesh between the passes of isotropic remeshing: owner of what the kernel works on.
struct IsotropicMesh: ~Copyable {
    private var positions: Buffer<Float>
    private var outgoing: Buffer<UInt32>
    private var valence: Buffer<UInt32>
    private var mark: Buffer<UInt32>
    private var scratch: Buffer<Float>
    private var rank: Buffer<UInt8>
    private var corner: Buffer<UInt32>
    private var twin: Buffer<UInt32>
    private var crease: Buffer<UInt8>
    private var state: ssdf_isotropic
    private var targets: Buffer<Float>
    /// The triangle of the surface that each vertex was last put back on.
    private(set) var feet: Buffer<UInt32>
    /// The creases and borders of the mesh as it was given, each as a triangle without area.
    let creases: TriangleMesh

    /// - Parameters:
    ///   - mesh: an oriented manifold.
    ///   - locksBorders: whether border edges and their vertices stay as they are.
    ///   - room: triangles to have room for at first.
    /// - Precondition: the mesh is an oriented manifold whose triangles have three different vertices.
    init(_ mesh: TriangleMesh, length: Float, creaseAngle: Double, locksBorders: Bool, room: Int) {
        let vertices = max(mesh.vertexCount, room / 2) + 1024
        let triangles = max(mesh.triangleCount, room) + 2048
        positions = Buffer(uninitialized: 3 * vertices)
        outgoing = Buffer(uninitialized: vertices)
        valence = Buffer(uninitialized: vertices)
        mark = Buffer(uninitialized: vertices)
        scratch = Buffer(uninitialized: vertices)
        rank = Buffer(uninitialized: vertices)
        corner = Buffer(uninitialized: 4 * triangles)
        twin = Buffer(uninitialized: 4 * triangles)
        crease = Buffer(uninitialized: 4 * triangles)
        targets = Buffer(zeros: 0)
        feet = Buffer(zeros: 0)
        for i in mesh.positions.indices { positions.pointer[i] = mesh.positions[i] }
        for h in mesh.triangles.indices { corner.pointer[h / 3 * 4 + h % 3] = mesh.triangles[h] }
        state = ssdf_isotropic(
            positions: positions.pointer, outgoing: outgoing.pointer, valence: valence.pointer, mark: mark.pointer,
            scratch: scratch.pointer, rank: rank.pointer, corner: corner.pointer, twin: twin.pointer,
            crease: crease.pointer, vertex_count: UInt32(mesh.vertexCount), vertex_capacity: UInt32(vertices),
            triangle_count: UInt32(mesh.triangleCount), triangle_capacity: UInt32(triangles), marker: 0,
            length: length, locks_borders: locksBorders ? 1 : 0)
        let chain = Buffer<UInt32>(uninitialized: 4 * max(mesh.triangleCount, 1))
        let isManifold = ssdf_isotropic_connect(&state, Float(cosine(degrees: creaseAngle)), chain.pointer)
        precondition(isManifold != 0, "isotropic remeshing needs an oriented manifold")
        creases = Self.creaseLines(of: mesh, state)
    }

    private static func creaseLines(of mesh: TriangleMesh, _ state: ssdf_isotropic) -> TriangleMesh {
        var lines = TriangleMesh(positions: mesh.positions)
        for h in 0..<4 * mesh.triangleCount where h & 3 != 3 && state.crease[h] != 0 {
            guard state.twin[h] == .max || Int(state.twin[h]) > h else { continue }
            let (a, b) = (state.corner[h], state.corner[h & 3 == 2 ? h - 2 : h + 1])
            lines.addTriangle(a, b, b)
        }
        return lines
    }

    /// Splits, collapses and flips: once over the mesh each.
    mutating func changeConnectivity(byAngle: Bool) {
        while ssdf_isotropic_split(&state) == 0 { grow() }
        _ = ssdf_isotropic_collapse(&state)
        ssdf_isotropic_compact(&state)
        _ = ssdf_isotropic_flip(&state, byAngle ? 1 : 0)
    }

    private mutating func grow() {
        let vertices = positions.count / 3 * 3 / 2
        let triangles = corner.count / 4 * 3 / 2
        positions.grow(to: 3 * vertices)
        outgoing.grow(to: vertices)
        valence.grow(to: vertices)
        mark.grow(to: vertices)
        scratch.grow(to: vertices)
        rank.grow(to: vertices)
        corner.grow(to: 4 * triangles)
        twin.grow(to: 4 * triangles)
        crease.grow(to: 4 * triangles)
        state.positions = positions.pointer
        state.outgoing = outgoing.pointer
        state.valence = valence.pointer
        state.mark = mark.pointer
        state.scratch = scratch.pointer
        state.rank = rank.pointer
        state.corner = corner.pointer
        state.twin = twin.pointer
        state.crease = crease.pointer
        state.vertex_capacity = UInt32(vertices)
        state.triangle_capacity = UInt32(triangles)
    }

    /// Vertices a thread takes at a time; fixed, so that nothing depends on the number of threads.
    private static let tile = 2048

    /// Finds where each vertex would like to be, all from where they are now.
    mutating func relax(threads: Int) {
        let count = Int(state.vertex_count)
        if targets.count < 3 * count { targets = Buffer(uninitialized: 3 * count + count) }
        let (state, out) = (Unchecked(state), Unchecked(targets.pointer))
        parallelFor(count, threads: threads, grain: Self.tile) { range in
            var mesh = state.value
            ssdf_isotropic_relax(
                &mesh, UInt32(range.lowerBound), UInt32(range.upperBound), out.value + 3 * range.lowerBound)
        }
    }

    /// Moves every vertex to where it would like to be.
    mutating func move() {
        for i in 0..<3 * Int(state.vertex_count) { positions.pointer[i] = targets.pointer[i] }
    }

    /// Moves every vertex to the place of the surface, or of the creases, nearest to where it would like to be.
    mutating func project(to surface: TriangleBVH, creases: TriangleBVH, threads: Int) {
        let (points, ranks, wanted) = (Unchecked(positions.pointer), Unchecked(rank.pointer), targets.pointer)
        let target = Unchecked(targets.pointer)
        if feet.count < Int(state.vertex_count) { feet = Buffer(uninitialized: Int(state.vertex_count)) }
        let foot = Unchecked(feet.pointer)
        surface.forEachClosestPoint(to: wanted, count: Int(state.vertex_count), threads: threads) { v, place in
            var point = place?.point
            foot.value[v] = place.map { UInt32($0.triangle) } ?? .max
            switch UInt32(ranks.value[v]) {
            case SSDF_RANK_FREE.rawValue: break
            case SSDF_RANK_CREASE.rawValue:
                let t = target.value + 3 * v
                point = creases.closestPoint(to: Vector3f(t[0], t[1], t[2]))?.point
            default: point = nil
            }
            guard let point else { return }
            for x in 0..<3 { points.value[3 * v + x] = point[x] }
        }
    }

    /// Mends the triangles with an angle below `degrees`, as `ssdf_isotropic_mend` says.
    mutating func mend(below degrees: Double, on surface: TriangleBVH, creases: TriangleBVH) {
        surface.withTree { surface in
            creases.withTree { creases in
                var input = ssdf_isotropic_input(surface: surface, creases: creases)
                _ = ssdf_isotropic_mend(&state, Float(cosine(degrees: degrees)), &input)
            }
        }
    }

    /// Whether each vertex lies on a crease or a border, or is fixed: not 0 where it is.
    var isFixed: [UInt8] { Array(UnsafeBufferPointer(start: rank.pointer, count: Int(state.vertex_count))) }

    /// The mesh as it stands.
    var mesh: TriangleMesh {
        let corners = corner.pointer
        return TriangleMesh(
            positions: Array(UnsafeBufferPointer(start: positions.pointer, count: 3 * Int(state.vertex_count))),
            triangles: [UInt32](filling: 3 * Int(state.triangle_count)) { out in
                for h in out.indices { out[h] = corners[h / 3 * 4 + h % 3] }
            })
    }
}
