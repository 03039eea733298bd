import SSDFCore

/// Follows the chunks of a container in order and holds them to the rules about order, counts and index. Whoever reads
/// front to back feeds it chunks; it says what each one is.
struct ContainerWalk {
    enum Step {
        case gridStart(GridHeader)
        /// The box of the entry is not known before the bricks are decoded: see `didDecode`.
        case group(GroupEntry)
        case gridEnd(GridTotals)
        case ancillary(AncillaryChunk)
        case index
        case fileEnd
    }

    /// Where the next chunk starts.
    private(set) var offset = ContainerFormat.signature.count
    /// The header of the open grid.
    private(set) var header: GridHeader?
    private(set) var decoder: GroupDecoder?
    private(set) var isComplete = false
    /// The index that the file should have.
    private(set) var index = VolumeIndex()

    private var names: Set<String> = []
    private var entry = GridEntry(headerOffset: 0, endOffset: 0)
    private var sums = GridTotals()
    private var span = ValueSpan()
    private var lastBrick: BrickCoordinate?
    private var indexOffset: Int?

    /// Passes over a chunk that cannot be used.
    mutating func skip(_ size: Int) { offset += size }

    /// - Throws: `badData` when the chunk may not stand here or what it holds breaks a rule. The walk has passed it then.
    mutating func take(_ chunk: Chunk) throws(Failure) -> Step {
        offset = chunk.offset + chunk.size
        if indexOffset != nil, chunk.type != .fileEnd {
            throw .badData(place: chunk.place, "a chunk after the index", expected: "chunk FEND")
        }
        switch chunk.type {
        case .grid: return .gridStart(try startGrid(chunk))
        case .bricks: return .group(try startGroup(chunk))
        case .gridEnd: return .gridEnd(try endGrid(chunk))
        case .index:
            try checkIndex(chunk)
            return .index
        case .fileEnd:
            try checkTrailer(chunk)
            return .fileEnd
        default:
            guard !chunk.type.isCritical else {
                throw .badData(place: chunk.place, "an unknown critical chunk", expected: "one of this version")
            }
            guard chunk.payload.count <= ContainerFormat.largestAncillaryPayload else {
                throw .badData(
                    place: chunk.place, "\(chunk.payload.count) bytes",
                    expected: "at most \(ContainerFormat.largestAncillaryPayload)")
            }
            return .ancillary(
                AncillaryChunk(type: chunk.type, flags: chunk.header.flags, payload: Array(chunk.payload)))
        }
    }

    private mutating func startGrid(_ chunk: Chunk) throws(Failure) -> GridHeader {
        try chunk.expectNoFlags()
        if let header {
            throw .badData(
                place: chunk.place, "a grid starts inside grid \"\(header.metadata.name)\"",
                expected: "chunk GEND first")
        }
        guard chunk.payload.count <= ContainerFormat.largestGridPayload else {
            throw .badData(
                place: chunk.place, "\(chunk.payload.count) bytes",
                expected: "at most \(ContainerFormat.largestGridPayload)")
        }
        let header = try GridHeader(decoding: chunk.payload, place: chunk.place)
        entry = GridEntry(headerOffset: chunk.offset, endOffset: 0)
        sums = GridTotals()
        span = ValueSpan()
        lastBrick = nil
        self.header = header
        decoder = GroupDecoder(header: header)
        guard names.insert(header.metadata.name).inserted else {
            throw .badData(
                place: chunk.place, "the name \"\(header.metadata.name)\" is taken",
                expected: "names unique in the file")
        }
        return header
    }

    private func startGroup(_ chunk: Chunk) throws(Failure) -> GroupEntry {
        try chunk.expectNoFlags()
        guard let header else {
            throw .badData(place: chunk.place, "bricks outside a grid", expected: "chunk GRID first")
        }
        var cursor = FieldCursor(chunk.payload, place: chunk.place)
        let counts = try GroupCounts(&cursor, channels: header.metadata.channels)
        return GroupEntry(
            offset: chunk.offset, chunkSize: chunk.size, brickCount: counts.brickCount,
            activeCount: counts.activeCount, firstCorner: counts.firstBrick, lastCorner: counts.firstBrick)
    }

    /// Takes a decoded group into the sums and the index.
    /// - Throws: `badData` when its bricks do not come after the group before.
    mutating func didDecode(_ volume: borrowing SparseVolume, chunk: Chunk) throws(Failure) {
        let bricks = volume.bricks.unsafeElements
        var group = GroupEntry(
            offset: chunk.offset, chunkSize: chunk.size, brickCount: bricks.count, activeCount: volume.activeCount,
            firstCorner: bricks[0], lastCorner: bricks[0])
        for brick in bricks {
            group.firstCorner = group.firstCorner.lowered(to: brick)
            group.lastCorner = group.lastCorner.raised(to: brick)
        }
        entry.groups.append(group)
        sums.add(group)
        span.add(volume.values.pointer, volume.values.count)
        let before = lastBrick
        lastBrick = bricks[bricks.count - 1]
        if let before, !(before < bricks[0]) {
            throw .badData(
                place: chunk.place, "its first brick is not after the group before", expected: "ascending bricks")
        }
    }

    private mutating func endGrid(_ chunk: Chunk) throws(Failure) -> GridTotals {
        try chunk.expectNoFlags()
        guard header != nil else {
            throw .badData(place: chunk.place, "no grid is open", expected: "chunk GRID first")
        }
        header = nil
        decoder = nil
        entry.endOffset = chunk.offset
        index.grids.append(entry)
        let totals = try GridTotals(decoding: chunk.payload, place: chunk.place)
        sums.errorBound = totals.errorBound
        if span.minimum <= span.maximum {
            sums.minimum = span.minimum
            sums.maximum = span.maximum
        }
        guard sums == totals else {
            throw .badData(
                place: chunk.place, "totals differ from what the grid holds",
                expected: "\(sums.groupCount) groups, \(sums.brickCount) bricks, \(sums.activeCount) active voxels, "
                    + "\(sums.storedBytes) bytes, values \(sums.minimum) to \(sums.maximum)")
        }
        return totals
    }

    private mutating func checkIndex(_ chunk: Chunk) throws(Failure) {
        indexOffset = chunk.offset
        try chunk.expectNoFlags()
        if let header {
            throw .badData(
                place: chunk.place, "grid \"\(header.metadata.name)\" has no end", expected: "chunk GEND first")
        }
        guard try VolumeIndex(decoding: chunk.payload, place: chunk.place) == index else {
            throw .badData(place: chunk.place, "it differs from what the file holds", expected: "the same")
        }
    }

    private mutating func checkTrailer(_ chunk: Chunk) throws(Failure) {
        isComplete = true
        try chunk.expectNoFlags()
        guard let indexOffset else {
            throw .badData(place: chunk.place, "no index", expected: "chunk INDX first")
        }
        var cursor = FieldCursor(chunk.payload, place: chunk.place)
        let stored = try cursor.count("index offset")
        guard stored == indexOffset else {
            throw .badData(place: chunk.place, "index offset is \(stored)", expected: "\(indexOffset)")
        }
        let length = try cursor.count("file length")
        guard length == offset else {
            throw .badData(place: chunk.place, "file length is \(length)", expected: "\(offset)")
        }
        try cursor.expectEnd()
    }
}
