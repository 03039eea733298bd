/// The directory of a zip archive, checked against the bytes it speaks of.
///
/// Zip files describe themselves twice (in front of each member and in the directory at the end), and attacks live in
/// the difference. Here both must agree, members must not overlap, and nothing is believed before its bytes are known
/// to exist. Members are stored or deflated; encrypted, split and prefixed archives are refused.
///
/// Source: PKWARE, .ZIP File Format Specification, 6.3.10, §4.
package struct ZipArchive: Sendable {
    /// How the bytes of a member are stored.
    package enum Method: Sendable { case stored, deflated }

    /// One member.
    package struct Entry: Sendable {
        /// Its path in the archive, as the directory has it.
        package var name: String
        /// How its bytes are stored.
        package var method: Method
        /// CRC-32 of the content.
        package var crc32: UInt32
        /// Bytes in the archive.
        package var compressedSize: Int
        /// Bytes of the content.
        package var size: Int
        /// Where the member starts: its local header.
        package var headerOffset: Int
        /// Where its bytes start.
        package var dataOffset: Int
    }

    /// In the order of the directory.
    package let entries: [Entry]
    private let positions: [String: Int]

    /// The member of that name, or nil.
    package subscript(name: String) -> Entry? { positions[name].map { entries[$0] } }

    /// Reads and checks the directory of a complete archive.
    /// - Throws: `badData`, naming the member and the contradiction.
    /// - Complexity: O(members · log members + their names).
    package init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        let end = try ZipDirectoryEnd(bytes)
        var cursor = ByteCursor(bytes, at: end.directory.lowerBound, end: end.directory.upperBound)
        guard end.entryCount <= end.directory.count / ZipDirectoryEnd.smallestEntry else {
            throw .badData(
                place: "zip directory", "\(end.entryCount) members in \(end.directory.count) bytes",
                expected: "at least \(ZipDirectoryEnd.smallestEntry) bytes each")
        }
        var entries: [Entry] = []
        entries.reserveCapacity(end.entryCount)
        var positions: [String: Int] = [:]
        var extents: [Range<Int>] = []
        for index in 0..<end.entryCount {
            let record = try ZipDirectoryRecord(&cursor, number: index)
            let (entry, extent) = try record.locate(in: bytes, before: end.directory.lowerBound)
            guard positions.updateValue(index, forKey: entry.name) == nil else {
                throw .badData(place: "zip directory", "two members \"\(entry.name)\"", expected: "one")
            }
            entries.append(entry)
            extents.append(extent)
        }
        guard cursor.position == end.directory.upperBound else {
            throw .badData(
                place: "zip directory", "\(end.directory.upperBound - cursor.position) bytes after its last member",
                expected: "none")
        }
        try Self.checkOverlap(entries, extents)
        self.entries = entries
        self.positions = positions
    }

    private static func checkOverlap(_ entries: [Entry], _ extents: [Range<Int>]) throws(Failure) {
        let order = extents.indices.sorted { extents[$0].lowerBound < extents[$1].lowerBound }
        for (first, second) in zip(order, order.dropFirst())
        where extents[second].lowerBound < extents[first].upperBound {
            throw .badData(
                place: "zip member \"\(entries[second].name)\"",
                "it overlaps \"\(entries[first].name)\"", expected: "members apart from each other")
        }
    }
}
