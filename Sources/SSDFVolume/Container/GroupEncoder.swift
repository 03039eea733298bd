import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Bricks of a volume, in order, as the encoder wants them.
struct BrickRun {
    /// `[count]`
    var bricks: UnsafeBufferPointer<BrickCoordinate>
    /// `[count, 8]`
    var masks: UnsafePointer<UInt64>
    /// `[activeCount, channels]`
    var values: UnsafePointer<Float>
    var activeCount: Int
}

/// One coded group: its chunk, and what the totals and the index want to know of it.
struct EncodedGroup {
    var chunk: [UInt8] = []
    /// The offset is 0: only the writer knows where the chunk goes.
    var entry = GroupEntry(
        offset: 0, chunkSize: 0, brickCount: 0, activeCount: 0, firstCorner: BrickCoordinate(0, 0, 0),
        lastCorner: BrickCoordinate(0, 0, 0))
    var span = ValueSpan()
}

/// What stored values span, and how far they are from those that were given.
struct ValueSpan {
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var errorBound = 0.0

    mutating func merge(_ other: Self) {
        minimum = min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
        errorBound = max(errorBound, other.errorBound)
    }
}

/// Codes groups of bricks into BRKS chunks, one at a time. Each worker has its own; the bytes depend on the bricks and
/// the header alone.
final class GroupEncoder: @unchecked Sendable {
    private let header: GridHeader
    private let compressor: ZstdCompressor?
    private var elements = Buffer<Int32>(uninitialized: 0)
    private var given = Buffer<Float>(uninitialized: 0)
    private var stored = Buffer<Float>(uninitialized: 0)
    private var raw = Buffer<UInt8>(uninitialized: 0)
    private var output = Buffer<UInt8>(uninitialized: 0)
    private var end = 0

    init(header: GridHeader, level: Int) {
        self.header = header
        compressor = header.codec == .zstd ? ZstdCompressor(level: level) : nil
    }

    /// - Throws: `badData` when a value cannot be stored as the header's value type.
    func encode(_ run: BrickRun) throws(Failure) -> EncodedGroup {
        let channels = header.metadata.channels
        reserve(run)
        var group = EncodedGroup()
        group.entry.brickCount = run.bricks.count
        group.entry.activeCount = run.activeCount
        group.entry.firstCorner = run.bricks[0]
        group.entry.lastCorner = run.bricks[0]
        for brick in run.bricks {
            group.entry.firstCorner = group.entry.firstCorner.lowered(to: brick)
            group.entry.lastCorner = group.entry.lastCorner.raised(to: brick)
        }
        end = ContainerFormat.chunkHeaderSize
        append(UInt32(run.bricks.count))
        append(UInt32(run.activeCount))
        append(run.bricks[0].x)
        append(run.bricks[0].y)
        append(run.bricks[0].z)
        var size = BrickPositions.encode(run.bricks, into: raw.pointer)
        size += ssdf_masks_encode(run.masks, run.bricks.count, raw.pointer + size)
        appendSection(size)
        for channel in 0..<channels { try encode(channel: channel, of: run, span: &group.span) }
        finish(&group)
        return group
    }

    private func encode(channel: Int, of run: BrickRun, span: inout ValueSpan) throws(Failure) {
        let count = run.activeCount
        let channels = header.metadata.channels
        for row in 0..<count { given.pointer[row] = run.values[row * channels + channel] }
        switch header.dtype {
        case .f32:
            memcpy(elements.pointer, given.pointer, count * 4)
            span.add(given.pointer, count)
        case .f16: try encodeHalves(count, &span)
        case .i16, .i8: try encodeQuanta(run, &span)
        }
        append(UInt8(0))
        ssdf_planes_split(elements.pointer, count, header.dtype.size, raw.pointer)
        appendSection(count * header.dtype.size)
    }

    private func encodeHalves(_ count: Int, _ span: inout ValueSpan) throws(Failure) {
        raw.pointer.withMemoryRebound(to: UInt16.self, capacity: count) { halves in
            ssdf_f32_to_f16(given.pointer, halves, count)
            for row in 0..<count { elements.pointer[row] = Int32(halves[row]) }
            ssdf_f16_to_f32(halves, stored.pointer, count)
        }
        for row in 0..<count where stored.pointer[row].isInfinite && !given.pointer[row].isInfinite {
            throw .badData(
                place: "grid \"\(header.metadata.name)\"", "value \(given.pointer[row]) does not fit in f16",
                expected: "a magnitude of at most 65504")
        }
        span.add(stored.pointer, count)
        span.addErrors(given: given.pointer, stored: stored.pointer, count)
    }

    /// Each brick's scale is the smallest that lets its largest magnitude fit; values round to the nearest multiple,
    /// ties to even. A value nearer to 0 than half the scale becomes 0, so a sign can vanish but never turn.
    private func encodeQuanta(_ run: BrickRun, _ span: inout ValueSpan) throws(Failure) {
        let largest = header.dtype.largestQuantum
        var row = 0
        for brick in 0..<run.bricks.count {
            var count = 0
            for word in 0..<8 { count += run.masks[brick * 8 + word].nonzeroBitCount }
            var magnitude: Float = 0
            for index in row..<row + count {
                let value = given.pointer[index]
                guard value.isFinite else {
                    throw .badData(
                        place: "grid \"\(header.metadata.name)\"", "value \(value) cannot be quantised",
                        expected: "finite values, or dtype f32 or f16")
                }
                magnitude = max(magnitude, abs(value))
            }
            // Rounding up keeps the largest magnitude within range; a scale of 0 is for a brick of zeros.
            var scale = magnitude / largest
            if scale * largest < magnitude || (scale == 0 && magnitude > 0) { scale = scale.nextUp }
            append(scale.bitPattern)
            for index in row..<row + count {
                let quantum = scale > 0 ? (given.pointer[index] / scale).rounded(.toNearestOrEven) : 0
                let clamped = min(max(quantum, -largest), largest)
                elements.pointer[index] = Int32(clamped)
                stored.pointer[index] = clamped * scale
            }
            row += count
        }
        span.add(stored.pointer, row)
        span.addErrors(given: given.pointer, stored: stored.pointer, row)
    }

    // MARK: Output

    private func reserve(_ run: BrickRun) {
        let channels = header.metadata.channels
        let topology = run.bricks.count * (BrickPositions.largestSize + 72)
        let largestSection = max(topology, run.activeCount * 4)
        if elements.count < run.activeCount {
            elements = Buffer(uninitialized: run.activeCount)
            given = Buffer(uninitialized: run.activeCount)
            stored = Buffer(uninitialized: run.activeCount)
        }
        if raw.count < largestSection { raw = Buffer(uninitialized: largestSection) }
        let channel = ZstdCompressor.bound(run.activeCount * 4) + run.bricks.count * 4 + 64
        let needed = ContainerFormat.chunkOverhead + 64 + ZstdCompressor.bound(topology) + channels * channel
        if output.count < needed { output = Buffer(uninitialized: needed) }
    }

    private func append<Number: FixedWidthInteger>(_ number: Number) {
        UnsafeMutableRawPointer(output.pointer + end).storeBytes(of: number.littleEndian, as: Number.self)
        end += MemoryLayout<Number>.size
    }

    /// Appends the first `size` bytes of `raw`: their count, the count stored, and the bytes, compressed where that is
    /// asked for and makes them fewer.
    private func appendSection(_ size: Int) {
        append(UInt32(size))
        let sizePosition = end
        append(UInt32(size))
        if let compressor {
            let room = UnsafeMutableRawBufferPointer(start: output.pointer + end, count: output.count - end)
            let bytes = UnsafeRawBufferPointer(start: raw.pointer, count: size)
            if let count = compressor.compress(bytes, into: room), count < size {
                end = sizePosition
                append(UInt32(count))
                end += count
                return
            }
        }
        memcpy(output.pointer + end, raw.pointer, size)
        end += size
    }

    private func finish(_ group: inout EncodedGroup) {
        let total = end
        end = 0
        append(ChunkType.bricks.code)
        append(UInt32(0))
        append(UInt64(total - ContainerFormat.chunkHeaderSize))
        end = total
        append(ssdf_crc32(0, output.pointer, total))
        group.chunk = Array(UnsafeBufferPointer(start: output.pointer, count: end))
        group.entry.chunkSize = end
    }
}

extension ValueSpan {
    mutating func add(_ values: UnsafePointer<Float>, _ count: Int) {
        var (low, high) = (Float.infinity, -Float.infinity)
        for index in 0..<count {
            let value = values[index]
            // Comparisons with a NaN are false: it leaves both as they are.
            low = value < low ? value : low
            high = value > high ? value : high
        }
        minimum = min(minimum, Double(low))
        maximum = max(maximum, Double(high))
    }

    mutating func addErrors(given: UnsafePointer<Float>, stored: UnsafePointer<Float>, _ count: Int) {
        var largest = 0.0
        for index in 0..<count {
            let error = abs(Double(stored[index]) - Double(given[index]))
            largest = error > largest ? error : largest
        }
        errorBound = max(errorBound, largest)
    }
}
