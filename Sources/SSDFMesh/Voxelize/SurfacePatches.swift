import SSDFCore

/// The patches of a mesh: faces joined across edges that have exactly two, each patch turned one way throughout.
///
/// A mesh with randomly flipped faces still says which way each patch faces: by the larger part of its area. Where a
/// patch cannot be turned one way (a Möbius strip), the edges at which it contradicts itself stay open.
struct SurfacePatches {
    let mesh: TriangleMesh
    let welded: WeldedVertices
    /// Welded vertex numbers, three a triangle.
    let triangles: [UInt32]
    /// 1 as it is, -1 turned round, 0 left out: without area at welded vertices, or a further copy of a face.
    private(set) var weights: [Int8]
    /// The patch of each triangle; -1 where the weight is 0.
    private(set) var patchOf: [Int32]
    private(set) var patchCount = 0
    /// Share of the area whose faces agree with their patch.
    private(set) var agreement = 1.0
    /// Sorted corner triples of all faces.
    private(set) var faces: Set<SIMD3<UInt32>>

    init(_ mesh: TriangleMesh) {
        self.mesh = mesh
        welded = WeldedVertices(mesh)
        triangles = welded.triangles(of: mesh)
        let count = mesh.triangleCount
        weights = [Int8](repeating: 1, count: count)
        patchOf = [Int32](repeating: -1, count: count)
        faces = []
        faces.reserveCapacity(count)
        for t in 0..<count {
            let (a, b, c) = corners(t)
            if a == b || b == c || c == a || !faces.insert(Self.sorted(a, b, c)).inserted { weights[t] = 0 }
        }
        orient(edgeUses())
    }

    func corners(_ t: Int) -> (UInt32, UInt32, UInt32) {
        (triangles[3 * t], triangles[3 * t + 1], triangles[3 * t + 2])
    }

    func position(_ weldedVertex: UInt32) -> Vector3d {
        Vector3d(mesh.position(Int(welded.firstVertex[Int(weldedVertex)])))
    }

    /// Twice the area, along the normal of the triangle as it is in the mesh.
    func areaVector(_ t: Int) -> Vector3d {
        let (a, b, c) = corners(t)
        let p = position(a)
        return (position(b) - p).cross(position(c) - p)
    }

    /// Welded vertices that faces use, ascending.
    var corners: [UInt32] {
        var isUsed = [Bool](repeating: false, count: welded.count)
        for t in weights.indices where weights[t] != 0 {
            for k in 0..<3 { isUsed[Int(triangles[3 * t + k])] = true }
        }
        return isUsed.indices.filter { isUsed[$0] }.map(UInt32.init)
    }

    static func sorted(_ a: UInt32, _ b: UInt32, _ c: UInt32) -> SIMD3<UInt32> {
        let low = min(a, b, c)
        let high = max(a, b, c)
        return SIMD3(low, a ^ b ^ c ^ low ^ high, high)
    }

    /// Turns all triangles of some patches round.
    mutating func flip(_ flips: (Int) -> Bool) {
        for t in weights.indices where patchOf[t] >= 0 && flips(Int(patchOf[t])) { weights[t] = -weights[t] }
    }

    /// Leaves the triangles of some patches out.
    mutating func drop(_ drops: (Int) -> Bool) {
        for t in weights.indices where patchOf[t] >= 0 && drops(Int(patchOf[t])) { weights[t] = 0 }
    }

    /// Half-edges (3·triangle + corner) by their undirected edge.
    private func edgeUses() -> [(edge: UInt64, half: UInt32)] {
        var uses: [(edge: UInt64, half: UInt32)] = []
        uses.reserveCapacity(triangles.count)
        for t in weights.indices where weights[t] != 0 {
            for k in 0..<3 {
                let (u, v) = (triangles[3 * t + k], triangles[3 * t + (k + 1) % 3])
                uses.append((UInt64(min(u, v)) << 32 | UInt64(max(u, v)), UInt32(3 * t + k)))
            }
        }
        uses.sort { $0.edge != $1.edge ? $0.edge < $1.edge : $0.half < $1.half }
        return uses
    }

    private mutating func orient(_ uses: [(edge: UInt64, half: UInt32)]) {
        // The other half of each half-edge whose edge has exactly two faces.
        var opposite = [Int32](repeating: -1, count: triangles.count)
        var start = 0
        while start < uses.count {
            var end = start + 1
            while end < uses.count, uses[end].edge == uses[start].edge { end += 1 }
            if end - start == 2 {
                opposite[Int(uses[start].half)] = Int32(uses[start + 1].half)
                opposite[Int(uses[start + 1].half)] = Int32(uses[start].half)
            }
            start = end
        }
        var agreeing = 0.0
        var total = 0.0
        var queue: [Int] = []
        for seed in weights.indices where weights[seed] != 0 && patchOf[seed] < 0 {
            let patch = Int32(patchCount)
            patchCount += 1
            patchOf[seed] = patch
            queue.removeAll(keepingCapacity: true)
            queue.append(seed)
            var head = 0
            var kept = 0.0
            var turned = 0.0
            while head < queue.count {
                let t = queue[head]
                head += 1
                let area = areaVector(t).length
                if weights[t] > 0 { kept += area } else { turned += area }
                for k in 0..<3 {
                    let half = opposite[3 * t + k]
                    guard half >= 0 else { continue }
                    let other = Int(half) / 3
                    guard patchOf[other] < 0 else { continue }
                    patchOf[other] = patch
                    // Two faces agree when they run along their edge opposite ways.
                    let agree = triangles[Int(half)] != triangles[3 * t + k]
                    weights[other] = agree ? weights[t] : -weights[t]
                    queue.append(other)
                }
            }
            if turned > kept {
                for t in queue { weights[t] = -weights[t] }
            }
            agreeing += max(kept, turned)
            total += kept + turned
        }
        agreement = total > 0 ? agreeing / total : 1
    }
}
