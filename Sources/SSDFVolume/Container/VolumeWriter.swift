import SSDFCore

/// Writes a container in one pass: grids one after another, each as groups of bricks, then the index.
///
/// Memory is that of a few groups, whatever the size of a grid. The bytes depend on what is written and on the options
/// but not on `threads`. Each call of `append` starts a group, so give it many bricks at a time.
///
/// ```
/// var writer = try VolumeWriter(options: options, to: sink)
/// try writer.write(volume)
/// try writer.finish()
/// ```
package struct VolumeWriter: ~Copyable {
    private let options: VolumeWriteOptions
    private let sink: ByteSink
    private var offset = 0
    private var index = VolumeIndex()
    private var names: Set<String> = []

    private var header: GridHeader?
    private var entry = GridEntry(headerOffset: 0, endOffset: 0)
    private var totals = GridTotals()
    private var span = ValueSpan()
    private var lastBrick: BrickCoordinate?
    private var encoders: [GroupEncoder] = []
    /// Chunks that the index knows of and the sink has not been given yet.
    private var waiting: [[UInt8]] = []

    /// Writes the signature.
    /// - Throws: what the sink throws.
    package init(options: VolumeWriteOptions, to sink: @escaping ByteSink) throws(Failure) {
        self.options = options
        self.sink = sink
        try emit(ContainerFormat.signature)
    }

    /// Writes a chunk that readers may skip; inside a grid it belongs to that grid, else to the file.
    /// - Throws: `badData` when the type is critical or not four letters, or the payload is too large.
    package mutating func write(_ chunk: AncillaryChunk) throws(Failure) {
        guard chunk.type.isWellFormed, !chunk.type.isCritical else {
            throw .badData(place: "chunk \(chunk.type)", "type is critical", expected: "an ancillary chunk")
        }
        guard chunk.payload.count <= ContainerFormat.largestAncillaryPayload else {
            throw .badData(
                place: "chunk \(chunk.type)", "\(chunk.payload.count) bytes",
                expected: "at most \(ContainerFormat.largestAncillaryPayload)")
        }
        try emit(encodedChunk(chunk.type, flags: chunk.flags, chunk.payload))
    }

    /// Writes a whole grid.
    /// - Throws: `badData` when the metadata or a value breaks a rule of the format; what the sink throws.
    package mutating func write(_ volume: borrowing SparseVolume) throws(Failure) {
        try beginGrid(volume.metadata)
        try append(volume)
        try endGrid()
    }

    /// Starts a grid; `append` gives it bricks.
    /// - Throws: `badData` when the metadata breaks a rule of the format or the name is taken.
    package mutating func beginGrid(_ metadata: GridMetadata) throws(Failure) {
        precondition(header == nil, "a grid is open")
        let header = GridHeader(metadata: metadata, dtype: options.dtype, codec: options.codec)
        let payload = try header.encoded()
        guard names.insert(metadata.name).inserted else {
            throw .badData(
                place: "grid \"\(metadata.name)\"", "the name is taken", expected: "a name unique in the file")
        }
        entry = GridEntry(headerOffset: offset, endOffset: 0)
        totals = GridTotals()
        span = ValueSpan()
        lastBrick = nil
        encoders = []
        try emit(encodedChunk(.grid, payload))
        self.header = header
    }

    /// Adds bricks to the open grid: all of them must come after those already there.
    package mutating func append(_ volume: borrowing SparseVolume) throws(Failure) {
        guard let header else { preconditionFailure("no grid is open") }
        precondition(volume.channels == header.metadata.channels, "as many channels as the grid has")
        guard volume.brickCount > 0 else { return }
        if let lastBrick { precondition(lastBrick < volume.bricks.pointer[0], "bricks ascend") }
        lastBrick = volume.bricks.pointer[volume.brickCount - 1]
        let ranges = groupRanges(of: volume)
        while encoders.count < options.threads { encoders.append(GroupEncoder(header: header, level: options.level)) }
        // What one batch gave is written while the next is encoded.
        let batchSize = 16 * options.threads
        var start = 0
        while start < ranges.count {
            let batch = Array(ranges[start..<min(start + batchSize, ranges.count)])
            try encode(batch, of: volume)
            start += batch.count
        }
        let last = ChunkDelivery(waiting, to: sink)
        waiting = []
        try last.finish()
    }

    /// Ends the open grid.
    package mutating func endGrid() throws(Failure) {
        precondition(header != nil, "a grid is open")
        if span.minimum <= span.maximum {
            totals.minimum = span.minimum
            totals.maximum = span.maximum
        }
        totals.errorBound = span.errorBound
        entry.endOffset = offset
        try emit(encodedChunk(.gridEnd, totals.encoded()))
        index.grids.append(entry)
        header = nil
        encoders = []
    }

    /// Writes the index and the trailer. Nothing can follow.
    package consuming func finish() throws(Failure) {
        precondition(header == nil, "a grid is open")
        let indexOffset = offset
        try emit(encodedChunk(.index, index.encoded()))
        var trailer = ByteBuilder()
        trailer.append(UInt64(indexOffset))
        trailer.append(UInt64(offset + ContainerFormat.trailerSize))
        try emit(encodedChunk(.fileEnd, trailer.bytes))
    }

    /// Divides bricks into groups: as many as fit both limits, and at least one.
    private func groupRanges(of volume: borrowing SparseVolume) -> [Range<Int>] {
        let channels = volume.channels
        var ranges: [Range<Int>] = []
        var start = 0
        while start < volume.brickCount {
            var end = start + 1
            let row = volume.offsets.pointer[start]
            while end < volume.brickCount, end - start < GroupPolicy.brickCount,
                (volume.offsets.pointer[end + 1] - row) * channels <= GroupPolicy.valueCount
            {
                end += 1
            }
            ranges.append(start..<end)
            start = end
        }
        return ranges
    }

    private mutating func encode(_ batch: [Range<Int>], of volume: borrowing SparseVolume) throws(Failure) {
        let channels = volume.channels
        let bricks = Unchecked(UnsafePointer(volume.bricks.pointer))
        let masks = Unchecked(UnsafePointer(volume.masks.pointer))
        let offsets = Unchecked(UnsafePointer(volume.offsets.pointer))
        let values = Unchecked(UnsafePointer(volume.values.pointer))
        let encoders = self.encoders
        let delivery = ChunkDelivery(waiting, to: sink)
        waiting = []
        var results = [Result<EncodedGroup, Failure>](
            repeating: .success(EncodedGroup()), count: batch.count)
        results.withUnsafeMutableBufferPointer { slots in
            let slots = Unchecked(slots)
            parallelFor(batch.count, threads: options.threads) { (worker: Int, range: Range<Int>) in
                // This thread, whose sink it is.
                if worker == 0 { delivery.run() }
                for position in range {
                    let group = batch[position]
                    let row = offsets.value[group.lowerBound]
                    let run = BrickRun(
                        bricks: UnsafeBufferPointer(start: bricks.value + group.lowerBound, count: group.count),
                        masks: masks.value + group.lowerBound * 8, values: values.value + row * channels,
                        activeCount: offsets.value[group.upperBound] - row)
                    do throws(Failure) {
                        slots.value[position] = .success(try encoders[worker].encode(run))
                    } catch {
                        slots.value[position] = .failure(error)
                    }
                }
            }
        }
        try delivery.finish()
        for result in results {
            var group = try result.get()
            group.entry.offset = offset
            entry.groups.append(group.entry)
            totals.add(group.entry)
            span.merge(group.span)
            offset += group.chunk.count
            waiting.append(group.chunk)
        }
    }

    private mutating func emit(_ bytes: [UInt8]) throws(Failure) {
        offset += bytes.count
        var failure: Failure?
        bytes.withUnsafeBytes { raw in
            do throws(Failure) { try sink(raw) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// Gives chunks to a sink once, in order, on the thread that made it; others may be at work beside it meanwhile.
private final class ChunkDelivery: @unchecked Sendable {
    private var chunks: [[UInt8]]
    private let sink: ByteSink
    private var failure: Failure?

    init(_ chunks: [[UInt8]], to sink: @escaping ByteSink) {
        self.chunks = chunks
        self.sink = sink
    }

    func run() {
        for chunk in chunks where failure == nil {
            chunk.withUnsafeBytes { raw in
                do throws(Failure) { try sink(raw) } catch { failure = error }
            }
        }
        chunks = []
    }

    /// Delivers what has not been.
    /// - Throws: what the sink threw.
    func finish() throws(Failure) {
        run()
        if let failure { throw failure }
    }
}

/// How a writer divides bricks: small enough for a second-level cache, large enough to compress and to seek by.
enum GroupPolicy {
    static let brickCount = 128
    static let valueCount = 1 << 16
}

/// Writes one volume as a container.
/// - Throws: `badData` when the metadata or a value breaks a rule of the format; what the sink throws.
package func writeVolume(
    _ volume: borrowing SparseVolume, options: VolumeWriteOptions, to sink: @escaping ByteSink
) throws(Failure) {
    var writer = try VolumeWriter(options: options, to: sink)
    try writer.write(volume)
    try writer.finish()
}
