import SSDFCore
import SSDFVolume

/// Inside and outside by a flood from far away.
///
/// Voxels nearer to the surface than half a voxel's diagonal are its wall; the flood goes through faces of all other
/// voxels, active or not. What it does not reach is inside. Space without bricks is flooded as runs of absent bricks
/// along z, so that the cost is that of the band. A wall voxel takes the side of the neighbour with which it has most
/// room: two voxels whose distances sum to more than what lies between them have no surface between them.
struct FloodSign: ~Copyable {
    /// Voxels. Half the diagonal: no straight line between face neighbours passes a closed surface without meeting one.
    private static let wall: Float = 0.8660254

    /// Set where a voxel is inside, eight words a brick.
    let inside: Buffer<UInt64>
    /// Whether anything is enclosed.
    private(set) var hasInside = false
    /// Share of the active voxels whose side is certain: reached, enclosed, or joined to such by enough room.
    private(set) var confidence = 1.0

    /// - Parameter volume: unsigned distances in world units.
    /// - Complexity: O(bricks + wall voxels), nearly.
    init(_ volume: borrowing SparseVolume) {
        let count = volume.brickCount
        inside = Buffer(zeros: 8 * count)
        guard count > 0 else { return }
        let voxel = Float(volume.metadata.voxelSize)
        let walls = Buffer<UInt64>(zeros: 8 * count)
        for brick in 0..<count {
            var row = volume.offsets.pointer[brick]
            for word in 0..<8 {
                var bits = volume.masks.pointer[8 * brick + word]
                while bits != 0 {
                    if abs(volume.values.pointer[row]) <= Self.wall * voxel {
                        walls.pointer[8 * brick + word] |= bits & ~(bits &- 1)
                    }
                    row += 1
                    bits &= bits &- 1
                }
            }
        }
        let columns = BrickColumns(volume)
        let reached = Buffer<UInt64>(zeros: 8 * count)
        Self.flood(columns, volume.bricks.pointer, walls.pointer, reached.pointer)
        var sure = 0
        for brick in 0..<count {
            for word in 0..<8 {
                let open = volume.masks.pointer[8 * brick + word] & ~walls.pointer[8 * brick + word]
                let enclosed = open & ~reached.pointer[8 * brick + word]
                inside.pointer[8 * brick + word] = enclosed
                if enclosed != 0 { hasInside = true }
                sure += open.nonzeroBitCount
            }
        }
        if hasInside { sure += sideWalls(volume, walls) } else { sure = volume.activeCount }
        confidence = Double(sure) / Double(max(1, volume.activeCount))
    }

    /// Decides the wall voxels; returns how many of them had room to a decided neighbour.
    private func sideWalls(_ volume: borrowing SparseVolume, _ walls: borrowing Buffer<UInt64>) -> Int {
        let voxel = Float(volume.metadata.voxelSize)
        var sure = 0
        let decided = Buffer<UInt64>(uninitialized: inside.count)
        for word in 0..<inside.count { decided.pointer[word] = inside.pointer[word] }
        for brick in 0..<volume.brickCount {
            for word in 0..<8 {
                var bits = walls.pointer[8 * brick + word]
                while bits != 0 {
                    let bit = bits.trailingZeroBitCount
                    bits &= bits &- 1
                    let p = volume.bricks.pointer[brick].voxel(atBit: word << 6 | bit)
                    let own = abs(volume.values.pointer[volume.row(brick: brick, bit: word << 6 | bit)!]) / voxel
                    var most = -Float.infinity
                    var isInside = false
                    for n in 0..<27 where n != 13 {
                        let (dx, dy, dz) = (n / 9 - 1, n / 3 % 3 - 1, n % 3 - 1)
                        let q = VoxelCoordinate(p.x + Int32(dx), p.y + Int32(dy), p.z + Int32(dz))
                        let other = q.brick == p.brick ? brick : volume.brickIndex(of: q.brick)
                        guard let other, let row = volume.row(brick: other, bit: q.bit) else { continue }
                        let place = 8 * other + q.bit >> 6
                        let flag: UInt64 = 1 << UInt64(q.bit & 63)
                        guard walls.pointer[place] & flag == 0 else { continue }
                        let apart = Float(dx * dx + dy * dy + dz * dz).squareRoot()
                        let room = own + abs(volume.values.pointer[row]) / voxel - apart
                        if room > most {
                            most = room
                            isInside = decided.pointer[place] & flag != 0
                        }
                    }
                    if isInside { inside.pointer[8 * brick + word] |= 1 << UInt64(bit) }
                    if most > 0 { sure += 1 }
                }
            }
        }
        return sure
    }

    private static func flood(
        _ columns: borrowing BrickColumns, _ bricks: UnsafePointer<BrickCoordinate>, _ walls: UnsafePointer<UInt64>,
        _ reached: UnsafeMutablePointer<UInt64>
    ) {
        var gapReached = [Bool](repeating: false, count: columns.gapCount)
        var work: [BrickColumns.Place] = []
        func enterGap(_ gap: Int) {
            if !gapReached[gap] {
                gapReached[gap] = true
                work.append(.gap(gap))
            }
        }
        /// Lets the flood into a brick at the voxels of a mask.
        func enter(_ brick: Int, _ mask: (Int) -> UInt64) {
            var changed = false
            for word in 0..<8 {
                let new = mask(word) & ~walls[8 * brick + word] & ~reached[8 * brick + word]
                if new != 0 {
                    reached[8 * brick + word] |= new
                    changed = true
                }
            }
            if changed { work.append(.brick(brick)) }
        }
        /// The face of a brick that looks against direction `d` of `axis`.
        func face(_ axis: Int, _ d: Int, _ word: Int) -> UInt64 {
            switch axis {
            case 0: word == (d > 0 ? 0 : 7) ? .max : 0
            case 1: d > 0 ? 0xff : 0xff << 56
            default: d > 0 ? 0x0101_0101_0101_0101 : 0x8080_8080_8080_8080
            }
        }
        // The gaps below the lowest and above the highest brick of a column, and all of a column without bricks, are
        // open to the outside; so is everything beside the outermost columns.
        for column in 0..<columns.count {
            enterGap(columns.gaps(column).first!)
            enterGap(columns.gaps(column).last!)
            if columns.isOnRim(column) {
                for gap in columns.gaps(column) { enterGap(gap) }
                for (axis, d) in columns.outerSides(column) {
                    for brick in columns.bricks(column) { enter(brick) { face(axis, d, $0) } }
                }
            }
        }
        while let place = work.popLast() {
            switch place {
            case .gap(let gap):
                let column = columns.column(ofGap: gap)
                guard let (low, high) = columns.range(ofGap: gap, bricks) else { continue }
                if let below = columns.brickBelow(gap: gap) { enter(below) { face(2, -1, $0) } }
                if let above = columns.brickAbove(gap: gap) { enter(above) { face(2, 1, $0) } }
                for (axis, d, neighbour) in columns.neighbours(column) {
                    for brick in columns.bricks(neighbour, from: low, through: high, bricks) {
                        enter(brick) { face(axis, d, $0) }
                    }
                    for gap in columns.gaps(neighbour, from: low, through: high, bricks) { enterGap(gap) }
                }
            case .brick(let brick):
                spread(reached + 8 * brick, walls + 8 * brick)
                let own = reached + 8 * brick
                let position = bricks[brick]
                for (axis, d) in [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)] {
                    // What leaves through the face comes in at the opposite face of the neighbour.
                    func crossing(_ word: Int) -> UInt64 {
                        switch axis {
                        case 0: word == (d > 0 ? 0 : 7) ? own[7 - word] : 0
                        case 1: d > 0 ? own[word] >> 56 : own[word] << 56
                        default:
                            d > 0
                                ? own[word] >> 7 & 0x0101_0101_0101_0101 : own[word] << 7 & 0x8080_8080_8080_8080
                        }
                    }
                    guard (0..<8).contains(where: { crossing($0) != 0 }) else { continue }
                    var next = position
                    switch axis {
                    case 0: next.x += Int32(d)
                    case 1: next.y += Int32(d)
                    default: next.z += Int32(d)
                    }
                    guard let column = columns.column(of: next) else { continue }
                    switch columns.place(next.z, column, bricks) {
                    case .brick(let other): enter(other, crossing)
                    case .gap(let gap): enterGap(gap)
                    }
                }
            }
        }
    }

    /// Floods a brick from what is reached in it, as far as its walls let it.
    private static func spread(_ reached: UnsafeMutablePointer<UInt64>, _ walls: UnsafePointer<UInt64>) {
        var changed = true
        while changed {
            changed = false
            for word in 0..<8 {
                let own = reached[word]
                var grown = own | own << 8 | own >> 8
                grown |= (own & 0x7f7f_7f7f_7f7f_7f7f) << 1 | (own & 0xfefe_fefe_fefe_fefe) >> 1
                if word > 0 { grown |= reached[word - 1] }
                if word < 7 { grown |= reached[word + 1] }
                grown &= ~walls[word]
                if grown != own {
                    reached[word] = grown
                    changed = true
                }
            }
        }
    }
}
