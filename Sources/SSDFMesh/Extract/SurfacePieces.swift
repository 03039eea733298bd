import CSSDFKernels
import SSDFCore

/// The pieces that a surface has in a cell, for the dual methods, which put a vertex in each.
///
/// On every ambiguous face the inside corners are kept apart, so that neighbours agree without looking at values. One
/// flaw is left: a piece may pass a face twice, and when the pieces on both sides of that face do, two edges of the mesh
/// join the same two vertices. Then both cells join the inside corners of that face instead, which splits either piece.
/// A pattern with such a face has no other ambiguous one, so the change stays between the two cells.
///
/// Source: Nielson, Dual Marching Cubes, 2004; Wenger, Isosurfaces: Geometry, Topology, and Algorithms, 2013, §3.3
/// (the two configurations that are not manifold, and the cure).
package struct SurfacePieces: Sendable {
    /// `[512]` pieces by pattern, or by 256 + pattern where the doubled face is crossed the other way.
    package private(set) var counts: [UInt8] = []
    /// `[512, 12]` the piece that passes an edge.
    package private(set) var pieceOfEdge = [UInt8](repeating: 0, count: 512 * 12)
    /// `[512, 4]` edges of a piece, as bits.
    package private(set) var edges = [UInt16](repeating: 0, count: 512 * 4)
    /// `[256]` the face that one piece passes twice, or 255.
    package private(set) var doubledFace: [UInt8] = []

    /// The tables, made once when they are first used.
    package static let shared = SurfacePieces()

    /// Makes the tables from the topology of a cell.
    package init() {
        for kind in 0..<512 {
            let pattern = kind & 255
            let ambiguous = CellTopology.ambiguousFaces(pattern)
            if kind < 256 {
                let loops = CellTopology.loops(pattern: pattern, joined: 0)
                let doubled = (0..<6).first { face in
                    ambiguous >> face & 1 == 1
                        && loops.contains { loop in
                            loop.count { CellTopology.edgeFaces[$0] >> face & 1 == 1 } == 4
                        }
                }
                doubledFace.append(doubled.map { UInt8($0) } ?? 255)
            }
            let face = Int(doubledFace[pattern])
            let joined = kind >= 256 && face < 6 ? 1 << face : 0
            let loops = CellTopology.loops(pattern: pattern, joined: joined)
            counts.append(UInt8(loops.count))
            for (piece, loop) in loops.enumerated() {
                edges[4 * kind + piece] = loop.reduce(0) { $0 | 1 << UInt16($1) }
                for edge in loop { pieceOfEdge[12 * kind + edge] = UInt8(piece) }
            }
        }
    }

    /// Lends the table to a kernel.
    package func withUnsafeTable<Result>(_ body: (UnsafePointer<ssdf_extract_pieces>) -> Result) -> Result {
        counts.withUnsafeBufferPointer { counts in
            pieceOfEdge.withUnsafeBufferPointer { pieces in
                edges.withUnsafeBufferPointer { edges in
                    doubledFace.withUnsafeBufferPointer { faces in
                        var table = ssdf_extract_pieces(
                            count: counts.baseAddress!, piece_of: pieces.baseAddress!, edges: edges.baseAddress!,
                            doubled_face: faces.baseAddress!)
                        return body(&table)
                    }
                }
            }
        }
    }
}
