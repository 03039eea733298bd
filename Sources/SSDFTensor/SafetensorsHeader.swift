import SSDFCore

/// One tensor of a safetensors file: what it is and where its bytes lie.
package struct SafetensorsEntry: Sendable, Equatable {
    /// Its name, unique in the file.
    package var name: String
    /// Type of its elements.
    package var type: ElementType
    /// Sides, outermost first; empty for a scalar.
    package var shape: [Int]
    /// Bytes after the header, row-major, little-endian.
    package var range: Range<Int>

    /// An entry of these properties.
    package init(name: String, type: ElementType, shape: [Int], range: Range<Int>) {
        self.name = name
        self.type = type
        self.shape = shape
        self.range = range
    }

    /// The number of elements: the product of the sides.
    package var elementCount: Int { range.count / type.byteCount }
}

/// The table of contents of a safetensors file, checked in full.
///
/// A file is `u64` header length, the header (a JSON object, possibly padded with spaces), and the data. Every tensor's
/// range must have the length of its type and shape, and the ranges must cover the data without overlap or hole:
/// then a file can hide nothing, and no two names share bytes.
///
/// Source: the format description of the safetensors project, version 0.4 and later.
package struct SafetensorsHeader: Sendable {
    /// Longest header accepted, in bytes: what the reference implementation accepts.
    package static let maximumLength = 100_000_000

    /// The strings under `__metadata__`, sorted by key.
    package var metadata: [(key: String, value: String)]
    /// In the order of their bytes.
    package var entries: [SafetensorsEntry]
    /// Where the data starts in the file, in bytes.
    package var dataOffset: Int

    /// Reads and checks the header of a complete file.
    /// - Parameter bytes: the whole file; only the header is touched.
    /// - Throws: `badData`, naming the tensor and the rule it breaks.
    /// - Complexity: O(header length + tensors · log tensors).
    package init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard bytes.count >= 8 else {
            throw .badData("the file has \(bytes.count) bytes", expected: "a safetensors file: at least 8")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(Self.maximumLength) else {
            throw .badData(
                place: "byte 0", "header length \(length)",
                expected: "a safetensors file: at most \(Self.maximumLength)")
        }
        guard Int(length) <= bytes.count - 8 else {
            throw .badData(
                place: "byte 0", "header length \(length), of \(bytes.count - 8) bytes that follow",
                expected: "a complete file")
        }
        dataOffset = 8 + Int(length)
        var parser = SafetensorsHeaderParser(UnsafeRawBufferPointer(rebasing: bytes[8..<dataOffset]))
        (metadata, entries) = try parser.parse()
        try checkRanges(dataLength: bytes.count - dataOffset)
    }

    /// Sorts the entries by position and checks that they tile the data exactly.
    private mutating func checkRanges(dataLength: Int) throws(Failure) {
        for entry in entries {
            guard let count = entry.type.elementCount(of: entry.shape) else {
                throw .badData(
                    place: "tensor \"\(entry.name)\"", "shape \(entry.shape) is larger than any file",
                    expected: "a size below 2^63 bytes")
            }
            guard entry.range.count == count * entry.type.byteCount else {
                throw .badData(
                    place: "tensor \"\(entry.name)\"", "\(entry.range.count) bytes of data",
                    expected: "\(count * entry.type.byteCount) for \(entry.type.rawValue) \(entry.shape)")
            }
            guard entry.range.upperBound <= dataLength else {
                throw .badData(
                    place: "tensor \"\(entry.name)\"", "data ends at \(entry.range.upperBound)",
                    expected: "at most \(dataLength), the length of the data")
            }
        }
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var end = 0
        for entry in entries {
            if entry.range.lowerBound != end {
                let relation = entry.range.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole"
                throw .badData(
                    place: "tensor \"\(entry.name)\"", "data starts at \(entry.range.lowerBound), which \(relation)",
                    expected: "\(end)")
            }
            end = entry.range.upperBound
        }
        guard end == dataLength else {
            throw .badData("\(dataLength - end) bytes after the last tensor", expected: "none")
        }
    }
}
