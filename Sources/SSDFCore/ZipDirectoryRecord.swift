/// What the directory at the end of an archive says of one member.
struct ZipDirectoryRecord {
    private let name: String
    private let flags: UInt16
    private let method: UInt16
    private let crc32: UInt32
    private let compressedSize: UInt64
    private let size: UInt64
    private let headerOffset: UInt64

    private var place: String { "zip member \"\(name)\"" }

    /// Reads the next record of the directory.
    init(_ cursor: inout ByteCursor, number: Int) throws(Failure) {
        let start = cursor.position
        let signature: UInt32 = try cursor.next()
        guard signature == 0x0201_4b50 else {
            throw .badData(
                place: "byte \(start)", "no directory record", expected: "that of member \(number + 1)")
        }
        _ = try cursor.take(4)  // versions
        flags = try cursor.next()
        method = try cursor.next()
        _ = try cursor.take(4)  // time and date
        crc32 = try cursor.next()
        let compressed: UInt32 = try cursor.next()
        let uncompressed: UInt32 = try cursor.next()
        let nameLength: UInt16 = try cursor.next()
        let extraLength: UInt16 = try cursor.next()
        let commentLength: UInt16 = try cursor.next()
        let disk: UInt16 = try cursor.next()
        _ = try cursor.take(6)  // attributes
        let offset: UInt32 = try cursor.next()
        name = try cursor.text(Int(nameLength))
        let extra = try cursor.take(Int(extraLength))
        _ = try cursor.take(Int(commentLength))
        let place = "zip member \"\(name)\""
        guard !name.isEmpty, !name.utf8.contains(0), disk == 0 || disk == .max else {
            throw .badData(place: "byte \(start)", "a member without a proper name or file", expected: "both")
        }
        var wide = try Self.wideNumbers(in: extra, place: place)
        size = try Self.widened(uncompressed, from: &wide)
        compressedSize = try Self.widened(compressed, from: &wide)
        headerOffset = try Self.widened(offset, from: &wide)
    }

    /// A number of the record: all ones mean that it stands in the 64-bit field instead, when there is one.
    private static func widened(_ short: UInt32, from wide: inout ByteCursor?) throws(Failure) -> UInt64 {
        guard short == .max, wide != nil else { return UInt64(short) }
        return try wide!.next()
    }

    /// The contents of the extra field with the 64-bit numbers, or nil when there is none.
    private static func wideNumbers(
        in extra: UnsafeRawBufferPointer, place: String
    ) throws(Failure) -> ByteCursor? {
        var cursor = ByteCursor(extra)
        // Writers pad with fewer than four bytes, which cannot be a field.
        while cursor.remaining >= 4 {
            let kind: UInt16 = try cursor.next()
            let length: UInt16 = try cursor.next()
            guard Int(length) <= cursor.remaining else {
                throw .badData(
                    place: place, "an extra field of \(length) bytes", expected: "at most \(cursor.remaining)")
            }
            let content = try cursor.take(Int(length))
            if kind == 1 { return ByteCursor(content) }
        }
        return nil
    }

    /// The member, with its place in the archive, and all bytes that belong to it: local header, data, descriptor.
    /// - Parameter limit: where the directory starts; members must end before.
    /// - Throws: `badData` when the local header contradicts the directory or the member cannot be read.
    func locate(
        in bytes: UnsafeRawBufferPointer, before limit: Int
    ) throws(Failure) -> (entry: ZipArchive.Entry, extent: Range<Int>) {
        guard flags & 0x2041 == 0 else {
            throw .badData(place: place, "it is encrypted", expected: "a member that is not")
        }
        guard flags & 0x20 == 0 else { throw .badData(place: place, "it is a patch", expected: "whole data") }
        guard method == 0 || method == 8 else {
            throw .badData(place: place, "compression method \(method)", expected: "0 (stored) or 8 (deflate)")
        }
        guard method == 8 || size == compressedSize else {
            throw .badData(place: place, "\(size) bytes stored in \(compressedSize)", expected: "equal sizes")
        }
        // A deflate stream cannot grow more than this; a larger claim is a lie or a bomb.
        guard method == 0 || size / 1032 <= compressedSize else {
            throw .badData(
                place: place, "\(size) bytes out of \(compressedSize)", expected: "at most 1032 times as many")
        }
        guard headerOffset <= UInt64(limit) else {
            throw .badData(place: place, "it starts at \(headerOffset)", expected: "before the directory at \(limit)")
        }
        var cursor = ByteCursor(bytes, at: Int(headerOffset), end: limit)
        try checkLocalHeader(&cursor)
        guard compressedSize <= UInt64(cursor.remaining) else {
            throw .badData(
                place: place, "\(compressedSize) bytes of data",
                expected: "at most \(cursor.remaining) before the directory")
        }
        let dataOffset = cursor.position
        _ = try cursor.take(Int(compressedSize))
        if flags & 8 != 0 { try skipDescriptor(&cursor) }
        let entry = ZipArchive.Entry(
            name: name, method: method == 0 ? .stored : .deflated, crc32: crc32, compressedSize: Int(compressedSize),
            size: Int(clamping: size), headerOffset: Int(headerOffset), dataOffset: dataOffset)
        return (entry, Int(headerOffset)..<cursor.position)
    }

    /// Reads the header in front of the data, which must say the same as the directory.
    private func checkLocalHeader(_ cursor: inout ByteCursor) throws(Failure) {
        let start = cursor.position
        let signature: UInt32 = try cursor.next()
        guard signature == 0x0403_4b50 else {
            throw .badData(place: place, "no local header at byte \(start)", expected: "one")
        }
        _ = try cursor.take(2)  // version
        let localFlags: UInt16 = try cursor.next()
        let localMethod: UInt16 = try cursor.next()
        _ = try cursor.take(4)  // time and date
        let localCRC: UInt32 = try cursor.next()
        let localCompressed: UInt32 = try cursor.next()
        let localSize: UInt32 = try cursor.next()
        let nameLength: UInt16 = try cursor.next()
        let extraLength: UInt16 = try cursor.next()
        let localName = try cursor.take(Int(nameLength))
        let extra = try cursor.take(Int(extraLength))
        guard localName.elementsEqual(name.utf8), localMethod == method, (localFlags ^ flags) & 9 == 0 else {
            throw .badData(place: place, "the local header names another member", expected: "the same in both")
        }
        var wide = try Self.wideNumbers(in: extra, place: place)
        let sizes = (
            try Self.widened(localSize, from: &wide), try Self.widened(localCompressed, from: &wide)
        )
        let agrees = localCRC == crc32 && sizes.0 == size && sizes.1 == compressedSize
        // With a descriptor after the data, the header was written before anything was known.
        let isBlank = flags & 8 != 0 && localCRC == 0 && sizes.0 == 0 && sizes.1 == 0
        guard agrees || isBlank else {
            throw .badData(
                place: place, "the local header has other sizes or another checksum", expected: "the same in both")
        }
    }

    /// Reads the descriptor after the data: with or without a signature, with numbers of 32 or 64 bits.
    private func skipDescriptor(_ cursor: inout ByteCursor) throws(Failure) {
        for (signature, isWide) in [(true, true), (true, false), (false, true), (false, false)] {
            var attempt = cursor
            if signature {
                guard let found: UInt32 = try? attempt.next(), found == 0x0807_4b50 else { continue }
            }
            guard let crc: UInt32 = try? attempt.next(), crc == crc32 else { continue }
            let sizes: (UInt64, UInt64)
            if isWide {
                guard let first: UInt64 = try? attempt.next(), let second: UInt64 = try? attempt.next() else {
                    continue
                }
                sizes = (first, second)
            } else {
                guard let first: UInt32 = try? attempt.next(), let second: UInt32 = try? attempt.next() else {
                    continue
                }
                sizes = (UInt64(first), UInt64(second))
            }
            guard sizes == (compressedSize, size) else { continue }
            cursor = attempt
            return
        }
        throw .badData(place: place, "no data descriptor that agrees with the directory", expected: "one")
    }
}
