import SSDFCore

/// Reads little-endian fields from bytes of known extent, and refuses to read past them.
struct FieldCursor {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0
    /// What the bytes are, for messages.
    let place: String

    init(_ bytes: UnsafeRawBufferPointer, place: String) {
        self.bytes = bytes
        self.place = place
    }

    var remaining: Int { bytes.count - offset }

    /// - Throws: `badData` naming the field when fewer than `count` bytes are left.
    mutating func take(_ count: Int, _ field: @autoclosure () -> String) throws(Failure) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else {
            throw .badData(
                place: place, "\(field()) needs \(count) bytes but \(remaining) are left", expected: "the whole of it")
        }
        let part = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        offset += count
        return part
    }

    mutating func integer<Number: FixedWidthInteger>(
        _ type: Number.Type, _ field: @autoclosure () -> String
    ) throws(Failure) -> Number {
        let part = try take(MemoryLayout<Number>.size, field())
        return Number(littleEndian: part.loadUnaligned(as: Number.self))
    }

    mutating func double(_ field: @autoclosure () -> String) throws(Failure) -> Double {
        Double(bitPattern: try integer(UInt64.self, field()))
    }

    /// - Throws: `badData` when the number is infinite or not a number.
    mutating func finite(_ field: @autoclosure () -> String) throws(Failure) -> Double {
        let number = try double(field())
        guard number.isFinite else {
            throw .badData(place: place, "\(field()) is \(number)", expected: "a finite number")
        }
        return number
    }

    mutating func transform(_ field: @autoclosure () -> String) throws(Failure) -> AffineTransform3 {
        var rows: [Double] = []
        for _ in 0..<12 { rows.append(try finite(field())) }
        return AffineTransform3(rows: rows)
    }

    mutating func text(_ field: @autoclosure () -> String, longest: Int) throws(Failure) -> String {
        let count = Int(try integer(UInt32.self, field()))
        guard count <= longest else {
            throw .badData(place: place, "\(field()) has \(count) bytes", expected: "at most \(longest)")
        }
        let part = try take(count, field())
        guard let text = String(validating: part, as: UTF8.self) else {
            throw .badData(place: place, "\(field()) is not UTF-8", expected: "UTF-8")
        }
        return text
    }

    mutating func coordinate(_ field: @autoclosure () -> String) throws(Failure) -> BrickCoordinate {
        let x = try integer(Int32.self, field())
        let y = try integer(Int32.self, field())
        let z = try integer(Int32.self, field())
        let range = BrickCoordinate.range
        guard range.contains(x), range.contains(y), range.contains(z) else {
            throw .badData(
                place: place, "\(field()) is (\(x), \(y), \(z))", expected: "\(range.lowerBound) to \(range.upperBound)"
            )
        }
        return BrickCoordinate(x, y, z)
    }

    /// - Throws: `badData` when bytes are left over.
    func expectEnd() throws(Failure) {
        guard remaining == 0 else {
            throw .badData(place: place, "\(remaining) bytes follow the last field", expected: "none")
        }
    }
}
