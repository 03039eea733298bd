import SSDFCore

/// How the voxels of a dense array follow one another in memory. Channels of a voxel are always together.
package enum AxisOrder: Sendable {
    /// x slowest, z fastest: as C and NumPy have it.
    case zFastest
    /// x fastest, z slowest: as Fortran and NRRD have it.
    case xFastest

    var slow: Axis { self == .zFastest ? .x : .z }
    var fast: Axis { self == .zFastest ? .z : .x }
}

/// A few planes of a dense array, whole ones, in the array's order.
package struct DenseSlab {
    /// `[planes, y, z or x, channels]`
    package let values: UnsafeBufferPointer<Float>
    /// `[planes, y, z or x]`: 1 where the voxel is active.
    package let active: UnsafeBufferPointer<UInt8>
}

extension SparseVolume {
    /// Visits the voxels of a box as a dense array, a few planes at a time, the slowest axis first; memory is that of eight
    /// planes.
    ///
    /// Inactive voxels get the background. In a grid of signed distances those inside get its mirror image at the iso
    /// value, so that the array has no second surface where the band ends: the sign is that of the last active voxel
    /// before on a line of the fast axis, of the first behind where there is none before, and of the neighbouring line
    /// where the line has none. In a closed band that is right for every voxel.
    /// - Complexity: O(voxels of the box + brickCount · log brickCount).
    package func forEachSlab(
        of box: VoxelBox, order: AxisOrder, threads: Int, _ body: (DenseSlab) throws(Failure) -> Void
    ) throws(Failure) {
        let (slow, middle, fast) = (box.range(order.slow), box.range(.y), box.range(order.fast))
        let line = fast.count
        let plane = middle.count * line
        let planes = min(8, slow.count)
        let values = Buffer<Float>(uninitialized: planes * plane * channels)
        let active = Buffer<UInt8>(uninitialized: planes * plane)
        let fill = InactiveFill(metadata, lines: middle.count, length: line, threads: threads)
        // Bricks come sorted by x; along z an index does it.
        let sequence = (0..<brickCount).sorted {
            let (a, b) = (bricks.pointer[$0], bricks.pointer[$1])
            return order.slow == .x || a.z == b.z ? $0 < $1 : a.z < b.z
        }
        var next = 0
        var isInside = false
        var start = slow.lowerBound
        while start < slow.upperBound {
            let layer = start >> 3
            let end = min((layer + 1) << 3, slow.upperBound)
            let count = end - start
            fill.clear(values, active, voxels: count * plane, channels: channels)
            while next < sequence.count, brickLayer(sequence[next], order) < layer { next += 1 }
            let first = next
            while next < sequence.count, brickLayer(sequence[next], order) == layer { next += 1 }
            scatter(sequence[first..<next], box: box, order: order, start: start, end: end, values, active)
            if fill.isSigned { fill.fillInside(values, active, planes: count, isInside: &isInside) }
            try body(
                DenseSlab(
                    values: UnsafeBufferPointer(start: values.pointer, count: count * plane * channels),
                    active: UnsafeBufferPointer(start: active.pointer, count: count * plane)))
            start = end
        }
    }

    private func brickLayer(_ brick: Int, _ order: AxisOrder) -> Int {
        Int(order.slow == .x ? bricks.pointer[brick].x : bricks.pointer[brick].z)
    }

    /// Puts the active voxels of bricks into planes `start ..< end`.
    private func scatter(
        _ sequence: ArraySlice<Int>, box: VoxelBox, order: AxisOrder, start: Int, end: Int,
        _ values: borrowing Buffer<Float>, _ active: borrowing Buffer<UInt8>
    ) {
        let (middle, fast) = (box.range(.y), box.range(order.fast))
        for brick in sequence {
            let coordinate = bricks.pointer[brick]
            var row = offsets.pointer[brick]
            for word in 0..<8 {
                var bits = masks.pointer[brick * 8 + word]
                while bits != 0 {
                    let bit = bits.trailingZeroBitCount
                    bits &= bits - 1
                    defer { row += 1 }
                    let voxel = coordinate.voxel(atBit: word << 6 | bit)
                    let (s, m, f) = (Int(voxel[order.slow]), Int(voxel.y), Int(voxel[order.fast]))
                    guard s >= start, s < end, middle.contains(m), fast.contains(f) else { continue }
                    let place =
                        ((s - start) * middle.count + m - middle.lowerBound) * fast.count + f - fast.lowerBound
                    active.pointer[place] = 1
                    for channel in 0..<channels {
                        values.pointer[place * channels + channel] = self.values.pointer[row * channels + channel]
                    }
                }
            }
        }
    }
}

/// What inactive voxels of a dense array hold.
private struct InactiveFill: Sendable {
    let background: Float
    let inside: Float
    let isoValue: Float
    let isSigned: Bool
    /// Lines of a plane, and voxels of a line.
    let lines: Int
    let length: Int
    let threads: Int

    init(_ metadata: GridMetadata, lines: Int, length: Int, threads: Int) {
        background = Float(metadata.background)
        isoValue = Float(metadata.isoValue)
        inside = metadata.insideBackground
        isSigned = metadata.kind == .sdf && metadata.channels == 1
        self.lines = lines
        self.length = length
        self.threads = threads
    }

    /// Makes `voxels` voxels inactive.
    func clear(
        _ values: borrowing Buffer<Float>, _ active: borrowing Buffer<UInt8>, voxels: Int, channels: Int
    ) {
        let (values, active, background) = (Unchecked(values.pointer), Unchecked(active.pointer), background)
        parallelFor(voxels, threads: threads, grain: 1 << 18) { range in
            (active.value + range.lowerBound).update(repeating: 0, count: range.count)
            (values.value + range.lowerBound * channels).update(repeating: background, count: range.count * channels)
        }
    }

    /// - Parameter isInside: whether the first voxel of the last plane's first line is inside.
    func fillInside(
        _ values: borrowing Buffer<Float>, _ active: borrowing Buffer<UInt8>, planes: Int, isInside: inout Bool
    ) {
        let (values, active) = (Unchecked(values.pointer), Unchecked(active.pointer))
        let hasSign = Buffer<Bool>(zeros: planes * lines)
        let found = Unchecked(hasSign.pointer)
        parallelFor(planes * lines, threads: threads, grain: 256) { range in
            for line in range {
                let start = line * length
                found.value[line] = fillLine(values.value + start, active.value + start)
            }
        }
        // A line without active voxels lies in one region with its neighbour's first voxel.
        for plane in 0..<planes {
            for line in 0..<lines {
                let start = values.value + (plane * lines + line) * length
                if !hasSign.pointer[plane * lines + line], isInside { start.update(repeating: inside, count: length) }
                isInside = start[0] < isoValue
            }
            // The next plane begins beside this one's first line.
            isInside = values.value[plane * lines * length] < isoValue
        }
    }

    /// Fills one line from its active voxels. Returns false when it has none.
    private func fillLine(_ values: UnsafeMutablePointer<Float>, _ active: UnsafeMutablePointer<UInt8>) -> Bool {
        guard let first = (0..<length).first(where: { active[$0] != 0 }) else { return false }
        var isInside = values[first] < isoValue
        for position in 0..<length {
            if active[position] != 0 {
                isInside = values[position] < isoValue
            } else if isInside {
                values[position] = inside
            }
        }
        return true
    }
}

extension GridMetadata {
    /// The value of inactive voxels inside: the background's mirror image at the iso value.
    var insideBackground: Float { Float(2 * isoValue - background) }
}
