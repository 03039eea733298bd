import SSDFCore

/// The bodies of a mesh: patches that touch at their open edges, with what closes them.
struct Bodies {
    struct Body {
        var patches: [Int] = []
        /// Triangles, in the mesh's coordinates, that close small holes.
        var caps: [(Vector3d, Vector3d, Vector3d)] = []
        /// Triangles that close large ones.
        var cones: [(Vector3d, Vector3d, Vector3d)] = []
        /// Loops beyond which the surface is taken to go on as it does before them.
        var rims: [[UInt32]] = []
        /// Area of the faces and of the caps, times two.
        var area = 0.0, capArea = 0.0
        /// Signed volume with its caps, times six.
        var volume = 0.0
        var box = Box3d.empty
        var triangles: [Int] = []
        var isSolid = false
        /// Whether its box meets that of no other body.
        var isAlone = true

        /// 36π V² / A³ of what it is with its caps: 1 of a ball, 0.52 of a cube, 0.30 of a tetrahedron, next to 0 of a
        /// sheet.
        var compactness: Double {
            let surface = (area + capArea) / 2
            return surface > 0 ? Double.pi * volume * volume / (surface * surface * surface) : 0
        }
    }

    /// Caps as large as the body itself are those of a solid all the same when it is then as compact as one: a cube that
    /// half of is missing, say. A hair more than 1.
    private static let largestCompactShare = 1.05
    private static let leastCompactness = 0.2

    private(set) var bodies: [Body] = []
    /// The body of each patch.
    private(set) var bodyOf: [Int]
    /// Share of the area that belongs to solid bodies.
    private(set) var solidShare = 1.0
    /// 1 - caps' share of the solid bodies' area: how much of their surface is there.
    private(set) var solidity = 1.0
    /// The faces along the boundary.
    let faces: BoundaryFaces
    private let patches: SurfacePatches

    init(_ patches: SurfacePatches, largestCapShare: Double) {
        self.patches = patches
        let boundary = BoundaryChain(patches.mesh, welded: patches.welded, weights: patches.weights)
        // Patches that share a vertex of the boundary are one body.
        var parent = Array(0..<patches.patchCount)
        func root(_ p: Int) -> Int {
            var p = p
            while parent[p] != p {
                parent[p] = parent[parent[p]]
                p = parent[p]
            }
            return p
        }
        let loops = HoleCaps.loops(of: boundary)
        faces = BoundaryFaces(patches, boundary: boundary)
        let open = Set(boundary.edges.flatMap { [$0.from, $0.to] })
        var patchAt: [UInt32: Int] = [:]
        for t in patches.weights.indices where patches.weights[t] != 0 && !open.isEmpty {
            let (a, b, c) = patches.corners(t)
            let patch = Int(patches.patchOf[t])
            for v in [a, b, c] where open.contains(v) {
                if let other = patchAt[v] {
                    let (r, s) = (root(other), root(patch))
                    if r != s { parent[max(r, s)] = min(r, s) }
                } else {
                    patchAt[v] = patch
                }
            }
        }
        bodyOf = Array(repeating: 0, count: patches.patchCount)
        var numberOf: [Int: Int] = [:]
        for patch in 0..<patches.patchCount {
            let r = root(patch)
            if numberOf[r] == nil {
                numberOf[r] = bodies.count
                bodies.append(Body())
            }
            bodyOf[patch] = numberOf[r]!
            bodies[numberOf[r]!].patches.append(patch)
        }
        for t in patches.weights.indices where patches.weights[t] != 0 {
            let body = bodyOf[Int(patches.patchOf[t])]
            let (a, b, c) = patches.corners(t)
            bodies[body].triangles.append(t)
            bodies[body].area += patches.areaVector(t).length
            for v in [a, b, c] { bodies[body].box.insert(patches.position(v)) }
        }
        let rims = loops.filter { $0.count >= SurfaceRims.shortestLoop }
        let footing = FlatBase.footing(
            rims, corners: rims.isEmpty ? [] : patches.corners, position: patches.position, normal: faces.normal)
        let large = rims.map {
            LoopSpan($0, position: patches.position, body: bodyOf[patchAt[$0[0]]!])
        }
        for loop in loops {
            let span = LoopSpan(loop, position: patches.position, body: bodyOf[patchAt[loop[0]]!])
            let isHole = loop.count >= SurfaceRims.shortestLoop && large.contains { span.isHole(in: $0) }
            close(loop, body: span.body, isWithinAnother: isHole, footing: footing)
        }
        var solidArea = 0.0
        var capArea = 0.0
        var area = 0.0
        for n in bodies.indices {
            bodies[n].volume = volume(bodies[n])
            bodies[n].isSolid =
                bodies[n].capArea <= largestCapShare * bodies[n].area
                || bodies[n].capArea <= Self.largestCompactShare * bodies[n].area
                    && bodies[n].compactness >= Self.leastCompactness
            area += bodies[n].area
            guard bodies[n].isSolid else { continue }
            solidArea += bodies[n].area
            capArea += bodies[n].capArea
        }
        for n in bodies.indices where !bodies[n].rims.isEmpty {
            bodies[n].isAlone = bodies.indices.allSatisfy {
                $0 == n || any(bodies[$0].box.minimum .> bodies[n].box.maximum)
                    || any(bodies[$0].box.maximum .< bodies[n].box.minimum)
            }
        }
        if area > 0 { solidShare = solidArea / area }
        if solidArea > 0 { solidity = solidArea / (solidArea + capArea) }
    }

    private mutating func close(_ loop: [UInt32], body: Int, isWithinAnother: Bool, footing: FlatBase.Plane?) {
        let standing =
            loop.count < SurfaceRims.shortestLoop
            ? nil
            : footing.flatMap { FlatBase(loop, onto: $0, position: patches.position, normal: faces.normal) }
        if let flat = standing
            ?? FlatBase(loop, isWithinAnother: isWithinAnother, position: patches.position, normal: faces.normal)
        {
            bodies[body].caps += flat.caps
            bodies[body].capArea += flat.area
            return
        }
        if loop.count <= HoleCaps.largestFilledLoop {
            let filling = HoleCaps.fill(loop, position: patches.position) {
                patches.faces.contains(SurfacePatches.sorted($0, $1, $2))
            }
            for (a, b, c) in filling {
                let (p, q, r) = (patches.position(a), patches.position(b), patches.position(c))
                bodies[body].caps.append((p, q, r))
                bodies[body].capArea += (q - p).cross(r - p).length
            }
        } else {
            let points = loop.map(patches.position)
            // In single precision, as the caps are kept.
            let apex = Vector3d(Vector3f(points.reduce(.zero, +) / Double(points.count)))
            var vector = Vector3d.zero
            for n in points.indices {
                let (p, q) = (points[n], points[(n + 1) % points.count])
                bodies[body].cones.append((apex, q, p))
                vector += (q - apex).cross(p - apex)
            }
            // A ragged loop's cone folds over itself; what it spans is its area vector.
            bodies[body].capArea += vector.length
        }
        if loop.count >= SurfaceRims.shortestLoop { bodies[body].rims.append(loop) }
    }

    private func volume(_ body: Body) -> Double {
        let center = body.box.center
        func part(_ a: Vector3d, _ b: Vector3d, _ c: Vector3d) -> Double {
            (a - center).dot((b - center).cross(c - center))
        }
        var sum = 0.0
        for t in body.triangles {
            let (a, b, c) = patches.corners(t)
            sum += Double(patches.weights[t]) * part(patches.position(a), patches.position(b), patches.position(c))
        }
        for (a, b, c) in body.caps + body.cones { sum += part(a, b, c) }
        return sum
    }

    /// Which bodies are to be turned round.
    ///
    /// An outermost solid faces outwards. What is inside it keeps its bearing towards it when that is the opposite one: it
    /// is the wall of a cavity. Where both face one way, walls of cavities and solids in them take turns with depth.
    func orientations() -> [Bool] {
        var depth = [Int](repeating: 0, count: bodies.count)
        // The largest body around each: the outermost.
        var outermost = Array(bodies.indices)
        for (outer, body) in bodies.enumerated() where body.isSolid {
            let within = bodies.indices.filter {
                $0 != outer && bodies[$0].isSolid && all(bodies[$0].box.minimum .> body.box.minimum)
                    && all(bodies[$0].box.maximum .< body.box.maximum)
            }
            guard !within.isEmpty else { continue }
            let tree = WindingTree(shell(body))
            for inner in within where isInside(bodies[inner], tree) {
                depth[inner] += 1
                if abs(body.volume) > abs(bodies[outermost[inner]].volume) { outermost[inner] = outer }
            }
        }
        return bodies.indices.map { n in
            guard bodies[n].isSolid else { return false }
            let isNegative = bodies[n].volume < 0
            let isOpposed = isNegative != (bodies[outermost[n]].volume < 0)
            return isNegative != (isOpposed || depth[n] % 2 == 1)
        }
    }

    /// A body's faces and caps as one closed surface.
    private func shell(_ body: Body) -> [(Vector3d, Vector3d, Vector3d)] {
        body.triangles.map { t in
            let (a, b, c) = patches.corners(t)
            let (p, q, r) = (patches.position(a), patches.position(b), patches.position(c))
            return patches.weights[t] > 0 ? (p, q, r) : (p, r, q)
        } + body.caps + body.cones
    }

    /// Whether all of a body looks to be inside a shell: sixteen of its corners, spread evenly, are.
    private func isInside(_ body: Body, _ shell: WindingTree) -> Bool {
        for n in stride(from: 0, to: body.triangles.count, by: max(1, body.triangles.count / 16)) {
            let corner = patches.position(patches.corners(body.triangles[n]).0)
            if abs(shell.winding(at: corner, accuracy: 1e-3)) < 0.5 { return false }
        }
        return true
    }
}

/// Where a loop is and which way its cap faces.
private struct LoopSpan {
    let body: Int
    /// Area vector of the cap, times two.
    private let vector: Vector3d
    private let box: Box3d

    init(_ loop: [UInt32], position: (UInt32) -> Vector3d, body: Int) {
        self.body = body
        let points = loop.map(position)
        var box = Box3d.empty
        for p in points { box.insert(p) }
        var vector = Vector3d.zero
        for n in points.indices {
            vector += (points[(n + 1) % points.count] - points[0]).cross(points[n] - points[0])
        }
        self.box = box
        self.vector = vector
    }

    /// Whether the caps of this loop and of a larger one around it face opposite ways: together they are a ring.
    func isHole(in other: LoopSpan) -> Bool {
        let slack = Vector3d(repeating: 0.1 * box.size.length)
        return body == other.body && vector.dot(other.vector) < -0.7 * vector.length * other.vector.length
            && vector.lengthSquared < other.vector.lengthSquared
            && all(box.minimum .> other.box.minimum - slack) && all(box.maximum .< other.box.maximum + slack)
    }
}
