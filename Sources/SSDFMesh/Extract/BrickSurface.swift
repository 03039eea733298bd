import CSSDFKernels
import SSDFCore
import SSDFVolume

/// Where a surface passes through the bricks of a volume: which voxels are inside, which cells and edges are crossed,
/// and the numbers of the points on those edges.
///
/// A brick owns the cells and edges that start in it. A crossed edge's point has the number `edgeBase[brick]` + the
/// rank of the edge in the brick, so the cells around it, in whatever bricks, find the same point without a search.
struct BrickSurface: ~Copyable {
    /// Bricks that one call of a kernel takes on.
    static let tile = 64

    let cellBase: Buffer<UInt32>
    let edgeBase: Buffer<UInt32>
    private let storage: Storage

    /// The masks and counts that kernels fill; kept alive as long as the grid that points into them.
    private struct Storage: ~Copyable {
        let next: Buffer<Int32>
        let previous: Buffer<Int32>
        let inside: Buffer<UInt64>
        let complete: Buffer<UInt64>
        let crossed: Buffer<UInt64>
        let cellCount: Buffer<UInt32>
        let edges: Buffer<UInt64>
        let edgeRank: Buffer<UInt16>
        let edgeCount: Buffer<UInt32>

        init(brickCount: Int) {
            next = Buffer(uninitialized: 8 * brickCount)
            previous = Buffer(uninitialized: 8 * brickCount)
            inside = Buffer(uninitialized: 8 * brickCount)
            complete = Buffer(uninitialized: 8 * brickCount)
            crossed = Buffer(uninitialized: 8 * brickCount)
            cellCount = Buffer(uninitialized: brickCount)
            edges = Buffer(uninitialized: 24 * brickCount)
            edgeRank = Buffer(uninitialized: 24 * brickCount)
            edgeCount = Buffer(uninitialized: brickCount)
        }
    }

    /// What kernels are given. The volume must outlive its use.
    private(set) var grid: ssdf_extract_grid

    /// Finds the surface at `iso` in a volume with one value a voxel.
    /// - Parameters:
    ///   - above: whether larger values, rather than smaller ones, are inside.
    ///   - isa: the kernels to run, at most `ssdf_isa()`.
    /// - Throws: `badData` when an active value is not finite or the surface has more vertices than 32 bits can number.
    /// - Complexity: O(active voxels).
    static func find(
        in volume: borrowing SparseVolume, iso: Double, above: Bool, isa: Int32, threads: Int
    ) throws(Failure) -> BrickSurface {
        guard volume.brickCount < Int(Int32.max) else {
            throw .badData("the volume has \(volume.brickCount) bricks", expected: "fewer than \(Int32.max)")
        }
        let surface = BrickSurface(volume, iso: iso, above: above, isa: isa)
        if let row = surface.fill(threads: threads) { throw notFinite(volume, row: row) }
        try accumulate(surface.storage.cellCount, into: surface.cellBase, of: "cells crossed by the surface")
        try accumulate(surface.storage.edgeCount, into: surface.edgeBase, of: "vertices")
        return surface
    }

    private init(_ volume: borrowing SparseVolume, iso: Double, above: Bool, isa: Int32) {
        let count = volume.brickCount
        storage = Storage(brickCount: count)
        cellBase = Buffer<UInt32>(uninitialized: count + 1)
        edgeBase = Buffer<UInt32>(uninitialized: count + 1)
        let position = UnsafeRawPointer(volume.bricks.pointer).assumingMemoryBound(to: Int32.self)
        grid = ssdf_extract_grid(
            count: count, position: position, active: volume.masks.pointer, offset: volume.offsets.pointer,
            values: volume.values.pointer, iso: iso, above: above ? 1 : 0, isa: isa, next: storage.next.pointer,
            previous: storage.previous.pointer, inside: storage.inside.pointer, complete: storage.complete.pointer,
            crossed: storage.crossed.pointer, cell_count: storage.cellCount.pointer, edges: storage.edges.pointer,
            edge_rank: storage.edgeRank.pointer, edge_count: storage.edgeCount.pointer, cell_base: cellBase.pointer,
            edge_base: edgeBase.pointer)
    }

    /// Runs the passes that find the surface.
    /// - Returns: the first row whose value is not finite, or nil.
    private borrowing func fill(threads: Int) -> Int? {
        let count = brickCount
        storage.previous.unsafeElements.update(repeating: -1)
        let wrongRows = Buffer<Int>(uninitialized: (count + Self.tile - 1) / Self.tile)
        let wrong = Unchecked(wrongRows.pointer)
        forEachTile(threads: threads) { grid, bricks in
            ssdf_extract_neighbors(grid, bricks.lowerBound, bricks.upperBound)
            wrong.value[bricks.lowerBound / Self.tile] = ssdf_extract_classify(
                grid, bricks.lowerBound, bricks.upperBound)
        }
        if let row = wrongRows.unsafeElements.first(where: { $0 >= 0 }) { return row }
        forEachTile(threads: threads) { ssdf_extract_cells($0, $1.lowerBound, $1.upperBound) }
        forEachTile(threads: threads) { ssdf_extract_edges($0, $1.lowerBound, $1.upperBound) }
        return nil
    }

    /// Hands the grid to `body` for every tile of bricks, on several threads.
    borrowing func forEachTile(
        threads: Int, _ body: @Sendable (UnsafePointer<ssdf_extract_grid>, Range<Int>) -> Void
    ) {
        let shared = Unchecked(grid)
        parallelFor(brickCount, threads: threads, grain: Self.tile) { bricks in
            withUnsafePointer(to: shared.value) { body($0, bricks) }
        }
    }

    /// Whether all corners of a cell are active and on one side of the surface.
    /// - Parameter cell: its lowest corner, voxels.
    /// - Complexity: O(log brickCount).
    borrowing func isEmpty(_ cell: SIMD3<Int32>) -> Bool {
        guard let (brick, word, flag) = place(of: cell) else { return false }
        let place = 8 * brick + word
        return storage.complete.pointer[place] & ~storage.crossed.pointer[place] & flag != 0
    }

    /// The number of a cell that the surface crosses, or nil when it does not.
    /// - Complexity: O(log brickCount).
    borrowing func index(ofCrossed cell: SIMD3<Int32>) -> Int? {
        guard let (brick, word, flag) = place(of: cell) else { return nil }
        let words = storage.crossed.pointer + 8 * brick
        guard words[word] & flag != 0 else { return nil }
        let before = (0..<word).reduce(0) { $0 + words[$1].nonzeroBitCount }
        return Int(cellBase.pointer[brick]) + before + (words[word] & (flag - 1)).nonzeroBitCount
    }

    /// A cell's brick, its word of the brick's masks, and its bit there.
    private borrowing func place(of cell: SIMD3<Int32>) -> (brick: Int, word: Int, flag: UInt64)? {
        let brick = BrickCoordinate(cell.x >> 3, cell.y >> 3, cell.z >> 3)
        var (low, high) = (0, brickCount)
        func position(_ n: Int) -> BrickCoordinate {
            BrickCoordinate(grid.position[3 * n], grid.position[3 * n + 1], grid.position[3 * n + 2])
        }
        while low < high {
            let middle = (low + high) / 2
            if position(middle) < brick { low = middle + 1 } else { high = middle }
        }
        guard low < brickCount, position(low) == brick else { return nil }
        return (low, Int(cell.x & 7), 1 << UInt64(8 * (cell.y & 7) + (cell.z & 7)))
    }

    var brickCount: Int { Int(grid.count) }
    var cellCount: Int { Int(cellBase.pointer[brickCount]) }
    var pointCount: Int { Int(edgeBase.pointer[brickCount]) }

    /// Running sums: `bases[i]` is the sum of the counts before `i`.
    /// - Throws: `badData` when the whole sum is too large to number its members with 32 bits.
    static func accumulate(
        _ counts: borrowing Buffer<UInt32>, into bases: borrowing Buffer<UInt32>, of what: String
    ) throws(Failure) {
        var total = 0
        for index in 0..<counts.count {
            bases.pointer[index] = UInt32(truncatingIfNeeded: total)
            total += Int(counts.pointer[index])
        }
        guard total < Int(UInt32.max) else {
            throw .badData("the surface has \(total) \(what)", expected: "fewer than \(UInt32.max)")
        }
        bases.pointer[counts.count] = UInt32(total)
    }

    /// Running sums that may be larger than 32 bits.
    static func accumulated(_ counts: borrowing Buffer<UInt32>) -> Buffer<Int> {
        let bases = Buffer<Int>(uninitialized: counts.count + 1)
        var total = 0
        for index in 0..<counts.count {
            bases.pointer[index] = total
            total += Int(counts.pointer[index])
        }
        bases.pointer[counts.count] = total
        return bases
    }

    /// Fills `points`, `[pointCount, 3]`, with the places where the surface crosses the grid's edges.
    borrowing func fillPoints(
        _ points: UnsafeMutablePointer<Float>, _ coordinates: ExtractedCoordinates, threads: Int
    ) {
        let rows = coordinates.rows
        let margin = coordinates.margin
        let start = Unchecked(points)
        forEachTile(threads: threads) { grid, bricks in
            ssdf_extract_points(grid, bricks.lowerBound, bricks.upperBound, rows, margin, start.value)
        }
    }

    /// Fills `normals`, `[pointCount, 3]`, with the unit normals at those places.
    borrowing func fillNormals(
        _ normals: UnsafeMutablePointer<Float>, _ coordinates: ExtractedCoordinates, threads: Int
    ) {
        let rows = coordinates.gradientRows
        let margin = coordinates.margin
        let start = Unchecked(normals)
        forEachTile(threads: threads) { grid, bricks in
            ssdf_extract_normals(grid, bricks.lowerBound, bricks.upperBound, rows, margin, start.value)
        }
    }

    private static func notFinite(_ volume: borrowing SparseVolume, row: Int) -> Failure {
        var brick = 0
        while volume.offsets.pointer[brick + 1] <= row { brick += 1 }
        let value = volume.values.pointer[row]
        var place = ""
        for bit in 0..<512 where volume.row(brick: brick, bit: bit) == row {
            let voxel = volume.bricks.pointer[brick].voxel(atBit: bit)
            place = "voxel (\(voxel.x), \(voxel.y), \(voxel.z))"
        }
        return .badData(place: place, "value is \(value)", expected: "a finite number")
    }
}
