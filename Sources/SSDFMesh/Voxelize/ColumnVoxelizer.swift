import CSSDFKernels
import SSDFCore
import SSDFVolume

/// What every column of one voxelization shares.
struct BandPlan: ~Copyable, Sendable {
    let mesh: IndexedTriangles
    let grid: VoxelGrid
    let columns: ColumnGrid
    let bins: ColumnBins
    /// Half width, voxels.
    let limit: Double
    let sign: SignPlan
    /// Triangles that close the surface for the sign's sake, and where they are; they add no distance.
    let caps: IndexedTriangles
    let capBins: ColumnBins
    /// Edges of rims as triangles (a, b, b), and the columns that they come within the half width of.
    let rims: IndexedTriangles
    let rimBins: ColumnBins
}

/// Makes the bands of columns, one after another, with memory of its own.
///
/// A column is cut into tiles of 32×32×64 voxels. In a tile, triangles become frames in single precision; each frame is
/// tried against the centres of the tile's 128 bricks, and what a brick keeps is tried against the centres of its
/// blocks of 2×2×2 voxels, so that in the end a voxel meets few triangles besides its nearest.
struct ColumnVoxelizer: ~Copyable {
    private static let tileHeight = 64
    private static let bricksInTile = 128
    /// Half the diagonal of a brick's voxel centres.
    private static let brickRadius: Float = 6.0621779

    private var signs = ColumnSigns()
    private var zRanges = ScratchBuffer<SIMD2<Int32>>()
    private var tileStarts = ScratchBuffer<Int>()
    private var tileLists = ScratchBuffer<UInt32>()
    private var frames = ScratchBuffer<ssdf_triangle_frame>()
    private var pairBricks = ScratchBuffer<UInt16>(capacity: 1 << 15)
    private var pairFrames = ScratchBuffer<UInt32>(capacity: 1 << 15)
    private var pairSquares = ScratchBuffer<Float>(capacity: 1 << 15)
    private var nearest = ScratchBuffer<Float>(capacity: bricksInTile)
    private var brickStarts = ScratchBuffer<Int>(capacity: bricksInTile + 1)
    private var brickLists = ScratchBuffer<UInt32>(capacity: 1 << 15)
    private var blockScratch = ScratchBuffer<UInt8>(capacity: 1 << 16)
    private var squared = ScratchBuffer<Float>(capacity: 512)
    private var words = ScratchBuffer<UInt64>(capacity: 24)

    /// The band of one column, into `band`.
    mutating func voxelize(_ column: Int, _ plan: borrowing BandPlan, into band: ColumnBand) {
        let list = plan.bins.list(column)
        let origin = plan.columns.origin(column)
        let height = Self.tileHeight
        let firstTile = Int(((plan.grid.box.minimum.z - plan.limit) / Double(height)).rounded(.down))
        let tiles = Int(((plan.grid.box.maximum.z + plan.limit) / Double(height)).rounded(.down)) - firstTile + 1
        collect(list, plan, column: column, origin: origin, firstTile: firstTile, tiles: tiles)
        for tile in 0..<tiles {
            let start = tileStarts.pointer[tile]
            let count = tileStarts.pointer[tile + 1] - start
            if count > 0 {
                voxelizeTile(
                    UnsafeBufferPointer(start: tileLists.pointer + start, count: count), plan, column: column,
                    x: origin.x, y: origin.y, z: (firstTile + tile) * height, into: band)
            }
        }
    }

    /// Fills the winding lines of the column and the triangle list of each of its tiles.
    private mutating func collect(
        _ list: UnsafeBufferPointer<UInt32>, _ plan: borrowing BandPlan, column: Int, origin: (x: Int, y: Int),
        firstTile: Int, tiles: Int
    ) {
        let usesLines = plan.sign.usesLines
        signs.begin(plan, column: column)
        zRanges.reserve(list.count)
        tileStarts.reserve(tiles + 1)
        for tile in 0...tiles { tileStarts.pointer[tile] = 0 }
        let half = Double(ColumnGrid.width - 1) / 2
        let center = SIMD2(Double(origin.x) + half, Double(origin.y) + half)
        let inverse = 1 / Double(Self.tileHeight)
        for n in 0..<list.count {
            let t = Int(list[n])
            let corners = plan.mesh.corners(t)
            if usesLines { signs.add(corners, weight: plan.sign.weight(t)) }
            let (low, high) = zRange(corners, center: center, half: half + plan.limit, limit: plan.limit)
            let first = max(0, Int((low * inverse).rounded(.down)) - firstTile)
            let last = min(tiles - 1, Int((high * inverse).rounded(.down)) - firstTile)
            zRanges.pointer[n] = SIMD2(Int32(first), Int32(last))
            if first <= last { for tile in first...last { tileStarts.pointer[tile + 1] += 1 } }
        }
        if usesLines { signs.finish(plan, column: column) }
        for tile in 0..<tiles { tileStarts.pointer[tile + 1] += tileStarts.pointer[tile] }
        tileLists.reserve(tileStarts.pointer[tiles])
        for n in 0..<list.count {
            let range = zRanges.pointer[n]
            guard range.x <= range.y else { continue }
            for tile in Int(range.x)...Int(range.y) {
                tileLists.pointer[tileStarts.pointer[tile]] = list[n]
                tileStarts.pointer[tile] += 1
            }
        }
        for tile in stride(from: tiles, to: 0, by: -1) { tileStarts.pointer[tile] = tileStarts.pointer[tile - 1] }
        tileStarts.pointer[0] = 0
    }

    /// Heights in the column that a triangle comes within `limit` of.
    private func zRange(
        _ corners: (Vector3d, Vector3d, Vector3d), center: SIMD2<Double>, half: Double, limit: Double
    ) -> (Double, Double) {
        let (a, b, c) = corners
        var low = min(a.z, b.z, c.z) - limit
        var high = max(a.z, b.z, c.z) + limit
        guard high - low > 2 * Double(Self.tileHeight) else { return (low, high) }
        // A large triangle passes the column on a stretch of its plane.
        let n = (b - a).cross(c - a).normalized
        guard abs(n.z) > 1e-6 else { return (low, high) }
        let z = a.z - (n.x * (center.x - a.x) + n.y * (center.y - a.y)) / n.z
        let spread = (half * (abs(n.x) + abs(n.y)) + limit) / abs(n.z) + 1
        low = max(low, z - spread)
        high = min(high, z + spread)
        return (low, high)
    }

    private mutating func voxelizeTile(
        _ list: UnsafeBufferPointer<UInt32>, _ plan: borrowing BandPlan, column: Int, x: Int, y: Int, z: Int,
        into band: ColumnBand
    ) {
        let center = Vector3d(Double(x) + 15.5, Double(y) + 15.5, Double(z) + 31.5)
        var toTile = plan.mesh.map
        toTile.translation -= center
        let limit = Float(plan.limit)
        frames.reserve(list.count)
        ssdf_triangle_frames(
            plan.mesh.positions, plan.mesh.triangles, list.baseAddress!, list.count, toTile.rows, 40, frames.pointer)
        let pairs = findPairs(list.count, limit: limit)
        guard pairs > 0 else { return }
        sortPairs(pairs)
        let brickMost = (0..<Self.bricksInTile).reduce(0) {
            max($0, brickStarts.pointer[$1 + 1] - brickStarts.pointer[$1])
        }
        blockScratch.reserve(ssdf_brick_scratch(brickMost))
        // Rounding, in voxels, that a distance of a tile may carry: see ssdf_distance.h.
        let tolerance = 6e-5 / limit
        let scale = Float(plan.grid.voxelSize)
        let quantum = Float(plan.grid.quantum)
        let most = largestSteps(plan.limit * plan.grid.voxelSize / plan.grid.quantum)
        let (active, doubtful, inside) = (words.pointer, words.pointer + 8, words.pointer + 16)
        for brick in 0..<Self.bricksInTile {
            let start = brickStarts.pointer[brick]
            let count = brickStarts.pointer[brick + 1] - start
            guard count > 0 else { continue }
            let (bx, by, bz) = (8 * (brick >> 5), 8 * (brick >> 3 & 3), 8 * (brick & 7))
            let hit = ssdf_brick_distances(
                frames.pointer, brickLists.pointer + start, count, Int32(brick), limit, tolerance,
                blockScratch.pointer, squared.pointer, active, doubtful)
            guard hit != 0 else { continue }
            let voxel = (x: x + bx, y: y + by, z: z + bz)
            let triangles = BrickTriangles(
                list: list, members: UnsafeBufferPointer(start: brickLists.pointer + start, count: count))
            decideDoubtful(plan, triangles, voxel: voxel, active: active, doubtful: doubtful)
            var any: UInt64 = 0
            for word in 0..<8 { any |= active[word] }
            guard any != 0 else { continue }
            signs.decide(
                plan, column: column, local: (bx, by), voxel: voxel, triangles: triangles, active: active,
                squared: squared.pointer, inside: inside)
            band.values.reserve(band.values.count + 512 + 16)
            let written = ssdf_pack_distances(
                squared.pointer, active, inside, scale, quantum, most, band.values.pointer + band.values.count)
            for word in 0..<8 { band.masks.append(active[word]) }
            band.bricks.append(
                ColumnBand.Brick(
                    position: BrickCoordinate(Int32(voxel.x >> 3), Int32(voxel.y >> 3), Int32(voxel.z >> 3)),
                    firstValue: band.values.count, valueCount: written))
            band.values.count += written
        }
    }

    /// The largest whole number of quanta that does not exceed the half width.
    private func largestSteps(_ steps: Double) -> Float {
        let whole = steps.rounded(.down)
        let value = Float(whole)
        return Double(value) > whole ? value.nextDown : value
    }

    /// Pairs of bricks and frames that may matter to each other.
    private mutating func findPairs(_ count: Int, limit: Float) -> Int {
        while true {
            let capacity = min(pairBricks.capacity, pairFrames.capacity, pairSquares.capacity)
            let pairs = ssdf_tile_pairs(
                frames.pointer, count, limit, capacity, pairBricks.pointer, pairFrames.pointer, pairSquares.pointer,
                nearest.pointer)
            if pairs <= capacity { return pairs }
            pairBricks.reserve(pairs)
            pairFrames.reserve(pairs)
            pairSquares.reserve(pairs)
        }
    }

    /// Lists the frames of each brick, leaving out those that another frame hides: a frame matters to a brick only when
    /// its distance from the brick's centre is within twice the brick's radius of the nearest one's.
    private mutating func sortPairs(_ pairs: Int) {
        for brick in 0...Self.bricksInTile { brickStarts.pointer[brick] = 0 }
        for brick in 0..<Self.bricksInTile {
            let reach = nearest.pointer[brick].squareRoot() + 2 * Self.brickRadius + 1e-3
            nearest.pointer[brick] = reach * reach
        }
        for pair in 0..<pairs {
            let brick = Int(pairBricks.pointer[pair])
            if pairSquares.pointer[pair] <= nearest.pointer[brick] { brickStarts.pointer[brick + 1] += 1 }
        }
        for brick in 0..<Self.bricksInTile { brickStarts.pointer[brick + 1] += brickStarts.pointer[brick] }
        brickLists.reserve(brickStarts.pointer[Self.bricksInTile])
        for pair in 0..<pairs {
            let brick = Int(pairBricks.pointer[pair])
            guard pairSquares.pointer[pair] <= nearest.pointer[brick] else { continue }
            brickLists.pointer[brickStarts.pointer[brick]] = pairFrames.pointer[pair]
            brickStarts.pointer[brick] += 1
        }
        for brick in stride(from: Self.bricksInTile, to: 0, by: -1) {
            brickStarts.pointer[brick] = brickStarts.pointer[brick - 1]
        }
        brickStarts.pointer[0] = 0
    }

    /// Settles in double precision which voxels within rounding of the half width are active.
    private func decideDoubtful(
        _ plan: borrowing BandPlan, _ triangles: BrickTriangles, voxel: (x: Int, y: Int, z: Int),
        active: UnsafeMutablePointer<UInt64>, doubtful: UnsafeMutablePointer<UInt64>
    ) {
        for word in 0..<8 {
            var bits = doubtful[word]
            while bits != 0 {
                let bit = bits.trailingZeroBitCount
                bits &= bits - 1
                let p = Vector3d(Double(voxel.x + word), Double(voxel.y + bit >> 3), Double(voxel.z + bit & 7))
                var best = Double.infinity
                for n in 0..<triangles.count {
                    let (a, b, c) = plan.mesh.corners(triangles[n])
                    best = min(best, squaredDistance(from: p, toTriangle: a, b, c))
                }
                let flag: UInt64 = 1 << UInt64(bit)
                if best <= plan.limit * plan.limit { active[word] |= flag } else { active[word] &= ~flag }
            }
        }
    }
}
