import CZlib

extension ZipArchive {
    /// The most bytes of a deflated member that are unpacked into memory. Checkpoints store their weights unpacked, so
    /// this bounds memory without bounding them.
    package static let inflateLimit = 256 << 20

    /// A stored member's bytes, in the archive.
    /// - Precondition: `entry.method == .stored`, and `bytes` is the archive.
    package static func storedBytes(of entry: Entry, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        precondition(entry.method == .stored)
        return UnsafeRawBufferPointer(rebasing: bytes[entry.dataOffset..<entry.dataOffset + entry.compressedSize])
    }

    /// Unpacks a deflated member and checks its length and checksum.
    /// - Throws: `badData` when the stream is broken, is longer or shorter than the directory says, or its checksum is
    ///   another; also when it would need more than `limit` bytes.
    package static func inflate(
        _ entry: Entry, in bytes: UnsafeRawBufferPointer, limit: Int = inflateLimit
    ) throws(Failure) -> Buffer<UInt8> {
        precondition(entry.method == .deflated)
        let place = "zip member \"\(entry.name)\""
        guard entry.size <= limit else {
            throw .badData(
                place: place, "\(entry.size) bytes, compressed",
                expected: "at most \(limit) (weights are stored as they are)")
        }
        let packed = UnsafeRawBufferPointer(
            rebasing: bytes[entry.dataOffset..<entry.dataOffset + entry.compressedSize])
        guard let result = try inflated(packed, size: entry.size, wrapping: .raw) else {
            throw .badData(
                place: place, "a deflate stream that is broken or of another length",
                expected: "\(entry.size) bytes out of \(entry.compressedSize)")
        }
        try check(entry, UnsafeRawBufferPointer(result.unsafeElements))
        return result
    }

    /// Compares a member's unpacked bytes with its checksum.
    /// - Throws: `badData` when the archive is damaged.
    package static func check(_ entry: Entry, _ content: UnsafeRawBufferPointer) throws(Failure) {
        var checksum = ZipChecksum()
        checksum.update(content)
        try checksum.compare(with: entry)
    }
}

/// The checksum of a member, taken part by part.
package struct ZipChecksum {
    /// CRC-32 of the parts so far.
    package private(set) var value: UInt = 0

    /// The checksum of no bytes.
    package init() {}

    /// Adds the next part.
    package mutating func update(_ part: UnsafeRawBufferPointer) {
        guard let start = part.baseAddress else { return }
        value = crc32_z(value, start.assumingMemoryBound(to: UInt8.self), part.count)
    }

    /// - Throws: `badData` when the directory names another checksum: the archive is damaged.
    package func compare(with entry: ZipArchive.Entry) throws(Failure) {
        guard value == UInt(entry.crc32) else {
            throw .badData(
                place: "zip member \"\(entry.name)\"", "checksum \(String(value, radix: 16))",
                expected: "\(String(entry.crc32, radix: 16)): the file is damaged")
        }
    }
}
