import SSDFCore

/// What a GEND chunk holds: the counts that a reader checks what it read against, and what the values span.
package struct GridTotals: Sendable, Equatable {
    /// Bytes of the chunk's payload.
    package static let payloadSize = 80

    /// Groups of the grid.
    package var groupCount = 0
    /// Bricks of the grid.
    package var brickCount = 0
    /// Active voxels of the grid.
    package var activeCount = 0
    /// Bytes of the grid's BRKS chunks, headers and checksums included.
    package var storedBytes = 0
    /// Smallest and largest of the stored values, NaNs aside; both 0 when there are none.
    package var minimum = 0.0
    /// The largest of the stored values; see `minimum`.
    package var maximum = 0.0
    /// The largest difference between a value that was given and the value stored for it; in the values' units.
    package var errorBound = 0.0
    /// Corners of the box of the bricks, inclusive; zeros when there are none.
    package var firstCorner = BrickCoordinate(0, 0, 0)
    /// The corner of that box with the greatest coordinates.
    package var lastCorner = BrickCoordinate(0, 0, 0)

    /// The totals of a grid without bricks.
    package init() {}

    func encoded() -> [UInt8] {
        var builder = ByteBuilder()
        builder.append(UInt64(groupCount))
        builder.append(UInt64(brickCount))
        builder.append(UInt64(activeCount))
        builder.append(UInt64(storedBytes))
        builder.append(minimum)
        builder.append(maximum)
        builder.append(errorBound)
        builder.append(firstCorner)
        builder.append(lastCorner)
        return builder.bytes
    }

    init(decoding payload: UnsafeRawBufferPointer, place: String) throws(Failure) {
        var cursor = FieldCursor(payload, place: place)
        groupCount = try cursor.count("group count")
        brickCount = try cursor.count("brick count")
        activeCount = try cursor.count("active voxel count")
        storedBytes = try cursor.count("stored bytes")
        minimum = try cursor.double("minimum")
        maximum = try cursor.double("maximum")
        errorBound = try cursor.finite("error bound")
        guard errorBound >= 0 else {
            throw .badData(place: place, "error bound is \(errorBound)", expected: "0 or more")
        }
        guard minimum <= maximum else {
            throw .badData(place: place, "values span \(minimum) to \(maximum)", expected: "ascending numbers")
        }
        firstCorner = try cursor.coordinate("first corner")
        lastCorner = try cursor.coordinate("last corner")
        try cursor.expectEnd()
    }

    /// Takes one group into the totals.
    mutating func add(_ entry: GroupEntry) {
        let isFirst = groupCount == 0
        groupCount += 1
        brickCount += entry.brickCount
        activeCount += entry.activeCount
        storedBytes += entry.chunkSize
        firstCorner = isFirst ? entry.firstCorner : firstCorner.lowered(to: entry.firstCorner)
        lastCorner = isFirst ? entry.lastCorner : lastCorner.raised(to: entry.lastCorner)
    }
}

extension FieldCursor {
    /// A 64-bit count that fits in an `Int`.
    mutating func count(_ field: @autoclosure () -> String) throws(Failure) -> Int {
        let number = try integer(UInt64.self, field())
        guard number <= UInt64(Int64.max) else {
            throw .badData(place: place, "\(field()) is \(number)", expected: "below 2^63")
        }
        return Int(number)
    }
}

extension BrickCoordinate {
    /// The component-wise minimum.
    func lowered(to other: Self) -> Self { Self(min(x, other.x), min(y, other.y), min(z, other.z)) }
    /// The component-wise maximum.
    func raised(to other: Self) -> Self { Self(max(x, other.x), max(y, other.y), max(z, other.z)) }
}
