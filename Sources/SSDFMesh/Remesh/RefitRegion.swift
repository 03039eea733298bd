import CSSDFKernels
import SSDFCore

/// The part of a mesh that is being fitted where its original is farthest from it, for a close look at the distance there.
///
/// Matching measures at the original's vertices and centroids alone, against the faces around one vertex alone: too far at
/// some, too little between them. Here distances are measured both ways, against the faces around neighbours, too.
struct RefitRegion {
    /// Of the mesh's vertices, the share that is looked at, and the least number.
    static let share = 0.005
    private static let least = 64
    /// Vertices a thread takes at a time.
    private static let grain = 64

    /// The vertices that samples are farthest from, and their neighbours, in ascending order.
    private let vertices: [UInt32]

    /// - Parameters:
    ///   - farthest: `[vertices]` how far samples lie at each vertex, squared.
    ///   - share: of the vertices; the largest distance is found with few.
    init(_ mesh: borrowing RefitMesh, farthest: borrowing Buffer<Float>, share: Double = share) {
        let vertexCount = farthest.count
        var isNear = [Bool](repeating: false, count: vertexCount)
        for v in Self.farthestVertices(farthest, count: max(Self.least, Int(share * Double(vertexCount)))) {
            isNear[v] = true
        }
        let corners = mesh.triangles.pointer
        var neighbours: [UInt32] = []
        for t in stride(from: 0, to: mesh.triangles.count, by: 3) {
            guard isNear[Int(corners[t])] || isNear[Int(corners[t + 1])] || isNear[Int(corners[t + 2])] else {
                continue
            }
            for i in 0..<3 { neighbours.append(corners[t + i]) }
        }
        for v in neighbours { isNear[Int(v)] = true }
        vertices = (0..<UInt32(vertexCount)).filter { isNear[Int($0)] }
    }

    /// The vertices with the largest values, `count` of them: exactly but for which of those that are about equal to the
    /// last.
    private static func farthestVertices(_ values: borrowing Buffer<Float>, count: Int) -> [Int] {
        let largest = (0..<values.count).reduce(Float(0)) { max($0, values.pointer[$1]) }
        guard largest > 0 else { return [] }
        let bins = 4096
        func bin(_ v: Int) -> Int { Int((values.pointer[v] / largest).squareRoot() * Float(bins - 1)) }
        var counts = [Int](repeating: 0, count: bins)
        for v in 0..<values.count { counts[bin(v)] += 1 }
        var (last, above) = (bins - 1, 0)
        while last > 0, above + counts[last] < count {
            above += counts[last]
            last -= 1
        }
        var room = count - above
        return (0..<values.count).filter { v in
            let b = bin(v)
            guard b == last, room > 0 else { return b > last }
            room -= 1
            return true
        }
    }

    /// How far the surfaces lie apart here, squared, by the vertices of the fitted mesh that it is at.
    /// - Parameters:
    ///   - kernel: of the mesh; its `farthest` is set at the region's vertices, and becomes 0 elsewhere.
    /// - Returns: the largest.
    func measure(_ kernel: ssdf_refit, threads: Int) -> Float {
        for v in 0..<Int(kernel.vertex_count) { kernel.farthest[v] = 0 }
        let shared = Unchecked(kernel)
        parallelFor(vertices.count, threads: threads, grain: Self.grain) { range in
            var kernel = shared.value
            vertices.withUnsafeBufferPointer {
                guard let first = $0.baseAddress else { return }
                ssdf_refit_measure(&kernel, first + range.lowerBound, range.count)
            }
        }
        return vertices.reduce(0) { max($0, kernel.farthest[Int($1)]) }
    }
}
