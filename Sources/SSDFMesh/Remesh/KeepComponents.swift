import SSDFCore

/// Which pieces of a mesh to keep.
package enum ComponentChoice: Sendable, Equatable {
    /// The piece of the largest area.
    case largest
    /// The pieces of the largest areas, this many.
    case count(Int)
    /// Pieces of at least this area, in squared mesh units.
    case leastArea(Double)
}

/// Keeps some of the pieces that vertices in common hold together, and drops the others. Vertices that no kept triangle
/// uses go; normals stay. Of equal areas the piece of the first triangle comes first.
/// - Complexity: O(n).
package func keepComponents(_ mesh: TriangleMesh, _ choice: ComponentChoice) -> TriangleMesh {
    var parent = Array(0..<mesh.vertexCount)
    func root(_ v: Int) -> Int {
        var r = v
        while parent[r] != r {
            parent[r] = parent[parent[r]]
            r = parent[r]
        }
        return r
    }
    for t in 0..<mesh.triangleCount {
        let (a, b, c) = mesh.corners(t)
        for other in [b, c] {
            let (x, y) = (root(a), root(other))
            parent[max(x, y)] = min(x, y)
        }
    }
    var areas = [Double](repeating: 0, count: mesh.vertexCount)
    var order: [Int] = []
    var isSeen = [Bool](repeating: false, count: mesh.vertexCount)
    for t in 0..<mesh.triangleCount {
        let piece = root(mesh.corners(t).0)
        areas[piece] += mesh.areaVector(t).length / 2
        if !isSeen[piece] {
            isSeen[piece] = true
            order.append(piece)
        }
    }
    let ranked = order.enumerated().sorted { (areas[$1.element], $0.offset) < (areas[$0.element], $1.offset) }
    let kept: Set<Int> =
        switch choice {
        case .largest: Set(ranked.prefix(1).map(\.element))
        case .count(let count): Set(ranked.prefix(max(0, count)).map(\.element))
        case .leastArea(let area): Set(order.filter { areas[$0] >= area })
        }
    var result = TriangleMesh()
    var numbers = [UInt32](repeating: .max, count: mesh.vertexCount)
    let hasNormals = mesh.normals.count == mesh.positions.count
    for t in 0..<mesh.triangleCount {
        let (a, b, c) = mesh.corners(t)
        guard kept.contains(root(a)) else { continue }
        for v in [a, b, c] {
            if numbers[v] == .max {
                numbers[v] = result.addVertex(mesh.position(v))
                if hasNormals { result.normals += mesh.normals[3 * v..<3 * v + 3] }
            }
            result.triangles.append(numbers[v])
        }
    }
    return result
}
