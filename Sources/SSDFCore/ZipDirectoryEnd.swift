/// Where an archive's directory lies: the records at the very end of the file.
struct ZipDirectoryEnd {
    /// The bytes of the directory.
    let directory: Range<Int>
    let entryCount: Int

    /// Bytes of a directory entry without a name.
    static let smallestEntry = 46

    /// Finds the end record; its comment must reach exactly to the end of the file, and the directory exactly to it.
    init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        let position = try Self.find(in: bytes)
        var cursor = ByteCursor(bytes, at: position + 4)
        let disk: UInt16 = try cursor.next()
        let directoryDisk: UInt16 = try cursor.next()
        let here: UInt16 = try cursor.next()
        let total: UInt16 = try cursor.next()
        let size: UInt32 = try cursor.next()
        let offset: UInt32 = try cursor.next()
        let large = try Self.findLarge(in: bytes, before: position)
        let end: Int
        var numbers = (entries: UInt64(total), size: UInt64(size), offset: UInt64(offset))
        if let large {
            // A number of the short record that is not all ones speaks for itself and must agree.
            let agrees =
                (total == .max || UInt64(total) == large.entries) && (size == .max || UInt64(size) == large.size)
                && (offset == .max || UInt64(offset) == large.offset)
            guard agrees else {
                throw .badData(
                    place: "zip end record", "it contradicts the 64-bit end record", expected: "the same numbers")
            }
            numbers = (large.entries, large.size, large.offset)
            end = large.position
        } else {
            guard total != .max, size != .max, offset != .max else {
                throw .badData(
                    place: "zip end record", "numbers kept in a 64-bit record that is missing", expected: "the record")
            }
            end = position
        }
        guard disk == 0 || disk == .max, directoryDisk == 0 || directoryDisk == .max, here == total else {
            throw .badData(place: "zip end record", "an archive split over several files", expected: "one file")
        }
        let (sum, overflow) = numbers.offset.addingReportingOverflow(numbers.size)
        guard !overflow, sum == UInt64(end) else {
            throw .badData(
                place: "zip end record", "a directory of \(numbers.size) bytes at \(numbers.offset)",
                expected: "one that ends at \(end)")
        }
        directory = Int(numbers.offset)..<end
        entryCount = Int(clamping: numbers.entries)
    }

    /// The last signature whose comment fills the rest of the file.
    private static func find(in bytes: UnsafeRawBufferPointer) throws(Failure) -> Int {
        let size = 22
        var position = bytes.count - size
        let first = max(0, position - Int(UInt16.max))
        while position >= first {
            if bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian == 0x0605_4b50 {
                let comment = bytes.loadUnaligned(fromByteOffset: position + 20, as: UInt16.self).littleEndian
                if position + size + Int(comment) == bytes.count { return position }
            }
            position -= 1
        }
        throw .badData("no zip directory at the end of the file", expected: "a complete zip archive")
    }

    /// The 64-bit end record, when a locator for it stands before the short one.
    private static func findLarge(
        in bytes: UnsafeRawBufferPointer, before position: Int
    ) throws(Failure) -> (position: Int, entries: UInt64, size: UInt64, offset: UInt64)? {
        let locator = position - 20
        guard locator >= 0,
            bytes.loadUnaligned(fromByteOffset: locator, as: UInt32.self).littleEndian == 0x0706_4b50
        else { return nil }
        var cursor = ByteCursor(bytes, at: locator + 4)
        let disk: UInt32 = try cursor.next()
        let start: UInt64 = try cursor.next()
        let disks: UInt32 = try cursor.next()
        guard disk == 0, disks <= 1 else {
            throw .badData(place: "zip end record", "an archive split over several files", expected: "one file")
        }
        guard start <= UInt64(locator), locator - Int(start) >= 56 else {
            throw .badData(place: "zip 64-bit locator", "offset \(start)", expected: "at most \(locator - 56)")
        }
        var record = ByteCursor(bytes, at: Int(start), end: locator)
        let signature: UInt32 = try record.next()
        let length: UInt64 = try record.next()
        guard signature == 0x0606_4b50, length == UInt64(locator - Int(start) - 12) else {
            throw .badData(
                place: "byte \(start)", "no 64-bit end record that reaches to its locator", expected: "one")
        }
        _ = try record.take(12)  // versions and disk numbers
        let here: UInt64 = try record.next()
        let entries: UInt64 = try record.next()
        guard here == entries else {
            throw .badData(place: "zip end record", "an archive split over several files", expected: "one file")
        }
        let size: UInt64 = try record.next()
        let offset: UInt64 = try record.next()
        return (Int(start), entries, size, offset)
    }
}
