import SSDFCore

/// Decodes groups of a grid into one volume, in parallel and in place.
///
/// Nothing is allocated before each group's own counts have been compared with the index.
func readGroups(
    _ grid: StoredGrid, _ groups: [GroupEntry], bytes: UnsafeRawBufferPointer, threads: Int
) throws(Failure) -> SparseVolume {
    let channels = grid.metadata.channels
    var starts: [(brick: Int, row: Int)] = []
    starts.reserveCapacity(groups.count)
    var (brickCount, activeCount) = (0, 0)
    for group in groups {
        try checkCounts(of: group, bytes: bytes, channels: channels)
        starts.append((brickCount, activeCount))
        brickCount += group.brickCount
        activeCount += group.activeCount
    }
    let bricks = Buffer<BrickCoordinate>(uninitialized: brickCount)
    let masks = Buffer<UInt64>(uninitialized: brickCount * 8)
    let values = Buffer<Float>(uninitialized: activeCount * channels)
    let (brickRoom, maskRoom, valueRoom) = (
        Unchecked(bricks.pointer), Unchecked(masks.pointer), Unchecked(values.pointer)
    )
    let decoders = (0..<min(threads, max(groups.count, 1))).map { _ in GroupDecoder(header: grid.header) }
    let places = starts
    let source = Unchecked(bytes)
    let failures = parallelFailures(groups.count, threads: threads) { (worker, index) throws(Failure) in
        let group = groups[index]
        let chunk = try Chunk(of: source.value, at: group.offset)
        let room = BrickRoom(
            bricks: UnsafeMutableBufferPointer(start: brickRoom.value + places[index].brick, count: group.brickCount),
            masks: maskRoom.value + places[index].brick * 8, values: valueRoom.value + places[index].row * channels)
        try decoders[worker].decode(chunk.payload, place: chunk.place, into: room)
        try checkBox(of: room.bricks, group, place: chunk.place)
    }
    if let failure = failures { throw failure }
    for index in 1..<max(1, groups.count) {
        let start = starts[index].brick
        guard bricks.pointer[start - 1] < bricks.pointer[start] else {
            throw .badData(
                place: "chunk BRKS at byte \(groups[index].offset)", "its first brick is not after the group before",
                expected: "ascending bricks")
        }
    }
    return SparseVolume(metadata: grid.metadata, bricks: bricks, masks: masks, values: values)
}

/// The counts in the group itself must be those of the index: room is made by them.
private func checkCounts(
    of group: GroupEntry, bytes: UnsafeRawBufferPointer, channels: Int
) throws(Failure) {
    let place = "chunk BRKS at byte \(group.offset)"
    let start = group.offset + ContainerFormat.chunkHeaderSize
    let header = try ChunkHeader(
        decoding: UnsafeRawBufferPointer(rebasing: bytes[group.offset..<start]), place: place)
    guard header.type == .bricks else {
        throw .badData(place: "byte \(group.offset)", "chunk \(header.type)", expected: "chunk BRKS")
    }
    guard header.flags == 0 else {
        throw .badData(place: place, "flags are \(hexadecimal(header.flags))", expected: "0")
    }
    guard header.payloadSize == group.chunkSize - ContainerFormat.chunkOverhead else {
        throw .badData(
            place: place, "payload of \(header.payloadSize) bytes",
            expected: "\(group.chunkSize - ContainerFormat.chunkOverhead), as the index says")
    }
    var cursor = FieldCursor(
        UnsafeRawBufferPointer(rebasing: bytes[start..<start + header.payloadSize]), place: place)
    let counts = try GroupCounts(&cursor, channels: channels)
    guard counts.brickCount == group.brickCount, counts.activeCount == group.activeCount else {
        throw .badData(
            place: place, "\(counts.brickCount) bricks with \(counts.activeCount) active voxels",
            expected: "\(group.brickCount) with \(group.activeCount), as the index says")
    }
}

private func checkBox(
    of bricks: UnsafeMutableBufferPointer<BrickCoordinate>, _ group: GroupEntry, place: String
) throws(Failure) {
    var (low, high) = (bricks[0], bricks[0])
    for brick in bricks {
        low = low.lowered(to: brick)
        high = high.raised(to: brick)
    }
    guard low == group.firstCorner, high == group.lastCorner else {
        throw .badData(place: place, "its bricks span another box than the index says", expected: "the same")
    }
}

/// Runs `body` for every index and returns the failure of the lowest index that failed.
func parallelFailures(
    _ count: Int, threads: Int, _ body: @Sendable (_ worker: Int, _ index: Int) throws(Failure) -> Void
) -> Failure? {
    var failures = [Failure?](repeating: nil, count: count)
    failures.withUnsafeMutableBufferPointer { slots in
        let slots = Unchecked(slots)
        parallelFor(count, threads: threads) { (worker: Int, range: Range<Int>) in
            for index in range {
                do throws(Failure) { try body(worker, index) } catch { slots.value[index] = error }
            }
        }
    }
    return failures.lazy.compactMap { $0 }.first
}

extension SparseVolume {
    /// The part inside a box of voxels, both corners included.
    /// - Complexity: O(active voxels).
    package borrowing func clipped(from low: VoxelCoordinate, through high: VoxelCoordinate) -> SparseVolume {
        var kept: [BrickCoordinate] = []
        var keptMasks: [UInt64] = []
        var rows: [Int] = []
        for brick in 0..<brickCount {
            let coordinate = bricks.pointer[brick]
            var words: [UInt64] = []
            var row = offsets.pointer[brick]
            for word in 0..<8 {
                var bits = masks.pointer[brick * 8 + word]
                var inside: UInt64 = 0
                while bits != 0 {
                    let bit = bits.trailingZeroBitCount
                    let voxel = coordinate.voxel(atBit: word << 6 | bit)
                    if voxel.x >= low.x, voxel.y >= low.y, voxel.z >= low.z,
                        voxel.x <= high.x, voxel.y <= high.y, voxel.z <= high.z
                    {
                        inside |= 1 << UInt64(bit)
                        rows.append(row)
                    }
                    row += 1
                    bits &= bits &- 1
                }
                words.append(inside)
            }
            guard words.contains(where: { $0 != 0 }) else { continue }
            kept.append(coordinate)
            keptMasks += words
        }
        let values = Buffer<Float>(uninitialized: rows.count * channels)
        for (index, row) in rows.enumerated() {
            for channel in 0..<channels {
                values.pointer[index * channels + channel] = self.values.pointer[row * channels + channel]
            }
        }
        return SparseVolume(metadata: metadata, bricks: Buffer(kept), masks: Buffer(keptMasks), values: values)
    }
}
