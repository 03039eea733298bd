import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where a decoded group goes. The room is what the counts in the group's first bytes say.
struct BrickRoom {
    /// `[brickCount]`
    var bricks: UnsafeMutableBufferPointer<BrickCoordinate>
    /// `[brickCount, 8]`
    var masks: UnsafeMutablePointer<UInt64>
    /// `[activeCount, channels]`
    var values: UnsafeMutablePointer<Float>
}

/// The counts at the start of a group.
struct GroupCounts: Equatable {
    var brickCount: Int
    var activeCount: Int
    var firstBrick: BrickCoordinate

    /// Reads and checks them.
    /// - Throws: `badData` when a count is outside what the format allows.
    init(_ cursor: inout FieldCursor, channels: Int) throws(Failure) {
        brickCount = Int(try cursor.integer(UInt32.self, "brick count"))
        activeCount = Int(try cursor.integer(UInt32.self, "active voxel count"))
        guard (1...ContainerFormat.largestGroupBricks).contains(brickCount) else {
            throw .badData(
                place: cursor.place, "\(brickCount) bricks", expected: "1 to \(ContainerFormat.largestGroupBricks)")
        }
        guard (brickCount...brickCount * 512).contains(activeCount) else {
            throw .badData(
                place: cursor.place, "\(activeCount) active voxels in \(brickCount) bricks",
                expected: "\(brickCount) to \(brickCount * 512)")
        }
        guard activeCount * channels <= ContainerFormat.largestGroupValues else {
            throw .badData(
                place: cursor.place, "\(activeCount) active voxels of \(channels) channels",
                expected: "at most \(ContainerFormat.largestGroupValues) values in a group")
        }
        firstBrick = try cursor.coordinate("first brick")
    }
}

/// Decodes BRKS payloads, one at a time. Each worker has its own.
final class GroupDecoder: @unchecked Sendable {
    let header: GridHeader
    private let decompressor: ZstdDecompressor?
    let isa = ssdf_isa()
    private(set) var elements = Buffer<Int32>(uninitialized: 0)
    private(set) var residuals = Buffer<Int32>(uninitialized: 0)
    private(set) var heads = Buffer<Int32>(uninitialized: 0)
    private(set) var rests = Buffer<UInt32>(uninitialized: 0)
    private(set) var digits = Buffer<UInt8>(uninitialized: 0)
    private(set) var channelValues = Buffer<Float>(uninitialized: 0)
    private(set) var scales = Buffer<Float>(uninitialized: 0)
    private(set) var raw = Buffer<UInt8>(uninitialized: 0)

    init(header: GridHeader) {
        self.header = header
        decompressor = header.codec == .zstd ? ZstdDecompressor() : nil
    }

    /// Decodes the payload of one BRKS chunk into room of exactly the size its counts say.
    /// - Throws: `badData` when a rule of ssdf(5) does not hold.
    func decode(_ payload: UnsafeRawBufferPointer, place: String, into room: BrickRoom) throws(Failure) {
        let channels = header.metadata.channels
        var cursor = FieldCursor(payload, place: place)
        let counts = try GroupCounts(&cursor, channels: channels)
        precondition(counts.brickCount == room.bricks.count)
        reserve(counts)
        try decodeTopology(&cursor, counts, into: room)
        for channel in 0..<channels { try decode(channel: channel, &cursor, counts, into: room) }
        try cursor.expectEnd()
    }

    private func decodeTopology(
        _ cursor: inout FieldCursor, _ counts: GroupCounts, into room: BrickRoom
    ) throws(Failure) {
        let largest = counts.brickCount * (BrickPositions.largestSize + 72)
        let bytes = try section(&cursor, "bricks", sizes: 9...largest)
        var topology = FieldCursor(bytes, place: cursor.place)
        room.bricks[0] = counts.firstBrick
        try BrickPositions.decode(&topology, into: room.bricks)
        let masks = try topology.take(topology.remaining, "masks")
        let size = ssdf_masks_decode(
            masks.baseAddress!.assumingMemoryBound(to: UInt8.self), masks.count, counts.brickCount, room.masks)
        guard size == masks.count, size > 0 else {
            throw .badData(
                place: cursor.place, "masks take \(size == 0 ? "more" : "\(size)") of \(masks.count) bytes",
                expected: "all of them")
        }
        var active = 0
        for brick in 0..<counts.brickCount {
            var count = 0
            for word in 0..<8 { count += room.masks[brick * 8 + word].nonzeroBitCount }
            guard count > 0 else {
                throw .badData(place: cursor.place, "brick \(brick) has an empty mask", expected: "an active voxel")
            }
            active += count
        }
        guard active == counts.activeCount else {
            throw .badData(
                place: cursor.place, "masks have \(active) active voxels", expected: "\(counts.activeCount)")
        }
    }

    private func reserve(_ counts: GroupCounts) {
        let (bricks, count) = (counts.brickCount, counts.activeCount)
        // Vector bodies read and write whole rows and blocks.
        let padded = count + 64
        let largest = max(padded * 4, bricks * (BrickPositions.largestSize + 72))
        if raw.count < largest { raw = Buffer(uninitialized: largest) }
        if elements.count < padded {
            elements = Buffer(uninitialized: padded)
            residuals = Buffer(uninitialized: padded)
            rests = Buffer(uninitialized: padded)
            digits = Buffer(uninitialized: padded)
            channelValues = Buffer(uninitialized: padded)
        }
        if scales.count < bricks {
            scales = Buffer(uninitialized: bricks)
            heads = Buffer(uninitialized: bricks)
        }
    }

    /// The bytes of a section, in place or decompressed; valid until the next one.
    /// - Parameter sizes: what its contents may come to; bounds what decompression writes.
    func section(
        _ cursor: inout FieldCursor, _ name: String, sizes: ClosedRange<Int>
    ) throws(Failure) -> UnsafeRawBufferPointer {
        let size = Int(try cursor.integer(UInt32.self, "size of \(name)"))
        let stored = Int(try cursor.integer(UInt32.self, "stored size of \(name)"))
        guard sizes.contains(size) else {
            let expected = sizes.count == 1 ? "\(sizes.lowerBound)" : "\(sizes.lowerBound) to \(sizes.upperBound)"
            throw .badData(place: cursor.place, "\(name) take \(size) bytes", expected: expected)
        }
        guard stored <= size, stored == size || decompressor != nil else {
            throw .badData(
                place: cursor.place, "\(name) take \(stored) bytes for \(size)",
                expected: decompressor == nil ? "\(size), as the codec is none" : "at most \(size)")
        }
        let bytes = try cursor.take(stored, name)
        guard stored < size, let decompressor else { return bytes }
        let output = UnsafeMutableRawBufferPointer(start: raw.pointer, count: size)
        try decompressor.decompress(bytes, into: output, place: cursor.place)
        return UnsafeRawBufferPointer(output)
    }
}
