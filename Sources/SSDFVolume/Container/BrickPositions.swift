import SSDFCore

/// Positions of the bricks of a group after its first, as differences in LEB128 numbers. Bricks ascend by x, then y,
/// then z, and mostly follow one another along z, so most take one byte.
enum BrickPositions {
    /// Bytes one position takes at most: four numbers of 32 bits, five bytes each.
    static let largestSize = 20

    /// Appends the positions of `bricks` after the first.
    /// - Returns: the bytes written to `output`, which has room for `largestSize` a brick.
    static func encode(_ bricks: UnsafeBufferPointer<BrickCoordinate>, into output: UnsafeMutablePointer<UInt8>) -> Int
    {
        var at = 0
        func append(_ number: UInt32) {
            var rest = number
            while rest >= 0x80 {
                output[at] = UInt8(truncatingIfNeeded: rest) | 0x80
                at += 1
                rest >>= 7
            }
            output[at] = UInt8(rest)
            at += 1
        }
        for index in 1..<max(1, bricks.count) {
            let (before, brick) = (bricks[index - 1], bricks[index])
            if brick.x == before.x, brick.y == before.y {
                append(UInt32(brick.z - before.z))
                continue
            }
            append(0)
            if brick.x == before.x {
                append(UInt32(brick.y - before.y))
            } else {
                append(0)
                append(UInt32(brick.x - before.x))
                append(zigzag(brick.y - before.y))
            }
            append(zigzag(brick.z - before.z))
        }
        return at
    }

    /// Reads the positions of `bricks` after the first, which is there already.
    /// - Throws: `badData` when the bytes end, a number is longer than 32 bits, a position is out of range, or a brick
    ///   does not come after the one before it.
    static func decode(
        _ cursor: inout FieldCursor, into bricks: UnsafeMutableBufferPointer<BrickCoordinate>
    ) throws(Failure) {
        for index in 1..<max(1, bricks.count) {
            let before = bricks[index - 1]
            var (x, y, z) = (Int64(before.x), Int64(before.y), Int64(before.z))
            let alongZ = try cursor.leb128("position of brick \(index)")
            if alongZ > 0 {
                z += Int64(alongZ)
            } else {
                let alongY = try cursor.leb128("position of brick \(index)")
                if alongY > 0 {
                    y += Int64(alongY)
                } else {
                    let alongX = try cursor.leb128("position of brick \(index)")
                    guard alongX > 0 else {
                        throw .badData(
                            place: cursor.place, "brick \(index) lies where the one before it does",
                            expected: "ascending bricks")
                    }
                    x += Int64(alongX)
                    y += Int64(unzigzag(try cursor.leb128("position of brick \(index)")))
                }
                z += Int64(unzigzag(try cursor.leb128("position of brick \(index)")))
            }
            let range = Int64(BrickCoordinate.range.lowerBound)...Int64(BrickCoordinate.range.upperBound)
            guard range.contains(x), range.contains(y), range.contains(z) else {
                throw .badData(
                    place: cursor.place, "brick \(index) lies at (\(x), \(y), \(z))",
                    expected: "\(range.lowerBound) to \(range.upperBound)")
            }
            bricks[index] = BrickCoordinate(Int32(x), Int32(y), Int32(z))
        }
    }

    static func zigzag(_ number: Int32) -> UInt32 { UInt32(bitPattern: number << 1 ^ number >> 31) }
    static func unzigzag(_ number: UInt32) -> Int32 { Int32(bitPattern: number >> 1) ^ -Int32(number & 1) }
}

extension FieldCursor {
    /// An unsigned LEB128 number of at most 32 bits.
    mutating func leb128(_ field: @autoclosure () -> String) throws(Failure) -> UInt32 {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try integer(UInt8.self, field())
            number |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { break }
            shift += 7
            guard shift < 35 else {
                throw .badData(place: place, "\(field()) has a number of more than five bytes", expected: "32 bits")
            }
        }
        guard number <= UInt64(UInt32.max) else {
            throw .badData(place: place, "\(field()) has a number of more than 32 bits", expected: "32 bits")
        }
        return UInt32(number)
    }
}
