import SSDFCore
import SSDFTensor
import SSDFVolume

/// The values of a volume by cells of 2×2×2 voxels: what the encoder's first step reads.
struct VoxelCells: ~Copyable {
    /// `[N]`, those of a cell together, in the network's units.
    let values: Buffer<Float>
    /// `[cells + 1]`
    let starts: Buffer<Int32>
    /// `[cells]`, in units of two voxels, in the order of bricks.
    let coordinates: CoordinateSet
    /// Mean of the values, and of their squares.
    let mean: Double
    let meanSquare: Double

    /// Voxels farther from the surface than the truncation, and those outside the cube, are left out: the network never
    /// saw such.
    /// - Throws: `badData` when a value is not a number or no voxel is left.
    /// - Complexity: O(bricks · 512).
    init(_ volume: borrowing SparseVolume, scale: DistanceScale, threads: Int) throws(Failure) {
        let bricks = volume.brickCount
        let reader = BrickReader(volume, scale: scale)
        // A first pass counts, a second one writes to places that the counts give.
        let counts = parallelMap(bricks, threads: threads, grain: 64) { brick in reader.count(brick) }
        var cellStarts = [0]
        var valueStarts = [0]
        for count in counts {
            cellStarts.append(cellStarts.last! + count.cells)
            valueStarts.append(valueStarts.last! + count.values)
        }
        let (cells, total) = (cellStarts.last!, valueStarts.last!)
        let place = "grid \"\(volume.metadata.name)\""
        if let wrong = counts.lazy.compactMap(\.notFinite).first {
            throw .badData(
                place: "\(place), voxel (\(wrong.x), \(wrong.y), \(wrong.z))", "a value that is not a number",
                expected: "a distance")
        }
        guard total > 0 else {
            throw .badData(
                place: place, "no voxel of the cube within \(rounded(scale.truncation)) of the surface",
                expected: "at least one")
        }
        let values = Buffer<Float>(uninitialized: total)
        let starts = Buffer<Int32>(uninitialized: cells + 1)
        let rows = Buffer<SIMD4<Int32>>(uninitialized: cells)
        let (valuesPointer, startsPointer, rowsPointer) = (
            Unchecked(values.pointer), Unchecked(starts.pointer), Unchecked(rows.pointer)
        )
        let (firstCells, firstValues) = (cellStarts, valueStarts)
        let sums = parallelMap(bricks, threads: threads, grain: 64) { brick in
            reader.write(
                brick, values: valuesPointer.value, firstValue: firstValues[brick],
                starts: startsPointer.value + firstCells[brick], rows: rowsPointer.value + firstCells[brick])
        }
        starts.pointer[cells] = Int32(total)
        let coordinates = try CoordinateSet(rows)
        mean = sums.reduce(0) { $0 + $1.sum } / Double(total)
        meanSquare = sums.reduce(0) { $0 + $1.squares } / Double(total)
        self.coordinates = coordinates
        self.values = values
        self.starts = starts
        withExtendedLifetime(volume.values.count) {}
    }
}

/// Reads the cells of one brick. Valid while the volume lives.
private struct BrickReader: @unchecked Sendable {
    let bricks: UnsafePointer<BrickCoordinate>
    let masks: UnsafePointer<UInt64>
    let offsets: UnsafePointer<Int>
    let values: UnsafePointer<Float>
    let truncation: Float
    let factor: Float
    /// Bricks along a side of the cube.
    let side: Int32

    init(_ volume: borrowing SparseVolume, scale: DistanceScale) {
        bricks = UnsafePointer(volume.bricks.pointer)
        masks = UnsafePointer(volume.masks.pointer)
        offsets = UnsafePointer(volume.offsets.pointer)
        values = UnsafePointer(volume.values.pointer)
        side = Int32(volume.metadata.resolution / 8)
        // The last of the band is stored as exactly the truncation, which rounding may have moved.
        truncation = Float(scale.truncation * (1 + 1e-6))
        factor = Float(scale.scale / scale.truncation)
    }

    struct Count: Sendable {
        var cells = 0
        var values = 0
        var notFinite: VoxelCoordinate?
    }

    /// The distances of a brick; NaN where it has none or one beyond the truncation.
    private func load(_ brick: Int, into dense: UnsafeMutablePointer<Float>) -> VoxelCoordinate? {
        var row = offsets[brick]
        var notFinite: VoxelCoordinate?
        dense.update(repeating: .nan, count: 512)
        let (b, range) = (bricks[brick], 0..<side)
        guard range.contains(b.x), range.contains(b.y), range.contains(b.z) else { return nil }
        for word in 0..<8 {
            var bits = masks[brick * 8 + word]
            while bits != 0 {
                let bit = word << 6 | bits.trailingZeroBitCount
                let value = values[row]
                if !value.isFinite { notFinite = notFinite ?? bricks[brick].voxel(atBit: bit) }
                if abs(value) <= truncation { dense[bit] = value }
                row &+= 1
                bits &= bits &- 1
            }
        }
        return notFinite
    }

    /// Calls `body` with each cell of a brick and the places of its voxels, x outermost.
    @inline(__always)
    private func forEachCell(_ body: (_ x: Int32, _ y: Int32, _ z: Int32, _ first: Int) -> Void) {
        for x in 0..<4 {
            for y in 0..<4 {
                for z in 0..<4 { body(Int32(x), Int32(y), Int32(z), x << 7 | y << 4 | z << 1) }
            }
        }
    }

    /// Places of a cell's voxels relative to its first.
    private static let members = (0..<8).map { ($0 >> 2) << 6 | ($0 >> 1 & 1) << 3 | $0 & 1 }

    func count(_ brick: Int) -> Count {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 512) { dense in
            var count = Count()
            let values = dense.baseAddress!
            count.notFinite = load(brick, into: values)
            forEachCell { _, _, _, first in
                var filled = 0
                for member in Self.members where !values[first + member].isNaN { filled += 1 }
                if filled > 0 { count.cells += 1 }
                count.values += filled
            }
            return count
        }
    }

    func write(
        _ brick: Int, values target: UnsafeMutablePointer<Float>, firstValue: Int,
        starts: UnsafeMutablePointer<Int32>, rows: UnsafeMutablePointer<SIMD4<Int32>>
    ) -> (sum: Double, squares: Double) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 512) { dense in
            let values = dense.baseAddress!
            _ = load(brick, into: values)
            let origin = bricks[brick]
            var (cell, next) = (0, firstValue)
            var (sum, squares) = (0.0, 0.0)
            forEachCell { x, y, z, first in
                let start = next
                for member in Self.members where !values[first + member].isNaN {
                    let value = values[first + member] * factor
                    target[next] = value
                    sum += Double(value)
                    squares += Double(value) * Double(value)
                    next += 1
                }
                guard next > start else { return }
                starts[cell] = Int32(start)
                rows[cell] = SIMD4(0, origin.x &* 4 &+ x, origin.y &* 4 &+ y, origin.z &* 4 &+ z)
                cell += 1
            }
            return (sum, squares)
        }
    }
}
