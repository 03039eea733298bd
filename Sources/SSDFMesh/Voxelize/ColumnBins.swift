import SSDFCore

/// The columns that cover a band: 32×32 voxels across and as long as the grid in z, numbered x-major.
struct ColumnGrid: Sendable {
    /// Voxels across a column.
    static let width = 32
    /// Position of the first column, in columns.
    let firstX: Int, firstY: Int
    let countX: Int, countY: Int

    /// Columns that hold every voxel within `reach` voxels of a box.
    init(box: Box3d, reach: Double) {
        let width = Double(Self.width)
        firstX = Int(((box.minimum.x - reach) / width).rounded(.down))
        firstY = Int(((box.minimum.y - reach) / width).rounded(.down))
        countX = Int(((box.maximum.x + reach) / width).rounded(.down)) - firstX + 1
        countY = Int(((box.maximum.y + reach) / width).rounded(.down)) - firstY + 1
    }

    var count: Int { countX * countY }

    /// Its first voxel in x and y.
    func origin(_ column: Int) -> (x: Int, y: Int) {
        ((firstX + column / countY) * Self.width, (firstY + column % countY) * Self.width)
    }
}

/// The triangles near each column of a grid.
///
/// Triangles are listed in ascending order, whatever the number of threads: each of a fixed set of chunks counts, then
/// fills its own part of every list.
struct ColumnBins: ~Copyable, Sendable {
    /// `[countX·countY + 1]`: where each column's list starts.
    let starts: Buffer<Int>
    let triangles: Buffer<UInt32>

    /// Lists the triangles whose distance from a column may be at most `reach` voxels.
    /// - Complexity: O(triangles + columns under their boxes).
    init(_ mesh: IndexedTriangles, reach: Double, grid: ColumnGrid, threads: Int) {
        let columns = grid.count
        // Sixteen chunks keep many threads busy; fewer when there are so many columns that the counts would be large.
        let chunks = max(1, min(16, min((4 << 20) / columns, mesh.count / 4096)))
        let chunkLength = (mesh.count + chunks - 1) / chunks
        let counts = Buffer<UInt32>(zeros: columns * chunks)
        let cursor = Unchecked(counts.pointer)
        parallelFor(chunks, threads: threads) { range in
            for chunk in range {
                let own = cursor.value + chunk * columns
                let part = min(chunk * chunkLength, mesh.count)..<min((chunk + 1) * chunkLength, mesh.count)
                for triangle in part {
                    forEachColumn(of: mesh.corners(triangle), reach: reach, grid) {
                        own[$0] += 1
                    }
                }
            }
        }
        let starts = Buffer<Int>(uninitialized: columns + 1)
        var total = 0
        for column in 0..<columns {
            starts.pointer[column] = total
            for chunk in 0..<chunks {
                let count = Int(counts.pointer[chunk * columns + column])
                // From here on the count's place says where in the column's list the chunk writes next.
                counts.pointer[chunk * columns + column] = UInt32(total - starts.pointer[column])
                total += count
            }
        }
        starts.pointer[columns] = total
        let lists = Buffer<UInt32>(uninitialized: total)
        let target = Unchecked((lists.pointer, starts.pointer))
        parallelFor(chunks, threads: threads) { range in
            let (lists, starts) = target.value
            for chunk in range {
                let own = cursor.value + chunk * columns
                let part = min(chunk * chunkLength, mesh.count)..<min((chunk + 1) * chunkLength, mesh.count)
                for triangle in part {
                    forEachColumn(of: mesh.corners(triangle), reach: reach, grid) {
                        lists[starts[$0] + Int(own[$0])] = UInt32(truncatingIfNeeded: triangle)
                        own[$0] += 1
                    }
                }
            }
        }
        self.starts = starts
        self.triangles = lists
    }

    /// The triangles near a column.
    func list(_ column: Int) -> UnsafeBufferPointer<UInt32> {
        let start = starts.pointer[column]
        return UnsafeBufferPointer(start: triangles.pointer + start, count: starts.pointer[column + 1] - start)
    }
}

/// The whole number at or below; without the call that rounding is where the processor is not known to do it.
@inline(__always)
private func floored(_ value: Double) -> Int {
    let whole = Int(value)
    return Double(whole) > value ? whole - 1 : whole
}

/// Calls `body` with the number of every column that may be within `reach` of a triangle seen along z.
@inline(__always)
private func forEachColumn(
    of corners: (Vector3d, Vector3d, Vector3d), reach: Double, _ grid: ColumnGrid, _ body: (Int) -> Void
) {
    let (a, b, c) = corners
    let (x0, y0, nx, ny) = (grid.firstX, grid.firstY, grid.countX, grid.countY)
    let inverse = 1 / Double(ColumnGrid.width)
    let lowX = floored((min(a.x, b.x, c.x) - reach) * inverse) - x0
    let highX = floored((max(a.x, b.x, c.x) + reach) * inverse) - x0
    let lowY = floored((min(a.y, b.y, c.y) - reach) * inverse) - y0
    let highY = floored((max(a.y, b.y, c.y) + reach) * inverse) - y0
    guard highX - lowX > 1, highY - lowY > 1 else {
        for x in max(lowX, 0)...min(highX, nx - 1) {
            for y in max(lowY, 0)...min(highY, ny - 1) { body(x * ny + y) }
        }
        return
    }
    // A large triangle: columns that one of its edges' normals separates from it are left out.
    let half = Double(ColumnGrid.width - 1) / 2
    var tests: [(x: Double, y: Double, low: Double, high: Double)] = []
    for (p, q) in [(a, b), (b, c), (c, a)] {
        let n = Vector3d(q.y - p.y, p.x - q.x, 0).normalized
        let (s, t, u) = (n.dot(a), n.dot(b), n.dot(c))
        let margin = reach + half * (abs(n.x) + abs(n.y)) + 1e-6
        tests.append((n.x, n.y, min(s, t, u) - margin, max(s, t, u) + margin))
    }
    for x in max(lowX, 0)...min(highX, nx - 1) {
        let centerX = Double((x + x0) * ColumnGrid.width) + half
        columns: for y in max(lowY, 0)...min(highY, ny - 1) {
            let centerY = Double((y + y0) * ColumnGrid.width) + half
            for test in tests {
                let s = test.x * centerX + test.y * centerY
                if s < test.low || s > test.high { continue columns }
            }
            body(x * ny + y)
        }
    }
}
