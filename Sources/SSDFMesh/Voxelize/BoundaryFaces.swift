import SSDFCore

/// The faces along the boundary of a mesh's patches.
struct BoundaryFaces {
    private let patches: SurfacePatches
    private var faces: [UInt64: Int] = [:]

    /// - Complexity: O(triangles).
    init(_ patches: SurfacePatches, boundary: BoundaryChain) {
        self.patches = patches
        guard !boundary.isEmpty else { return }
        for edge in boundary.edges { faces[Self.key(edge.from, edge.to)] = -1 }
        for t in patches.weights.indices where patches.weights[t] != 0 {
            let (a, b, c) = patches.corners(t)
            for (u, v) in [(a, b), (b, c), (c, a)] {
                let key = patches.weights[t] > 0 ? Self.key(u, v) : Self.key(v, u)
                if faces[key] == -1 { faces[key] = t }
            }
        }
    }

    /// The face whose edge runs from one welded vertex to another.
    func face(_ from: UInt32, _ to: UInt32) -> Int? { faces[Self.key(from, to)].flatMap { $0 < 0 ? nil : $0 } }

    /// Its unit normal; zero when there is none.
    func normal(_ from: UInt32, _ to: UInt32) -> Vector3d {
        face(from, to).map { (patches.areaVector($0) * Double(patches.weights[$0])).normalized } ?? .zero
    }

    private static func key(_ from: UInt32, _ to: UInt32) -> UInt64 { UInt64(from) << 32 | UInt64(to) }
}
