import CSSDFKernels
import SSDFCore

/// Every case of marching cubes, derived: for each of the 256 patterns, each way its ambiguous faces can be crossed and
/// each tunnel its interior can hold.
///
/// Polygons follow from the faces; a polygon is covered by the best shaped triangles that keep off the faces, or, where
/// none do, by a fan around a vertex in the cell. Two polygons that a tunnel joins are covered by a tube.
///
/// Source: Chernyaev, Marching Cubes 33, 1995; Lewiner et al., Efficient Implementation of Marching Cubes' Cases with
/// Topological Guarantees, 2003 (which cases there are).
package struct MarchingCubesCases: Sendable {
    /// `[cases]`, addressed as `ssdf_extract_cases` describes.
    package private(set) var cases: [ssdf_extract_case] = []
    /// Triangle corners: edge 0…11, or 12 + number of the vertex in the cell.
    package private(set) var corners: [UInt8] = []
    /// The same with every triangle turned round, for maps that mirror.
    package private(set) var turned: [UInt8] = []
    /// `[256]`.
    package private(set) var firstCase: [UInt16] = []
    /// `[256]`, bit `f`: face `f` is ambiguous.
    package private(set) var ambiguous: [UInt8] = []
    /// `[256]`, 1 where values must be looked at to choose the case.
    package private(set) var undecided: [UInt8] = []

    /// The tables, made once when they are first used.
    package static let shared = MarchingCubesCases()

    /// Covers found so far; few polygons and pairs of them occur, in many cases each.
    private struct Found {
        var disks: [[Int]: [[Int]]?] = [:]
        var tubes: [[[Int]]: CellTriangulation.Tube] = [:]
    }

    /// Makes the tables from the topology of a cell.
    package init() {
        var found = Found()
        for pattern in 0..<256 {
            let faces = CellTopology.ambiguousFaces(pattern)
            firstCase.append(UInt16(cases.count))
            ambiguous.append(UInt8(faces))
            var mayTunnel = false
            for answers in 0..<1 << faces.nonzeroBitCount {
                let joined = Self.spread(answers, over: faces)
                let loops = CellTopology.loops(pattern: pattern, joined: joined)
                let tunnels = [false, true].map { outside in
                    Self.pair(joinedBy: outside, loops: loops, pattern: pattern, joined: joined)
                }
                mayTunnel = mayTunnel || tunnels.contains { $0 != nil }
                let allowed = (tunnels[0] == nil ? 0 : 1) | (tunnels[1] == nil ? 0 : 2)
                let plain = cases.count
                append(loops: loops, tube: nil, tunnels: UInt8(allowed), &found)
                for tunnel in tunnels {
                    guard tunnel != nil else {
                        cases.append(cases[plain])
                        continue
                    }
                    append(loops: loops, tube: tunnel, tunnels: UInt8(allowed), &found)
                }
            }
            undecided.append(faces != 0 || mayTunnel ? 1 : 0)
        }
        turned = corners
        for triangle in stride(from: 0, to: corners.count, by: 3) { turned.swapAt(triangle + 1, triangle + 2) }
        // Kernels read sixteen corners at a time.
        corners += [UInt8](repeating: 0, count: 16)
        turned += [UInt8](repeating: 0, count: 16)
    }

    /// The bits of `answers`, moved to the set bits of `faces`.
    private static func spread(_ answers: Int, over faces: Int) -> Int {
        var rest = answers
        var result = 0
        for face in 0..<6 where faces >> face & 1 == 1 {
            result |= (rest & 1) << face
            rest >>= 1
        }
        return result
    }

    /// The two polygons that a tunnel through the inside (or the outside) would join, or nil when there are none.
    ///
    /// Such a tunnel makes one region out of two that both border on a third, so the polygons are the two borders of
    /// that third region. Where three regions border on one (three or four corners cut off singly) the interpolant has
    /// no tunnel.
    private static func pair(
        joinedBy outside: Bool, loops: [[Int]], pattern: Int, joined: Int
    ) -> (Int, Int)? {
        let region = CellTopology.regions(pattern: pattern, joined: joined)
        func side(_ loop: [Int], outside: Bool) -> Int {
            let (low, high) = CellTopology.ends(loop[0])
            return region[CellTopology.isInside(low, pattern) != outside ? low : high]
        }
        var pairs: [(Int, Int)] = []
        for a in loops.indices {
            for b in loops.indices where b > a {
                guard side(loops[a], outside: !outside) == side(loops[b], outside: !outside),
                    side(loops[a], outside: outside) != side(loops[b], outside: outside)
                else { continue }
                pairs.append((a, b))
            }
        }
        return pairs.count == 1 ? pairs[0] : nil
    }

    private mutating func append(loops: [[Int]], tube: (Int, Int)?, tunnels: UInt8, _ found: inout Found) {
        var entry = ssdf_extract_case()
        entry.first = UInt32(corners.count)
        entry.tunnels = tunnels
        var triangles: [[Int]] = []
        var rings: [Int] = []
        func addFan(_ loop: [Int]) {
            let center = 12 + rings.count
            rings.append(loop.reduce(0) { $0 | 1 << $1 })
            for i in loop.indices { triangles.append([loop[i], loop[(i + 1) % loop.count], center]) }
        }
        if let (a, b) = tube {
            guard let cover = found.tubes[[loops[a], loops[b]]] ?? CellTriangulation.tube(loops[a], loops[b]) else {
                preconditionFailure("a tunnel between polygons \(loops[a]) and \(loops[b]) has no triangulation")
            }
            found.tubes[[loops[a], loops[b]]] = cover
            triangles += cover.triangles
            for quadrilateral in cover.quadrilaterals { addFan(quadrilateral) }
        }
        for (index, loop) in loops.enumerated() where index != tube?.0 && index != tube?.1 {
            let cover = found.disks[loop] ?? CellTriangulation.disk(loop)
            found.disks[loop] = .some(cover)
            if let cover { triangles += cover } else { addFan(loop) }
        }
        precondition(rings.count <= 4 && triangles.count < 256)
        entry.triangles = UInt8(triangles.count)
        entry.centers = UInt8(rings.count)
        rings += [Int](repeating: 0, count: 4 - rings.count)
        entry.rings = (UInt16(rings[0]), UInt16(rings[1]), UInt16(rings[2]), UInt16(rings[3]))
        cases.append(entry)
        for triangle in triangles { corners += triangle.map { UInt8($0) } }
    }

    /// Lends the table to a kernel, with triangles turned round if `mirrored`.
    package func withUnsafeTable<Result>(mirrored: Bool = false, _ body: (UnsafePointer<ssdf_extract_cases>) -> Result)
        -> Result
    {
        cases.withUnsafeBufferPointer { cases in
            (mirrored ? turned : corners).withUnsafeBufferPointer { corners in
                firstCase.withUnsafeBufferPointer { firstCase in
                    ambiguous.withUnsafeBufferPointer { ambiguous in
                        undecided.withUnsafeBufferPointer { undecided in
                            var table = ssdf_extract_cases(
                                cases: cases.baseAddress!, corners: corners.baseAddress!,
                                first_case: firstCase.baseAddress!, ambiguous: ambiguous.baseAddress!,
                                undecided: undecided.baseAddress!)
                            return body(&table)
                        }
                    }
                }
            }
        }
    }
}
