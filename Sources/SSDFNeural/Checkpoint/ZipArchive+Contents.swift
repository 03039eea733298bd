import CZlib
import SSDFCore

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
        let result = Buffer<UInt8>(uninitialized: entry.size)
        var stream = z_stream()
        // Negative window bits: a raw deflate stream, without the header of zlib.
        guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw Failure(.unavailable, place: place, "out of memory")
        }
        defer { inflateEnd(&stream) }
        var consumed = 0
        var produced = 0
        var status = Z_OK
        // zlib counts in 32 bits; pieces keep below that.
        let piece = 1 << 30
        while status == Z_OK {
            let input = UnsafeRawBufferPointer(
                rebasing: bytes[(entry.dataOffset + consumed)..<(entry.dataOffset + entry.compressedSize)])
            let room = min(piece, entry.size - produced)
            stream.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(min(piece, input.count))
            stream.next_out = result.pointer + produced
            stream.avail_out = UInt32(room)
            let before = (stream.avail_in, stream.avail_out)
            status = CZlib.inflate(&stream, Z_NO_FLUSH)
            consumed += Int(before.0 - stream.avail_in)
            produced += Int(before.1 - stream.avail_out)
            if status == Z_OK, before == (stream.avail_in, stream.avail_out) { status = Z_BUF_ERROR }
        }
        guard status == Z_STREAM_END, produced == entry.size, consumed == entry.compressedSize else {
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
struct ZipChecksum {
    private var value: UInt = 0

    mutating func update(_ part: UnsafeRawBufferPointer) {
        guard let start = part.baseAddress else { return }
        value = crc32_z(value, start.assumingMemoryBound(to: UInt8.self), part.count)
    }

    /// - Throws: `badData` when the directory names another checksum: the archive is damaged.
    func compare(with entry: ZipArchive.Entry) throws(Failure) {
        guard value == UInt(entry.crc32) else {
            throw .badData(
                place: "zip member \"\(entry.name)\"", "checksum \(String(value, radix: 16))",
                expected: "\(String(entry.crc32, radix: 16)): the file is damaged")
        }
    }
}
