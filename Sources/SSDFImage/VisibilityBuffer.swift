import SSDFCore

/// For every sample of a picture, the nearest triangle and how near it is.
struct VisibilityBuffer: Sendable {
    let width: Int
    let height: Int
    /// `[height, width]`; `none` where nothing is seen.
    let triangles: [UInt32]
    /// `[height, width]`; minus infinity where nothing is seen.
    let nearness: [Float]

    static var none: UInt32 { .max }
}

/// A vertex in samples, 24.8 fixed point, so that edges shared by two triangles are shared exactly.
private struct FixedVertex: BitwiseCopyable {
    var x: Int32, y: Int32
    var nearness: Float
}

/// One edge function a·x + b·y + c of fixed-point positions, positive inside.
private struct Edge {
    var value: Int64
    let stepX: Int64, stepY: Int64

    /// From `from` to `to`, at a sample centre, biased so that a sample on an edge belongs to one triangle only.
    @inline(__always)
    init(_ from: FixedVertex, _ to: FixedVertex, x: Int64, y: Int64) {
        let dx = Int64(to.x) &- Int64(from.x)
        let dy = Int64(to.y) &- Int64(from.y)
        let owns = dy > 0 || (dy == 0 && dx < 0)
        value = dx &* (y &- Int64(from.y)) &- dy &* (x &- Int64(from.x)) &- (owns ? 0 : 1)
        stepX = -dy &* 256
        stepY = dx &* 256
    }
}

/// Side of a tile in samples: its depths fit the second-level cache.
private let tileSide = 128

/// Triangles a chunk of the binning; fixed, so that the order within a tile does not depend on threads.
private let chunkSize = 1 << 16

/// Finds the nearest triangle at every sample.
///
/// Triangles are sorted into tiles, keeping their order, and tiles are drawn independently; of two equally near
/// triangles the earlier one wins, on any number of threads.
///
/// - Parameters:
///   - positions: `[N, 3]`, finite.
///   - triangles: `[T, 3]`, below N; drawn from both sides.
/// - Complexity: O(N + T + samples).
func rasterise(
    positions: [Float], triangles: [UInt32], camera: ViewCamera, width: Int, height: Int, threads: Int
) -> VisibilityBuffer {
    let vertices = project(positions, camera: camera, threads: threads)
    let columns = (width + tileSide - 1) / tileSide
    let rows = (height + tileSide - 1) / tileSide
    let bins = TriangleBins(
        vertices: vertices, triangles: triangles, width: width, height: height, columns: columns, rows: rows,
        threads: threads)
    let vertexPointer = Unchecked(vertices.pointer)
    let entries = Unchecked(bins.entries.pointer)
    let starts = bins.starts
    var nearness: [Float] = []
    let ids = [UInt32](filling: width * height) { ids in
        let ids = Unchecked(ids.baseAddress!)
        nearness = [Float](filling: width * height) { depths in
            let depths = Unchecked(depths.baseAddress!)
            triangles.withUnsafeBufferPointer { corners in
                let corners = Unchecked(corners)
                parallelFor(columns * rows, threads: threads) { range in
                    for tile in range {
                        let left = tile % columns * tileSide
                        let top = tile / columns * tileSide
                        drawTile(
                            x: left..<min(left + tileSide, width), y: top..<min(top + tileSide, height), width: width,
                            entries: UnsafeBufferPointer(
                                start: entries.value + starts[tile], count: starts[tile + 1] - starts[tile]),
                            vertices: vertexPointer.value, corners: corners.value, ids: ids.value,
                            depths: depths.value)
                    }
                }
            }
        }
    }
    return VisibilityBuffer(width: width, height: height, triangles: ids, nearness: nearness)
}

private func project(_ positions: [Float], camera: ViewCamera, threads: Int) -> Buffer<FixedVertex> {
    let count = positions.count / 3
    let vertices = Buffer<FixedVertex>(uninitialized: count)
    let target = Unchecked(vertices.pointer)
    positions.withUnsafeBufferPointer { p in
        let p = Unchecked(p)
        parallelFor(count, threads: threads, grain: 1 << 14) { range in
            let p = p.value
            for v in range {
                let point = Vector3d(Double(p[3 * v]), Double(p[3 * v + 1]), Double(p[3 * v + 2]))
                let s = camera.sample(camera.view(point))
                // Far outside the frame the exact place does not matter, and edge functions must fit 64 bits.
                let limit = Double(1 << 28)
                target.value[v] = FixedVertex(
                    x: Int32((s.x * 256).rounded().clamped(to: -limit...limit)),
                    y: Int32((s.y * 256).rounded().clamped(to: -limit...limit)), nearness: Float(s.z))
            }
        }
    }
    return vertices
}

/// Triangle numbers by tile, ascending in each.
private struct TriangleBins: ~Copyable {
    /// The triangles of tile t are `entries[starts[t] ..< starts[t + 1]]`.
    let entries: Buffer<UInt32>
    let starts: [Int]

    init(
        vertices: borrowing Buffer<FixedVertex>, triangles: [UInt32], width: Int, height: Int, columns: Int,
        rows: Int, threads: Int
    ) {
        let count = triangles.count / 3
        let tiles = columns * rows
        let chunks = max(1, (count + chunkSize - 1) / chunkSize)
        // Counted first, then turned into the place where each chunk's triangles of each tile go.
        let places = Buffer<Int>(zeros: chunks * tiles)
        let table = Unchecked(places.pointer)
        let vertex = Unchecked(vertices.pointer)
        triangles.withUnsafeBufferPointer { corners in
            let corners = Unchecked(corners)
            parallelFor(chunks, threads: threads) { range in
                for chunk in range {
                    let row = table.value + chunk * tiles
                    forEachTile(chunk, count, vertex.value, corners.value, width, height, columns) { _, tile in
                        row[tile] &+= 1
                    }
                }
            }
        }
        var starts = [Int](repeating: 0, count: tiles + 1)
        var total = 0
        for tile in 0..<tiles {
            starts[tile] = total
            for chunk in 0..<chunks {
                let number = places.pointer[chunk * tiles + tile]
                places.pointer[chunk * tiles + tile] = total
                total += number
            }
        }
        starts[tiles] = total
        let entries = Buffer<UInt32>(uninitialized: total)
        let target = Unchecked(entries.pointer)
        triangles.withUnsafeBufferPointer { corners in
            let corners = Unchecked(corners)
            parallelFor(chunks, threads: threads) { range in
                for chunk in range {
                    let row = table.value + chunk * tiles
                    forEachTile(chunk, count, vertex.value, corners.value, width, height, columns) { triangle, tile in
                        target.value[row[tile]] = UInt32(truncatingIfNeeded: triangle)
                        row[tile] &+= 1
                    }
                }
            }
        }
        self.entries = entries
        self.starts = starts
    }
}

/// Calls `body` with each triangle of a chunk and each tile that its box of samples touches.
@inline(__always)
private func forEachTile(
    _ chunk: Int, _ count: Int, _ vertices: UnsafeMutablePointer<FixedVertex>,
    _ corners: UnsafeBufferPointer<UInt32>, _ width: Int, _ height: Int, _ columns: Int,
    _ body: (_ triangle: Int, _ tile: Int) -> Void
) {
    for triangle in chunk * chunkSize..<min(count, (chunk + 1) * chunkSize) {
        let a = vertices[Int(corners[3 * triangle])]
        let b = vertices[Int(corners[3 * triangle + 1])]
        let c = vertices[Int(corners[3 * triangle + 2])]
        let x0 = max(0, firstSample(min(a.x, b.x, c.x)))
        let x1 = min(width &- 1, lastSample(max(a.x, b.x, c.x)))
        let y0 = max(0, firstSample(min(a.y, b.y, c.y)))
        let y1 = min(height &- 1, lastSample(max(a.y, b.y, c.y)))
        guard x0 <= x1, y0 <= y1 else { continue }
        for row in y0 / tileSide...y1 / tileSide {
            for column in x0 / tileSide...x1 / tileSide { body(triangle, row &* columns &+ column) }
        }
    }
}

/// The first sample whose centre is at or after a fixed-point coordinate.
@inline(__always)
private func firstSample(_ x: Int32) -> Int { (Int(x) &+ 127) >> 8 }

/// The last sample whose centre is at or before a fixed-point coordinate.
@inline(__always)
private func lastSample(_ x: Int32) -> Int { (Int(x) &- 128) >> 8 }

private func drawTile(
    x columns: Range<Int>, y rows: Range<Int>, width: Int, entries: UnsafeBufferPointer<UInt32>,
    vertices: UnsafeMutablePointer<FixedVertex>, corners: UnsafeBufferPointer<UInt32>,
    ids: UnsafeMutablePointer<UInt32>, depths: UnsafeMutablePointer<Float>
) {
    for y in rows {
        (ids + y * width + columns.lowerBound).update(repeating: VisibilityBuffer.none, count: columns.count)
        (depths + y * width + columns.lowerBound).update(repeating: -.infinity, count: columns.count)
    }
    for triangle in entries {
        let first = 3 * Int(triangle)
        let a = vertices[Int(corners[first])]
        var b = vertices[Int(corners[first + 1])]
        var c = vertices[Int(corners[first + 2])]
        var area =
            (Int64(b.x) &- Int64(a.x)) &* (Int64(c.y) &- Int64(a.y))
            &- (Int64(b.y) &- Int64(a.y)) &* (Int64(c.x) &- Int64(a.x))
        if area == 0 { continue }
        if area < 0 {
            swap(&b, &c)
            area = -area
        }
        let x0 = max(columns.lowerBound, firstSample(min(a.x, b.x, c.x)))
        let x1 = min(columns.upperBound &- 1, lastSample(max(a.x, b.x, c.x)))
        let y0 = max(rows.lowerBound, firstSample(min(a.y, b.y, c.y)))
        let y1 = min(rows.upperBound &- 1, lastSample(max(a.y, b.y, c.y)))
        guard x0 <= x1, y0 <= y1 else { continue }
        let px = Int64(x0) &* 256 &+ 128
        let py = Int64(y0) &* 256 &+ 128
        var ab = Edge(a, b, x: px, y: py)
        var bc = Edge(b, c, x: px, y: py)
        var ca = Edge(c, a, x: px, y: py)
        // Nearness is affine: its slopes for one sample, and its value at the first one.
        let scale = 1 / Double(area)
        let db = Double(b.nearness) - Double(a.nearness)
        let dc = Double(c.nearness) - Double(a.nearness)
        let slopeX = (db * Double(ca.stepX) + dc * Double(ab.stepX)) * scale
        let slopeY = (db * Double(ca.stepY) + dc * Double(ab.stepY)) * scale
        let start = Double(a.nearness) + (db * Double(ca.value) + dc * Double(ab.value)) * scale
        let low = min(a.nearness, b.nearness, c.nearness)
        let high = max(a.nearness, b.nearness, c.nearness)
        for y in y0...y1 {
            var (e0, e1, e2) = (ab.value, bc.value, ca.value)
            let row = y &* width
            for x in x0...x1 {
                if e0 | e1 | e2 >= 0 {
                    let value = Float(start + slopeX * Double(x &- x0) + slopeY * Double(y &- y0))
                    let nearness = min(max(value, low), high)
                    if nearness > depths[row &+ x] {
                        depths[row &+ x] = nearness
                        ids[row &+ x] = triangle
                    }
                }
                e0 &+= ab.stepX
                e1 &+= bc.stepX
                e2 &+= ca.stepX
            }
            ab.value &+= ab.stepY
            bc.value &+= bc.stepY
            ca.value &+= ca.stepY
        }
    }
}

extension Comparable {
    /// The nearest value of a range; its lower end for values that compare with nothing.
    func clamped(to range: ClosedRange<Self>) -> Self {
        self > range.lowerBound ? (self < range.upperBound ? self : range.upperBound) : range.lowerBound
    }
}
