import SSDFCore

/// What a container's signature, trailer, index and grid headers say, checked against one another and against the
/// bytes there are.
struct VolumeContents {
    private(set) var grids: [StoredGrid] = []
    private(set) var ancillaryChunks: [AncillaryChunk] = []

    /// - Throws: `badData` at the first rule that does not hold.
    init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try checkSignature(bytes)
        let (index, indexOffset) = try Self.index(of: bytes)
        var names: Set<String> = []
        var offset = ContainerFormat.signature.count
        for (number, entry) in index.grids.enumerated() {
            ancillaryChunks += try ancillary(of: bytes, from: offset, to: entry.headerOffset)
            let grid = try Self.grid(entry, of: bytes, number: number)
            guard names.insert(grid.metadata.name).inserted else {
                throw .badData(
                    place: "chunk GRID at byte \(entry.headerOffset)", "the name \"\(grid.metadata.name)\" is taken",
                    expected: "names unique in the file")
            }
            offset = entry.endOffset + ContainerFormat.chunkOverhead + GridTotals.payloadSize
            grids.append(grid)
        }
        ancillaryChunks += try ancillary(of: bytes, from: offset, to: indexOffset)
    }

    private static func index(of bytes: UnsafeRawBufferPointer) throws(Failure) -> (VolumeIndex, offset: Int) {
        let trailerOffset = bytes.count - ContainerFormat.trailerSize
        guard trailerOffset >= ContainerFormat.signature.count else {
            throw .badData(
                place: "byte \(bytes.count)", "the file ends after \(bytes.count) bytes",
                expected: "a trailer: the file is cut short")
        }
        let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: trailerOffset, as: UInt32.self))
        guard ChunkType(code: word) == .fileEnd else {
            throw .badData(
                place: "byte \(trailerOffset)", "no trailer", expected: "chunk FEND: the file is cut short or continued"
            )
        }
        let trailer = try Chunk(of: bytes, at: trailerOffset)
        try trailer.expectNoFlags()
        var cursor = FieldCursor(trailer.payload, place: trailer.place)
        let indexOffset = try cursor.count("index offset")
        let length = try cursor.count("file length")
        try cursor.expectEnd()
        guard length == bytes.count else {
            throw .badData(place: trailer.place, "file length is \(length)", expected: "\(bytes.count)")
        }
        let chunk = try Chunk(of: bytes, at: indexOffset)
        guard chunk.type == .index else {
            throw .badData(place: "byte \(indexOffset)", "chunk \(chunk.type)", expected: "chunk INDX")
        }
        try chunk.expectNoFlags()
        guard chunk.offset + chunk.size == trailerOffset else {
            throw .badData(
                place: chunk.place, "ends at byte \(chunk.offset + chunk.size)", expected: "byte \(trailerOffset)")
        }
        return (try VolumeIndex(decoding: chunk.payload, place: chunk.place), indexOffset)
    }

    private static func grid(
        _ entry: GridEntry, of bytes: UnsafeRawBufferPointer, number: Int
    ) throws(Failure) -> StoredGrid {
        let headerChunk = try Chunk(of: bytes, at: entry.headerOffset)
        guard headerChunk.type == .grid else {
            throw .badData(
                place: "byte \(entry.headerOffset)", "chunk \(headerChunk.type)",
                expected: "chunk GRID of grid \(number)")
        }
        try headerChunk.expectNoFlags()
        let header = try GridHeader(decoding: headerChunk.payload, place: headerChunk.place)
        var chunks: [AncillaryChunk] = []
        var offset = entry.headerOffset + headerChunk.size
        var sums = GridTotals()
        for group in entry.groups {
            chunks += try ancillary(of: bytes, from: offset, to: group.offset)
            guard group.chunkSize >= ContainerFormat.chunkOverhead, group.chunkSize <= bytes.count - group.offset else {
                throw .badData(
                    place: "chunk INDX", "group at byte \(group.offset) has \(group.chunkSize) bytes",
                    expected: "a chunk within the file")
            }
            sums.add(group)
            offset = group.offset + group.chunkSize
        }
        chunks += try ancillary(of: bytes, from: offset, to: entry.endOffset)
        let endChunk = try Chunk(of: bytes, at: entry.endOffset)
        guard endChunk.type == .gridEnd else {
            throw .badData(
                place: "byte \(entry.endOffset)", "chunk \(endChunk.type)", expected: "chunk GEND of grid \(number)")
        }
        try endChunk.expectNoFlags()
        let totals = try GridTotals(decoding: endChunk.payload, place: endChunk.place)
        sums.minimum = totals.minimum
        sums.maximum = totals.maximum
        sums.errorBound = totals.errorBound
        guard sums == totals else {
            throw .badData(
                place: endChunk.place, "totals differ from the index", expected: "the sums over the grid's groups")
        }
        return StoredGrid(header: header, totals: totals, entry: entry, ancillaryChunks: chunks)
    }
}

/// - Throws: `badData` telling a damaged signature, an unknown version and a different file apart.
func checkSignature(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    let signature = ContainerFormat.signature
    guard bytes.count >= 5, bytes.prefix(5).elementsEqual(signature.prefix(5)) else {
        throw .badData(place: "byte 0", "not an ssdf file", expected: "the bytes 89 53 53 44 46")
    }
    guard bytes.count >= signature.count else {
        throw .badData(place: "byte \(bytes.count)", "the file ends in its signature", expected: "12 bytes of it")
    }
    guard bytes[5..<10].elementsEqual(signature[5..<10]) else {
        throw .badData(
            place: "byte 5", "the signature is damaged", expected: "0d 0a 1a 0a 00: a transfer as text changes it")
    }
    let version = Int(bytes[10]) | Int(bytes[11]) << 8
    guard version == Int(ContainerFormat.version) else {
        throw .badData(place: "byte 10", "version \(version)", expected: "version \(ContainerFormat.version)")
    }
}

/// The ancillary chunks that fill the bytes between two known places.
/// - Throws: `badData` when the places are misordered or something else lies between them.
private func ancillary(
    of bytes: UnsafeRawBufferPointer, from start: Int, to end: Int
) throws(Failure) -> [AncillaryChunk] {
    guard start <= end else {
        throw .badData(place: "chunk INDX", "a chunk at byte \(end)", expected: "byte \(start) or later")
    }
    var chunks: [AncillaryChunk] = []
    var offset = start
    while offset < end {
        let chunk = try Chunk(of: bytes, at: offset)
        guard !chunk.type.isCritical else {
            throw .badData(
                place: chunk.place, "a critical chunk of this type",
                expected: "none here: the index does not know it, or this version does not")
        }
        guard chunk.payload.count <= ContainerFormat.largestAncillaryPayload, chunk.offset + chunk.size <= end else {
            throw .badData(place: chunk.place, "\(chunk.payload.count) bytes", expected: "an end by byte \(end)")
        }
        chunks.append(AncillaryChunk(type: chunk.type, flags: chunk.header.flags, payload: Array(chunk.payload)))
        offset += chunk.size
    }
    return chunks
}
