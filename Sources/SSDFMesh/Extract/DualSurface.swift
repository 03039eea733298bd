import CSSDFKernels
import SSDFCore

/// What dual marching cubes and dual contouring share: which vertices there are, and the quadrilaterals between them.
///
/// A vertex stands for a piece of the surface in a cell, a quadrilateral for an edge of the grid whose four cells are
/// complete; two quadrilaterals meet where the surface crosses a face. So the mesh is 2-manifold whatever the values.
struct DualSurface: ~Copyable {
    /// `[cells]` an index into `SurfacePieces`.
    let kinds: Buffer<UInt16>
    /// `[bricks + 1]`.
    let vertexBase: Buffer<UInt32>
    let quadBase: Buffer<Int>

    /// - Throws: `badData` when there are more vertices than 32 bits can number.
    static func find(in surface: borrowing BrickSurface, threads: Int) throws(Failure) -> DualSurface {
        let count = surface.brickCount
        let kinds = Buffer<UInt16>(uninitialized: surface.cellCount)
        let vertexCounts = Buffer<UInt32>(uninitialized: count)
        let quadCounts = Buffer<UInt32>(uninitialized: count)
        let kind = Unchecked(kinds.pointer)
        let (vertexCount, quadCount) = (Unchecked(vertexCounts.pointer), Unchecked(quadCounts.pointer))
        let pieces = SurfacePieces.shared
        surface.forEachTile(threads: threads) { grid, bricks in
            pieces.withUnsafeTable { table in
                ssdf_extract_dual_cells(
                    grid, table, bricks.lowerBound, bricks.upperBound, kind.value, vertexCount.value, quadCount.value)
            }
        }
        let vertexBase = Buffer<UInt32>(uninitialized: count + 1)
        try BrickSurface.accumulate(vertexCounts, into: vertexBase, of: "vertices")
        return DualSurface(kinds: kinds, vertexBase: vertexBase, quadBase: BrickSurface.accumulated(quadCounts))
    }

    var vertexCount: Int { Int(vertexBase.pointer[vertexBase.count - 1]) }
    var quadCount: Int { quadBase.pointer[quadBase.count - 1] }

    /// The mean of `points` over each piece's edges; with `unit`, brought to unit length.
    /// - Parameters:
    ///   - points: `[surface.pointCount, 3]`
    ///   - cellVertex: `[cells]`, filled with every cell's first vertex.
    /// - Returns: `[vertexCount, 3]`
    borrowing func means(
        of points: borrowing Buffer<Float>, unit: Bool, _ surface: borrowing BrickSurface,
        cellVertex: borrowing Buffer<UInt32>, threads: Int
    ) -> [Float] {
        let kind = Unchecked(kinds.pointer)
        let (base, point, cell) = (
            Unchecked(vertexBase.pointer), Unchecked(points.pointer), Unchecked(cellVertex.pointer)
        )
        let pieces = SurfacePieces.shared
        return Array(filling: 3 * vertexCount) { storage in
            guard let start = storage.baseAddress else { return }
            let vertices = Unchecked(start)
            surface.forEachTile(threads: threads) { grid, bricks in
                pieces.withUnsafeTable { table in
                    ssdf_extract_dual_vertices(
                        grid, table, bricks.lowerBound, bricks.upperBound, kind.value, base.value, unit ? 1 : 0,
                        point.value, cell.value, vertices.value)
                }
            }
        }
    }

    /// The quadrilaterals, cut into two triangles each.
    /// - Parameters:
    ///   - cellVertex: `[cells]` every cell's first vertex.
    ///   - positions: `[vertexCount, 3]`
    ///   - ranks: `[vertexCount]` 2 or more for vertices on sharp edges, or nil.
    ///   - flip: whether to turn the triangles round.
    borrowing func triangles(
        _ surface: borrowing BrickSurface, cellVertex: borrowing Buffer<UInt32>, positions: [Float],
        ranks: UnsafePointer<UInt8>? = nil, flip: Bool, threads: Int
    ) -> [UInt32] {
        let kind = Unchecked(kinds.pointer)
        let (cell, quad, rank) = (Unchecked(cellVertex.pointer), Unchecked(quadBase.pointer), Unchecked(ranks))
        let pieces = SurfacePieces.shared
        return positions.withUnsafeBufferPointer { positions in
            let position = Unchecked(positions.baseAddress)
            return Array(filling: 6 * quadCount) { storage in
                guard let start = storage.baseAddress, position.value != nil else { return }
                let triangles = Unchecked(start)
                surface.forEachTile(threads: threads) { grid, bricks in
                    pieces.withUnsafeTable { table in
                        ssdf_extract_dual_triangles(
                            grid, table, bricks.lowerBound, bricks.upperBound, kind.value, cell.value, quad.value,
                            flip ? 1 : 0, position.value!, rank.value, triangles.value)
                    }
                }
            }
        }
    }
}
