import SSDFCore

/// Winding numbers of a closed chain of triangles at the voxels of one column.
///
/// Along every line of voxels in z the winding number changes only where the line crosses a triangle, by one, down
/// when it leaves through an outward face. The crossings of all lines are found by slicing the triangles with the
/// planes x = i and the slices with the lines y = j. Each slice's end on an edge is computed from the edge's two ends in
/// one order, so that two triangles that share the edge agree to the last bit: a closed chain gives sums of exactly
/// zero far away, with no special case for lines through edges and vertices.
struct WindingLines: ~Copyable {
    static let width = ColumnGrid.width
    /// Crossings: line << 40 | (voxel + 2³¹) << 8 | (change + 128), where `voxel` is the first z at or beyond it.
    private var found = ScratchBuffer<UInt64>(capacity: 4096)
    private var sorted = ScratchBuffer<UInt64>(capacity: 4096)
    private var starts = ScratchBuffer<Int32>(capacity: width * width + 1)
    /// Next crossing and winding number below it, for each line, as `brick` moves up.
    private var cursors = ScratchBuffer<Int32>(capacity: width * width)
    private var windings = ScratchBuffer<Int32>(capacity: width * width)

    init() {}

    /// Forgets all crossings.
    mutating func begin() { found.count = 0 }

    /// Adds the crossings of a triangle, counted `weight` times, with the lines of the column at voxels `x0`, `y0`.
    /// Unsigned, every crossing counts up, whichever way the triangle faces.
    mutating func add(
        _ corners: (Vector3d, Vector3d, Vector3d), weight: Int, isSigned: Bool = true, x0: Int, y0: Int
    ) {
        let (a, b, c) = corners
        let lowX = min(a.x, b.x, c.x)
        let highX = max(a.x, b.x, c.x)
        let lowY = min(a.y, b.y, c.y)
        let highY = max(a.y, b.y, c.y)
        // A plane x = i cuts the triangle when low < i ≤ high.
        let i0 = max(x0, Int(lowX.rounded(.down)) + 1)
        let i1 = min(x0 + Self.width - 1, Int(highX.rounded(.down)))
        guard i0 <= i1, highY >= Double(y0), lowY < Double(y0 + Self.width) else { return }
        for i in i0...i1 {
            let x = Double(i)
            var entry = SIMD2<Double>()
            var exit = SIMD2<Double>()
            slice(a, b, x, &entry, &exit)
            slice(b, c, x, &entry, &exit)
            slice(c, a, x, &entry, &exit)
            let upwards = entry.x < exit.x
            let (from, to) = upwards ? (entry, exit) : (exit, entry)
            let j0 = max(y0, Int(from.x.rounded(.down)) + 1)
            let j1 = min(y0 + Self.width - 1, Int(to.x.rounded(.down)))
            guard j0 <= j1 else { continue }
            // An outward face towards +z is left on the way up.
            let change = upwards && isSigned ? -weight : weight
            let slope = (to.y - from.y) / (to.x - from.x)
            for j in j0...j1 {
                let z = from.y + (Double(j) - from.x) * slope
                let voxel = Int(max(-0x1p30, min(0x1p30, z.rounded(.down)))) + 1
                let line = (i - x0) * Self.width + (j - y0)
                found.append(UInt64(line) << 40 | UInt64(voxel + 1 << 31) << 8 | UInt64(change + 128))
            }
        }
    }

    /// Where the edge from `p` to `q` passes the plane: an entry when it goes up in x, an exit when down.
    @inline(__always)
    private func slice(
        _ p: Vector3d, _ q: Vector3d, _ x: Double, _ entry: inout SIMD2<Double>, _ exit: inout SIMD2<Double>
    ) {
        if p.x < x, q.x >= x {
            let t = (x - p.x) / (q.x - p.x)
            entry = SIMD2(p.y + t * (q.y - p.y), p.z + t * (q.z - p.z))
        } else if q.x < x, p.x >= x {
            let t = (x - q.x) / (p.x - q.x)
            exit = SIMD2(q.y + t * (p.y - q.y), q.z + t * (p.z - q.z))
        }
    }

    /// Sorts the crossings, so that `brick` can be asked from the lowest brick upwards.
    mutating func finish() {
        let lines = Self.width * Self.width
        let count = found.count
        sorted.reserve(count)
        for line in 0...lines { starts.pointer[line] = 0 }
        for n in 0..<count { starts.pointer[Int(found.pointer[n] >> 40) + 1] += 1 }
        for line in 0..<lines {
            starts.pointer[line + 1] += starts.pointer[line]
            cursors.pointer[line] = starts.pointer[line]
            windings.pointer[line] = 0
        }
        for n in 0..<count {
            let crossing = found.pointer[n]
            let line = Int(crossing >> 40)
            // Insertion keeps the line sorted by z; lines have few crossings.
            var place = Int(cursors.pointer[line])
            cursors.pointer[line] += 1
            while place > starts.pointer[line], sorted.pointer[place - 1] > crossing {
                sorted.pointer[place] = sorted.pointer[place - 1]
                place -= 1
            }
            sorted.pointer[place] = crossing
        }
        for line in 0..<lines { cursors.pointer[line] = starts.pointer[line] }
    }

    /// The winding numbers, ≥ 1 as set bits, of the brick whose first voxel is at (x, y) in the column and `z`.
    /// Bricks of one (x, y) must be asked for in ascending z.
    mutating func brick(x: Int, y: Int, z: Int, inside: UnsafeMutablePointer<UInt64>) {
        for i in 0..<8 {
            var word: UInt64 = 0
            for j in 0..<8 {
                let line = (x + i) * Self.width + y + j
                let (cursor, winding) = advance(line, to: z)
                let end = starts.pointer[line + 1]
                var byte: UInt64 = winding >= 1 ? 0xff : 0
                var next = cursor
                var sum = winding
                while next < end {
                    let crossing = sorted.pointer[Int(next)]
                    let offset = Int(crossing >> 8 & 0xffff_ffff) - (1 << 31) - z
                    guard offset < 8 else { break }
                    sum += Int32(crossing & 0xff) - 128
                    let above: UInt64 = 0xff << UInt64(offset) & 0xff
                    byte = sum >= 1 ? byte | above : byte & ~above
                    next += 1
                }
                word |= byte << UInt64(8 * j)
            }
            inside[i] = word
        }
    }

    /// The winding numbers themselves, `[512]` in mask order. Same order of calls as `brick`.
    mutating func windings(x: Int, y: Int, z: Int, into out: UnsafeMutablePointer<Int32>) {
        for i in 0..<8 {
            for j in 0..<8 {
                let line = (x + i) * Self.width + y + j
                var (next, sum) = advance(line, to: z)
                let end = starts.pointer[line + 1]
                for k in 0..<8 {
                    while next < end, Int(sorted.pointer[Int(next)] >> 8 & 0xffff_ffff) - (1 << 31) <= z + k {
                        sum += Int32(sorted.pointer[Int(next)] & 0xff) - 128
                        next += 1
                    }
                    out[i * 64 + j * 8 + k] = sum
                }
            }
        }
    }

    /// Moves a line's cursor past the crossings at or below voxel `z`.
    @inline(__always)
    private mutating func advance(_ line: Int, to z: Int) -> (cursor: Int32, winding: Int32) {
        var cursor = cursors.pointer[line]
        let end = starts.pointer[line + 1]
        var winding = windings.pointer[line]
        while cursor < end {
            let crossing = sorted.pointer[Int(cursor)]
            guard Int(crossing >> 8 & 0xffff_ffff) - (1 << 31) <= z else { break }
            winding += Int32(crossing & 0xff) - 128
            cursor += 1
        }
        cursors.pointer[line] = cursor
        windings.pointer[line] = winding
        return (cursor, winding)
    }
}
