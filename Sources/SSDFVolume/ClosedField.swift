import SSDFCore

/// The dense volume that a sparse one stands for, with a closed surface; see `SparseVolume.close(threads:)`. Valid while
/// the volume lives.
///
/// Brick states, by position in the cube: held by the volume; continued, with values of its own; or constant.
final class ClosedField: @unchecked Sendable {
    /// Bricks along a side of the cube.
    private let side: Int
    private let threads: Int
    private let bricks: UnsafePointer<BrickCoordinate>
    private let brickCount: Int
    private let values: UnsafePointer<Float>
    private let iso: Float
    private let exactIso: Double
    /// The background's distance from the level.
    private let unit: Float
    /// `[side³]`: the row of a held brick; −1 elsewhere.
    private var rows: [Int32]
    /// `[side³]`: of bricks that are not held, the value in units of `unit`, −1 … 1, positive outside.
    private var level: [Float]
    /// Positions of continued bricks, ascending, and of each brick its index among them, or −1.
    private var continued: [Int] = []
    private var place: [Int32]
    /// `[continued, 512]`, in units of `unit`.
    private var filled: [Float] = []
    /// Whether a voxel of the cube's outermost layer lies inside.
    private(set) var reachesBorder = false

    var continuedCount: Int { continued.count }

    /// How far outside a voxel of the cube's outermost layer lies at least, in units of `unit`.
    private static let margin: Float = 0.25
    /// How far from the level continued values are at least.
    private static let least: Float = 1e-4

    init(_ volume: borrowing SparseVolume, threads: Int) {
        let metadata = volume.metadata
        precondition(metadata.resolution > 0 && metadata.resolution % 8 == 0, "a cube of whole bricks")
        side = metadata.resolution / 8
        self.threads = threads
        bricks = UnsafePointer(volume.bricks.pointer)
        brickCount = volume.brickCount
        values = UnsafePointer(volume.values.pointer)
        iso = Float(metadata.isoValue)
        exactIso = metadata.isoValue
        unit = Float(metadata.background > 0 ? metadata.background : metadata.voxelSize)
        let total = side * side * side
        rows = [Int32](repeating: -1, count: total)
        level = [Float](repeating: 1, count: total)
        place = [Int32](repeating: -1, count: total)
        for brick in 0..<brickCount {
            let b = bricks[brick]
            let range = 0..<Int32(side)
            precondition(range.contains(b.x) && range.contains(b.y) && range.contains(b.z), "bricks inside the cube")
            rows[index(b.x, b.y, b.z)] = Int32(brick)
        }
        reachesBorder = (0..<brickCount).contains { brick in
            isAtBorder(bricks[brick]) && borderBits(bricks[brick]).contains { isInside(brick: brick, $0) }
        }
        let gaps = labelRegions()
        if !gaps.isEmpty { solve(gaps) }
        chooseContinued()
        if !continued.isEmpty { solveContinued() }
    }

    // MARK: The dense volume

    /// The value of a held brick's voxel in units of `unit`, 0 at the level.
    private subscript(brick: Int, bit: Int) -> Float { (values[brick * 512 + bit] - iso) / unit }

    /// The 512 values of a brick, as the volume holds values.
    func fill(_ brick: BrickCoordinate, _ target: UnsafeMutablePointer<Float>) {
        let position = index(brick.x, brick.y, brick.z)
        if rows[position] >= 0 {
            target.update(from: values + Int(rows[position]) * 512, count: 512)
        } else {
            // A value beyond the background says no more than the background.
            for bit in 0..<512 { target[bit] = min(max(iso + dense(position, bit) * unit, -unit), unit) }
        }
        guard isAtBorder(brick) else { return }
        for bit in borderBits(brick) { target[bit] = max(target[bit], iso + Self.margin * unit) }
    }

    /// The value of a voxel, the cube's border apart.
    private func dense(_ position: Int, _ bit: Int) -> Float {
        if rows[position] >= 0 { return self[Int(rows[position]), bit] }
        return place[position] >= 0 ? filled[Int(place[position]) * 512 + bit] : level[position]
    }

    private func isInside(_ position: Int, _ bit: Int) -> Bool {
        rows[position] >= 0 ? isInside(brick: Int(rows[position]), bit) : dense(position, bit) < 0
    }

    /// As extraction decides it.
    private func isInside(brick: Int, _ bit: Int) -> Bool { Double(values[brick * 512 + bit]) < exactIso }

    /// The bricks that the volume lacks and its surface needs, ascending: the continued ones, and those that touch a cell
    /// which the surface passes.
    func missingBricks() -> [BrickCoordinate] {
        let total = side * side * side
        let needed = parallelMap(total, threads: threads, grain: 256) { position -> Bool in
            guard self.rows[position] < 0 else { return false }
            if self.place[position] >= 0 { return true }
            // Only next to other voxels can a constant brick be passed.
            let own = self.level[position] < 0
            let (x, y, z) = self.coordinates(position)
            for number in 0..<27 where number != 13 {
                let step = (number / 9 - 1, number / 3 % 3 - 1, number % 3 - 1)
                guard let other = self.position(x + step.0, y + step.1, z + step.2) else { continue }
                guard self.rows[other] >= 0 || self.place[other] >= 0 || (self.level[other] < 0) != own else {
                    continue
                }
                if Self.touching[number].contains(where: { self.isInside(other, $0) != own }) { return true }
            }
            return false
        }
        return needed.indices.filter { needed[$0] }.map { position in
            let (x, y, z) = coordinates(position)
            return BrickCoordinate(Int32(x), Int32(y), Int32(z))
        }
    }

    /// Of each of the 27 bricks around and including one, the bits whose voxels touch the one in the middle.
    private static let touching: [[Int]] = (0..<27).map { number in
        let step = [number / 9 - 1, number / 3 % 3 - 1, number % 3 - 1]
        return (0..<512).filter { bit in
            zip([bit >> 6, bit >> 3 & 7, bit & 7], step).allSatisfy { $1 == 0 || $0 == ($1 > 0 ? 0 : 7) }
        }
    }

    // MARK: Signs of missing bricks

    /// Gives every region of missing bricks its sign; returns the positions of regions that touch both signs, ascending.
    private func labelRegions() -> [Int] {
        let total = side * side * side
        var seen = [Bool](repeating: false, count: total)
        var gaps: [Int] = []
        for start in 0..<total where rows[start] < 0 && !seen[start] {
            var region = [start]
            var (touchesInside, touchesOutside) = (false, false)
            seen[start] = true
            var next = 0
            while next < region.count {
                let position = region[next]
                next += 1
                forEachNeighbour(position) { direction, neighbour in
                    guard let neighbour else {
                        touchesOutside = true
                        return
                    }
                    if rows[neighbour] >= 0 {
                        for bit in Self.faces[direction] {
                            if isInside(neighbour, bit) { touchesInside = true } else { touchesOutside = true }
                        }
                    } else if !seen[neighbour] {
                        seen[neighbour] = true
                        region.append(neighbour)
                    }
                }
            }
            if touchesInside, touchesOutside {
                gaps += region
            } else {
                for position in region { level[position] = touchesInside ? -1 : 1 }
            }
        }
        return gaps.sorted()
    }

    /// The harmonic function on missing bricks between the means of their neighbours' faces, by successive
    /// over-relaxation in two colours, so that the result does not depend on threads.
    private func solve(_ gaps: [Int]) {
        var isGap = [Bool](repeating: false, count: rows.count)
        for position in gaps { isGap[position] = true }
        // What is known around each brick: the sum of neighbours' faces.
        let known = parallelMap(gaps.count, threads: threads, grain: 64) { number -> Float in
            var sum: Float = 0
            self.forEachNeighbour(gaps[number]) { direction, neighbour in
                guard let neighbour else { return sum += 1 }
                guard self.rows[neighbour] >= 0 else { return }
                let row = Int(self.rows[neighbour])
                var face: Float = 0
                for bit in Self.faces[direction] { face += min(max(self[row, bit], -1), 1) }
                sum += face / 64
            }
            return sum
        }
        for (number, position) in gaps.enumerated() { level[position] = known[number] / 6 }
        let factor = 2 / (1 + Float(3.14159265) / Float(max(side, 4)))
        let colours = [0, 1].map { colour in
            gaps.indices.filter { number in
                let (x, y, z) = coordinates(gaps[number])
                return (x + y + z) % 2 == colour
            }
        }
        level.withUnsafeMutableBufferPointer { level in
            let level = Unchecked(level.baseAddress!)
            for _ in 0..<4 * side + 64 {
                for colour in colours {
                    parallelFor(colour.count, threads: threads, grain: 4096) { range in
                        for index in range {
                            let position = gaps[colour[index]]
                            var sum = known[colour[index]]
                            self.forEachNeighbour(position) { _, neighbour in
                                if let neighbour, self.rows[neighbour] < 0 { sum += level.value[neighbour] }
                            }
                            level.value[position] += factor * (sum / 6 - level.value[position])
                        }
                    }
                }
            }
        }
        for position in gaps { level[position] = level[position] < 0 ? -1 : 1 }
    }

    // MARK: Continued bricks

    /// Missing bricks beside which the sign changes: there the surface goes on.
    private func chooseContinued() {
        let total = side * side * side
        let isContinued = parallelMap(total, threads: threads, grain: 256) { position -> Bool in
            guard self.rows[position] < 0 else { return false }
            let own = self.level[position] < 0
            var changes = false
            self.forEachNeighbour(position) { direction, neighbour in
                guard !changes else { return }
                guard let neighbour else {
                    changes = own
                    return
                }
                changes =
                    self.rows[neighbour] >= 0
                    ? Self.faces[direction].contains { self.isInside(neighbour, $0) != own }
                    : (self.level[neighbour] < 0) != own
            }
            return changes
        }
        continued = isContinued.indices.filter { isContinued[$0] }
        filled = []
        filled.reserveCapacity(continued.count * 512)
        for (number, position) in continued.enumerated() {
            filled.append(contentsOf: repeatElement(level[position], count: 512))
            place[position] = Int32(number)
        }
    }

    /// The harmonic function in the continued bricks between the voxels around them.
    private func solveContinued() {
        let factor: Float = 1.8
        filled.withUnsafeMutableBufferPointer { filled in
            let filled = Unchecked(filled.baseAddress!)
            for _ in 0..<128 {
                for colour in 0..<2 {
                    parallelFor(continued.count, threads: threads, grain: 4) { range in
                        for number in range {
                            self.relax(number, colour: colour, factor: factor, filled.value)
                        }
                    }
                }
            }
            // What rounds to the level would have another sign in the volume than here.
            for index in 0..<continued.count * 512 where abs(filled.value[index]) < Self.least {
                filled.value[index] = filled.value[index] < 0 ? -Self.least : Self.least
            }
        }
    }

    /// Moves the voxels of one colour of a brick towards the mean of their neighbours, which are all of the other.
    private func relax(_ number: Int, colour: Int, factor: Float, _ filled: UnsafeMutablePointer<Float>) {
        let own = filled + number * 512
        let (bx, by, bz) = coordinates(continued[number])
        /// A voxel outside the brick.
        func outer(_ x: Int, _ y: Int, _ z: Int) -> Float {
            let step = (x >> 3, y >> 3, z >> 3)
            guard let other = position(bx + step.0, by + step.1, bz + step.2) else { return 1 }
            let bit = (x & 7) << 6 | (y & 7) << 3 | z & 7
            if place[other] >= 0 { return filled[Int(place[other]) * 512 + bit] }
            return rows[other] >= 0 ? min(max(self[Int(rows[other]), bit], -1), 1) : level[other]
        }
        // Bricks are even along every axis, so colours agree across them.
        for x in 0..<8 {
            for y in 0..<8 {
                for z in stride(from: (x + y + colour) & 1, to: 8, by: 2) {
                    let bit = x << 6 | y << 3 | z
                    var sum = x > 0 ? own[bit - 64] : outer(x - 1, y, z)
                    sum += x < 7 ? own[bit + 64] : outer(x + 1, y, z)
                    sum += y > 0 ? own[bit - 8] : outer(x, y - 1, z)
                    sum += y < 7 ? own[bit + 8] : outer(x, y + 1, z)
                    sum += z > 0 ? own[bit - 1] : outer(x, y, z - 1)
                    sum += z < 7 ? own[bit + 1] : outer(x, y, z + 1)
                    own[bit] += factor * (sum / 6 - own[bit])
                }
            }
        }
    }

    // MARK: Places

    private func index(_ x: Int32, _ y: Int32, _ z: Int32) -> Int { (Int(x) * side + Int(y)) * side + Int(z) }

    private func coordinates(_ position: Int) -> (Int, Int, Int) {
        (position / (side * side), position / side % side, position % side)
    }

    /// Nil outside the cube.
    @inline(__always)
    private func position(_ x: Int, _ y: Int, _ z: Int) -> Int? {
        guard x >= 0, y >= 0, z >= 0, x < side, y < side, z < side else { return nil }
        return (x * side + y) * side + z
    }

    /// Calls `body` for the six neighbours; nil is outside the cube.
    @inline(__always)
    private func forEachNeighbour(_ position: Int, _ body: (_ direction: Int, Int?) -> Void) {
        let (x, y, z) = coordinates(position)
        body(0, x > 0 ? position - side * side : nil)
        body(1, x + 1 < side ? position + side * side : nil)
        body(2, y > 0 ? position - side : nil)
        body(3, y + 1 < side ? position + side : nil)
        body(4, z > 0 ? position - 1 : nil)
        body(5, z + 1 < side ? position + 1 : nil)
    }

    /// Bits of a neighbour's voxels that face the brick, by the direction in which it lies.
    private static let faces: [[Int]] = (0..<6).map { direction in
        (0..<64).map { number in
            let fixed = direction % 2 == 0 ? 7 : 0
            switch direction / 2 {
            case 0: return fixed << 6 | number
            case 1: return (number >> 3) << 6 | fixed << 3 | number & 7
            default: return (number >> 3) << 6 | (number & 7) << 3 | fixed
            }
        }
    }

    private func isAtBorder(_ brick: BrickCoordinate) -> Bool {
        let last = Int32(side - 1)
        return brick.x == 0 || brick.y == 0 || brick.z == 0 || brick.x == last || brick.y == last || brick.z == last
    }

    /// Bits of a brick's voxels in the cube's outermost layer.
    private func borderBits(_ brick: BrickCoordinate) -> [Int] {
        let last = Int32(8 * side - 1)
        return (0..<512).filter { bit in
            let v = brick.voxel(atBit: bit)
            return v.x == 0 || v.y == 0 || v.z == 0 || v.x == last || v.y == last || v.z == last
        }
    }
}
