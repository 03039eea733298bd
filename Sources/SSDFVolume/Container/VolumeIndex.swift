import SSDFCore

/// Where one group of bricks lies in the file and in space.
package struct GroupEntry: Sendable, Equatable {
    static let size = 48

    /// Offset of the BRKS chunk from the start of the file.
    package var offset: Int
    /// Bytes of the chunk, header and checksum included.
    package var chunkSize: Int
    /// Bricks of the group.
    package var brickCount: Int
    /// Active voxels of the group.
    package var activeCount: Int
    /// Corners of the box of the bricks, inclusive.
    package var firstCorner: BrickCoordinate
    /// The corner of that box with the greatest coordinates.
    package var lastCorner: BrickCoordinate
}

/// Where one grid lies.
package struct GridEntry: Sendable, Equatable {
    /// Offset of the GRID chunk.
    package var headerOffset: Int
    /// Offset of the GEND chunk.
    package var endOffset: Int
    /// Its groups, in the file's order.
    package var groups: [GroupEntry] = []
}

/// What an INDX chunk holds.
package struct VolumeIndex: Sendable, Equatable {
    /// The grids, in the file's order.
    package var grids: [GridEntry] = []

    /// The index of no grids.
    package init() {}

    func encoded() -> [UInt8] {
        var builder = ByteBuilder()
        builder.append(UInt32(grids.count))
        for grid in grids {
            builder.append(UInt64(grid.headerOffset))
            builder.append(UInt64(grid.endOffset))
            builder.append(UInt64(grid.groups.count))
            for group in grid.groups {
                builder.append(UInt64(group.offset))
                builder.append(UInt64(group.chunkSize))
                builder.append(UInt32(group.brickCount))
                builder.append(UInt32(group.activeCount))
                builder.append(group.firstCorner)
                builder.append(group.lastCorner)
            }
        }
        return builder.bytes
    }

    init(decoding payload: UnsafeRawBufferPointer, place: String) throws(Failure) {
        var cursor = FieldCursor(payload, place: place)
        let gridCount = Int(try cursor.integer(UInt32.self, "grid count"))
        guard gridCount * 24 <= cursor.remaining else {
            throw .badData(
                place: place, "\(gridCount) grids in \(cursor.remaining) bytes", expected: "24 bytes or more each")
        }
        for _ in 0..<gridCount {
            var grid = GridEntry(
                headerOffset: try cursor.count("grid offset"), endOffset: try cursor.count("grid end offset"))
            let groupCount = try cursor.count("group count")
            guard groupCount <= cursor.remaining / GroupEntry.size else {
                throw .badData(
                    place: place, "\(groupCount) groups in \(cursor.remaining) bytes",
                    expected: "\(GroupEntry.size) bytes each")
            }
            grid.groups.reserveCapacity(groupCount)
            for _ in 0..<groupCount {
                grid.groups.append(
                    GroupEntry(
                        offset: try cursor.count("group offset"), chunkSize: try cursor.count("group size"),
                        brickCount: Int(try cursor.integer(UInt32.self, "brick count")),
                        activeCount: Int(try cursor.integer(UInt32.self, "active voxel count")),
                        firstCorner: try cursor.coordinate("first corner"),
                        lastCorner: try cursor.coordinate("last corner")))
            }
            grids.append(grid)
        }
        try cursor.expectEnd()
    }
}
