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

/// Codes groups of bricks into BRKS chunks, one at a time. Each worker has its own; the bytes depend on the bricks and
/// the header alone.
final class GroupEncoder: @unchecked Sendable {
    let header: GridHeader
    private let compressor: ZstdCompressor?
    private let symbolCompressor: ZstdCompressor?
    let isa = ssdf_isa()
    /// The integers that are predicted, or the bits of values stored plain.
    private(set) var elements = Buffer<Int32>(uninitialized: 0)
    private(set) var residuals = Buffer<Int32>(uninitialized: 0)
    private(set) var heads = Buffer<Int32>(uninitialized: 0)
    /// Lengths of residuals or remainders, and the digits of each.
    private(set) var lengths = Buffer<UInt8>(uninitialized: 0)
    private(set) var digits = Buffer<UInt8>(uninitialized: 0)
    private(set) var rests = Buffer<UInt32>(uninitialized: 0)
    private(set) var given = Buffer<Float>(uninitialized: 0)
    private(set) var stored = Buffer<Float>(uninitialized: 0)
    private(set) var raw = Buffer<UInt8>(uninitialized: 0)
    private var output = Buffer<UInt8>(uninitialized: 0)
    private(set) var end = 0

    init(header: GridHeader, level: Int) {
        self.header = header
        compressor = header.codec == .zstd ? ZstdCompressor(level: level, contents: .general) : nil
        symbolCompressor = header.codec == .zstd ? ZstdCompressor(level: level, contents: .symbols) : nil
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
        appendSection(raw.pointer, size)
        for channel in 0..<channels { try encode(channel: channel, of: run, span: &group.span) }
        finish(&group)
        return group
    }

    // MARK: Output

    private func reserve(_ run: BrickRun) {
        let (bricks, count) = (run.bricks.count, run.activeCount)
        // Vector bodies read and write whole rows and blocks.
        let padded = count + 64
        if elements.count < padded {
            elements = Buffer(uninitialized: padded)
            residuals = Buffer(uninitialized: padded)
            lengths = Buffer(uninitialized: padded)
            digits = Buffer(uninitialized: padded)
            rests = Buffer(uninitialized: padded)
            given = Buffer(uninitialized: padded)
            stored = Buffer(uninitialized: padded)
        }
        if heads.count < bricks { heads = Buffer(uninitialized: bricks) }
        let topology = bricks * (BrickPositions.largestSize + 72)
        if raw.count < max(topology, count * 4) { raw = Buffer(uninitialized: max(topology, count * 4)) }
        // Residuals and remainders at their longest, with the lengths, the scales and the heads.
        let channel = 2 * (4 * count + 256) + ZstdCompressor.bound(count) + bricks * 8 + 64
        let needed = 64 + ZstdCompressor.bound(topology) + header.metadata.channels * channel
        if output.count < needed { output = Buffer(uninitialized: needed) }
    }

    func append<Number: FixedWidthInteger>(_ number: Number) {
        UnsafeMutableRawPointer(output.pointer + end).storeBytes(of: number.littleEndian, as: Number.self)
        end += MemoryLayout<Number>.size
    }

    func append(_ numbers: UnsafePointer<Int32>, _ count: Int) {
        for index in 0..<count { append(numbers[index]) }
    }

    /// Forgets what was appended since `end` was `position`.
    func rewind(to position: Int) { end = position }

    /// Where bytes go that follow the next `count`.
    func room(after count: Int) -> UnsafeMutablePointer<UInt8> { output.pointer + end + count }

    /// Appends what `write` puts where it is told to; it returns how many bytes that is.
    func appendWritten(_ write: (UnsafeMutablePointer<UInt8>) -> Int) { end += write(output.pointer + end) }

    /// As `appendWritten`, with the bytes' count before them.
    func appendCounted(_ write: (UnsafeMutablePointer<UInt8>) -> Int) {
        let position = end
        append(UInt32(0))
        appendWritten(write)
        let size = end - position - 4
        end = position
        append(UInt32(size))
        end += size
    }

    /// Appends a section: the bytes' count, the count stored, and the bytes, compressed where that is asked for and
    /// makes them fewer.
    func appendSection(_ bytes: UnsafePointer<UInt8>, _ size: Int, contents: ZstdCompressor.Contents = .general) {
        append(UInt32(size))
        let sizePosition = end
        append(UInt32(size))
        if size > 0, let compressor = contents == .general ? compressor : symbolCompressor {
            let room = UnsafeMutableRawBufferPointer(start: output.pointer + end, count: output.count - end)
            if let count = compressor.compress(UnsafeRawBufferPointer(start: bytes, count: size), into: room),
                count < size
            {
                end = sizePosition
                append(UInt32(count))
                end += count
                return
            }
        }
        memcpy(output.pointer + end, bytes, size)
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
