import SSDFCore

/// Little-endian bytes, appended one field at a time.
struct ByteBuilder {
    private(set) var bytes: [UInt8] = []

    mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ number: Double) { append(number.bitPattern) }

    mutating func append(_ transform: AffineTransform3) {
        for number in transform.rows { append(number) }
    }

    /// Length in bytes as 32 bits, then UTF-8.
    mutating func append(_ text: String) {
        append(UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func append(_ coordinate: BrickCoordinate) {
        append(coordinate.x)
        append(coordinate.y)
        append(coordinate.z)
    }
}
