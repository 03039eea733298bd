import SSDFCore
import SSDFVolume

/// The bricks of a volume by column (x, y), and the gaps below, between and above them: a column of n bricks has
/// n + 1 gaps, empty where bricks touch.
struct BrickColumns: ~Copyable {
    enum Place { case brick(Int), gap(Int) }

    private let low: SIMD2<Int32>
    private let size: SIMD2<Int>
    private let starts: [Int]

    init(_ volume: borrowing SparseVolume) {
        var low = SIMD2<Int32>(.max, .max)
        var high = SIMD2<Int32>(.min, .min)
        for n in 0..<volume.brickCount {
            let b = volume.bricks.pointer[n]
            low = pointwiseMin(low, SIMD2(b.x, b.y))
            high = pointwiseMax(high, SIMD2(b.x, b.y))
        }
        self.low = low
        size = SIMD2(Int(high.x - low.x) + 1, Int(high.y - low.y) + 1)
        var starts = [Int](repeating: 0, count: size.x * size.y + 1)
        for n in 0..<volume.brickCount {
            let b = volume.bricks.pointer[n]
            starts[Int(b.x - low.x) * size.y + Int(b.y - low.y) + 1] += 1
        }
        for column in 0..<size.x * size.y { starts[column + 1] += starts[column] }
        self.starts = starts
    }

    var count: Int { size.x * size.y }
    var gapCount: Int { starts[count] + count }

    func bricks(_ column: Int) -> Range<Int> { starts[column]..<starts[column + 1] }
    func gaps(_ column: Int) -> Range<Int> { starts[column] + column..<starts[column + 1] + column + 1 }

    func isOnRim(_ column: Int) -> Bool {
        let (x, y) = (column / size.y, column % size.y)
        return x == 0 || y == 0 || x == size.x - 1 || y == size.y - 1
    }

    /// Directions in which the flood comes in from beside the grid.
    func outerSides(_ column: Int) -> [(Int, Int)] {
        let (x, y) = (column / size.y, column % size.y)
        var sides: [(Int, Int)] = []
        if x == 0 { sides.append((0, 1)) }
        if x == size.x - 1 { sides.append((0, -1)) }
        if y == 0 { sides.append((1, 1)) }
        if y == size.y - 1 { sides.append((1, -1)) }
        return sides
    }

    func neighbours(_ column: Int) -> [(axis: Int, direction: Int, column: Int)] {
        let (x, y) = (column / size.y, column % size.y)
        var all: [(Int, Int, Int)] = []
        if x > 0 { all.append((0, -1, column - size.y)) }
        if x < size.x - 1 { all.append((0, 1, column + size.y)) }
        if y > 0 { all.append((1, -1, column - 1)) }
        if y < size.y - 1 { all.append((1, 1, column + 1)) }
        return all
    }

    func column(of brick: BrickCoordinate) -> Int? {
        let (x, y) = (Int(brick.x - low.x), Int(brick.y - low.y))
        return x >= 0 && y >= 0 && x < size.x && y < size.y ? x * size.y + y : nil
    }

    /// The column whose gaps include `gap`: gap numbers are brick numbers plus the column's.
    func column(ofGap gap: Int) -> Int {
        var (a, b) = (0, count)
        while b - a > 1 {
            let middle = (a + b) / 2
            if starts[middle] + middle <= gap { a = middle } else { b = middle }
        }
        return a
    }

    /// Heights of absent bricks in a gap, or nil when it is empty.
    func range(ofGap gap: Int, _ positions: UnsafePointer<BrickCoordinate>) -> (Int32, Int32)? {
        let low = brickBelow(gap: gap).map { positions[$0].z + 1 } ?? .min
        let high = brickAbove(gap: gap).map { positions[$0].z - 1 } ?? .max
        return low <= high ? (low, high) : nil
    }

    func brickBelow(gap: Int) -> Int? {
        let column = column(ofGap: gap)
        let brick = gap - column - 1
        return brick >= starts[column] ? brick : nil
    }

    func brickAbove(gap: Int) -> Int? {
        let column = column(ofGap: gap)
        let brick = gap - column
        return brick < starts[column + 1] ? brick : nil
    }

    /// First brick of a column at or above a height.
    private func firstBrick(_ column: Int, from z: Int32, _ positions: UnsafePointer<BrickCoordinate>) -> Int {
        var (a, b) = (starts[column], starts[column + 1])
        while a < b {
            let middle = (a + b) / 2
            if positions[middle].z < z { a = middle + 1 } else { b = middle }
        }
        return a
    }

    func bricks(
        _ column: Int, from low: Int32, through high: Int32, _ positions: UnsafePointer<BrickCoordinate>
    ) -> Range<Int> {
        let first = firstBrick(column, from: low, positions)
        var last = first
        while last < starts[column + 1], positions[last].z <= high { last += 1 }
        return first..<last
    }

    func gaps(
        _ column: Int, from low: Int32, through high: Int32, _ positions: UnsafePointer<BrickCoordinate>
    ) -> [Int] {
        let first = firstBrick(column, from: low, positions) + column
        var all: [Int] = []
        var gap = first
        while gap < starts[column + 1] + column + 1 {
            let below = brickBelow(gap: gap).map { positions[$0].z + 1 } ?? .min
            if below > high { break }
            if let (a, b) = range(ofGap: gap, positions), a <= high, b >= low { all.append(gap) }
            gap += 1
        }
        return all
    }

    func place(_ z: Int32, _ column: Int, _ positions: UnsafePointer<BrickCoordinate>) -> Place {
        let brick = firstBrick(column, from: z, positions)
        if brick < starts[column + 1], positions[brick].z == z { return .brick(brick) }
        return .gap(brick + column)
    }
}
