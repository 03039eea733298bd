/// Reads little-endian numbers and byte ranges in order, and never past its end.
package struct ByteCursor {
    /// What is read from.
    package let bytes: UnsafeRawBufferPointer
    /// Offset of the next byte, from the start of `bytes`.
    package private(set) var position: Int
    /// Offset at which reading ends.
    package let end: Int

    /// - Precondition: `at` and `end` lie within `bytes`.
    package init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0, end: Int? = nil) {
        self.bytes = bytes
        self.position = position
        self.end = end ?? bytes.count
        precondition(position >= 0 && position <= self.end && self.end <= bytes.count)
    }

    /// Bytes that are left.
    package var remaining: Int { end - position }

    /// The next number.
    package mutating func next<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type = Number.self
    ) throws(Failure) -> Number {
        let size = MemoryLayout<Number>.size
        guard size <= remaining else { throw truncated(size) }
        defer { position += size }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    /// The next `count` bytes.
    package mutating func take(_ count: Int) throws(Failure) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw truncated(count) }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    /// The next `count` bytes as UTF-8 text.
    package mutating func text(_ count: Int) throws(Failure) -> String {
        let start = position
        let raw = try take(count)
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw .badData(place: "byte \(start)", "text that is not UTF-8", expected: "UTF-8")
        }
        return text
    }

    private func truncated(_ wanted: Int) -> Failure {
        .badData(place: "byte \(position)", "\(remaining) bytes left", expected: "\(wanted)")
    }
}
