import SSDFCore

/// Reads a container front to back from a source that cannot seek, one group at a time: memory is that of the largest
/// chunk, whatever the size of a grid.
///
/// ```
/// var stream = try VolumeStream(source)
/// while let event = try stream.next() { … }
/// ```
///
/// A stream that ends without its trailer is an error at `next`, after the events of what came before.
package struct VolumeStream: ~Copyable {
    /// What follows in the file.
    package enum Event: ~Copyable {
        /// A grid starts; its bricks and its end follow.
        case gridStart(GridHeader)
        /// Bricks of the grid, after all that came before.
        case bricks(SparseVolume)
        /// The grid is complete.
        case gridEnd(GridTotals)
        /// A chunk that this version does not know: of the grid that is open, or of the file.
        case ancillary(AncillaryChunk)
    }

    private let source: ByteSource
    private var payload = Buffer<UInt8>(uninitialized: 0)
    private var walk = ContainerWalk()

    /// Reads the signature.
    /// - Throws: `badData` when it is not one; what the source throws.
    package init(_ source: @escaping ByteSource) throws(Failure) {
        self.source = source
        var signature = Buffer<UInt8>(uninitialized: ContainerFormat.signature.count)
        let count = try Self.fill(&signature, count: ContainerFormat.signature.count, from: source)
        try checkSignature(UnsafeRawBufferPointer(start: signature.pointer, count: count))
    }

    /// The next event, or nil after the trailer.
    /// - Throws: `badData` at a rule that does not hold; what the source throws.
    package mutating func next() throws(Failure) -> Event? {
        while !walk.isComplete {
            let chunk = try nextChunk()
            switch try walk.take(chunk) {
            case .gridStart(let header): return .gridStart(header)
            case .group(let entry):
                guard let decoder = walk.decoder, let metadata = walk.header?.metadata else { continue }
                let volume = try decodeGroup(chunk, entry, decoder, metadata)
                try walk.didDecode(volume, chunk: chunk)
                return .bricks(volume)
            case .gridEnd(let totals): return .gridEnd(totals)
            case .ancillary(let ancillary): return .ancillary(ancillary)
            case .index: continue
            case .fileEnd:
                var byte = Buffer<UInt8>(uninitialized: 1)
                guard try Self.fill(&byte, count: 1, from: source) == 0 else {
                    throw .badData(place: "byte \(walk.offset)", "bytes follow the trailer", expected: "none")
                }
            }
        }
        return nil
    }

    /// The payload of the chunk stays valid until the next one.
    private mutating func nextChunk() throws(Failure) -> Chunk {
        let offset = walk.offset
        let headerSize = ContainerFormat.chunkHeaderSize
        reserve(headerSize, keeping: 0)
        let got = try Self.fill(&payload, count: headerSize, from: source)
        guard got == headerSize else {
            throw .badData(
                place: "byte \(offset + got)", "the file ends", expected: "a trailer: the file is cut short")
        }
        let header = try ChunkHeader(
            decoding: UnsafeRawBufferPointer(start: payload.pointer, count: headerSize), place: "byte \(offset)")
        let total = header.payloadSize.addingReportingOverflow(ContainerFormat.chunkOverhead)
        guard !total.overflow else {
            throw .badData(
                place: "chunk \(header.type) at byte \(offset)", "payload of \(header.payloadSize) bytes",
                expected: "fewer")
        }
        // What a header claims is believed only as far as bytes arrive.
        var count = headerSize
        while count < total.partialValue {
            let step = min(total.partialValue - count, max(1 << 16, count))
            reserve(count + step, keeping: count)
            let got = try Self.fill(&payload, at: count, count: step, from: source)
            count += got
            guard got == step else {
                throw .badData(
                    place: "chunk \(header.type) at byte \(offset)", "the file ends at byte \(offset + count)",
                    expected: "\(total.partialValue) bytes of the chunk")
            }
        }
        var chunk = try Chunk(of: UnsafeRawBufferPointer(start: payload.pointer, count: count), at: 0)
        chunk.offset = offset
        return chunk
    }

    private mutating func reserve(_ count: Int, keeping kept: Int) {
        guard payload.count < count else { return }
        let larger = Buffer<UInt8>(uninitialized: max(count, 2 * payload.count))
        larger.pointer.update(from: payload.pointer, count: kept)
        payload = larger
    }

    private static func fill(
        _ buffer: inout Buffer<UInt8>, at start: Int = 0, count: Int, from source: ByteSource
    ) throws(Failure) -> Int {
        var filled = 0
        while filled < count {
            let room = UnsafeMutableRawBufferPointer(
                start: buffer.pointer + start + filled, count: count - filled)
            let got = try source(room)
            if got == 0 { break }
            filled += got
        }
        return filled
    }
}

/// One group as a volume of its own.
func decodeGroup(
    _ chunk: Chunk, _ entry: GroupEntry, _ decoder: GroupDecoder, _ metadata: GridMetadata
) throws(Failure) -> SparseVolume {
    let bricks = Buffer<BrickCoordinate>(uninitialized: entry.brickCount)
    let masks = Buffer<UInt64>(uninitialized: entry.brickCount * 8)
    let values = Buffer<Float>(uninitialized: entry.activeCount * metadata.channels)
    let room = BrickRoom(
        bricks: UnsafeMutableBufferPointer(start: bricks.pointer, count: entry.brickCount), masks: masks.pointer,
        values: values.pointer)
    try decoder.decode(chunk.payload, place: chunk.place, into: room)
    return SparseVolume(metadata: metadata, bricks: bricks, masks: masks, values: values)
}
