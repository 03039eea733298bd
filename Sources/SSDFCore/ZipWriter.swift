import CZlib

/// Writes a zip archive in one pass, to a pipe if need be: sizes and checksums follow each member, and the directory
/// repeats them. Records are of 64 bits throughout, so that no member is too large; no time is written.
///
/// ```
/// var zip = ZipWriter(to: sink)
/// try zip.begin("values.npy", level: 1, threads: 4)
/// try zip.write(bytes)
/// try zip.end()
/// try zip.finish()
/// ```
///
/// Source: PKWARE, .ZIP File Format Specification, 6.3.10, §4.
package struct ZipWriter: ~Copyable {
    private struct Record {
        let name: String
        let isDeflated: Bool
        let offset: Int
        var checksum = UInt32(0)
        var size = 0
        var packedSize = 0
    }

    private let sink: ByteSink
    private var offset = 0
    private var records: [Record] = []
    /// Of the open member, when that is deflated.
    private var deflater: DeflateWriter
    private var stored = ZipChecksum()
    private var isOpen = false

    /// An archive without members yet; nothing is written before the first.
    package init(to sink: @escaping ByteSink) {
        self.sink = sink
        deflater = DeflateWriter(level: 1, threads: 1, to: sink)
    }

    /// Starts a member.
    /// - Parameters:
    ///   - level: of deflate, 1 … 9; 0 stores the bytes as they are.
    ///   - threads: to compress on; the result does not depend on it.
    package mutating func begin(_ name: String, level: Int, threads: Int) throws(Failure) {
        precondition(!isOpen, "a member is open")
        isOpen = true
        records.append(Record(name: name, isDeflated: level > 0, offset: offset))
        var header: [UInt8] = []
        header.append(0x0403_4b50 as UInt32)
        header.append(versionNeeded)
        header += common(records[records.count - 1], isBlank: true)
        header.append(UInt16(name.utf8.count))
        header.append(UInt16(20))
        header += Array(name.utf8)
        // The 64-bit sizes, unknown yet: that they are here says that those behind the data have 64 bits.
        header.append(UInt16(1))
        header.append(UInt16(16))
        header.append(UInt64(0))
        header.append(UInt64(0))
        try emit(header)
        stored = ZipChecksum()
        if level > 0 { deflater = DeflateWriter(level: level, threads: threads, to: sink) }
    }

    /// Adds bytes to the open member.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        precondition(isOpen, "no member is open")
        if records[records.count - 1].isDeflated {
            try deflater.write(bytes)
        } else {
            stored.update(bytes)
            records[records.count - 1].size += bytes.count
            try sink(bytes)
        }
    }

    /// Ends the open member.
    package mutating func end() throws(Failure) {
        precondition(isOpen, "no member is open")
        isOpen = false
        let last = records.count - 1
        if records[last].isDeflated {
            try deflater.finish()
            records[last].checksum = UInt32(truncatingIfNeeded: deflater.checksum)
            records[last].size = deflater.size
            records[last].packedSize = deflater.packedSize
        } else {
            records[last].checksum = UInt32(truncatingIfNeeded: stored.value)
            records[last].packedSize = records[last].size
        }
        offset += records[last].packedSize
        var descriptor: [UInt8] = []
        descriptor.append(0x0807_4b50 as UInt32)
        descriptor.append(records[last].checksum)
        descriptor.append(UInt64(records[last].packedSize))
        descriptor.append(UInt64(records[last].size))
        try emit(descriptor)
    }

    /// Writes the directory. Nothing can follow.
    package consuming func finish() throws(Failure) {
        precondition(!isOpen, "a member is open")
        let start = offset
        for record in records { try emit(directoryRecord(record)) }
        let size = offset - start
        var end: [UInt8] = []
        end.append(0x0606_4b50 as UInt32)
        end.append(UInt64(44))
        end.append(versionNeeded)
        end.append(versionNeeded)
        end.append(UInt32(0))
        end.append(UInt32(0))
        end.append(UInt64(records.count))
        end.append(UInt64(records.count))
        end.append(UInt64(size))
        end.append(UInt64(start))
        end.append(0x0706_4b50 as UInt32)
        end.append(UInt32(0))
        end.append(UInt64(start + size))
        end.append(UInt32(1))
        end.append(0x0605_4b50 as UInt32)
        end.append(UInt32(0))
        end.append(UInt16(clamping: records.count))
        end.append(UInt16(clamping: records.count))
        end.append(UInt32(clamping: size))
        end.append(UInt32(clamping: start))
        end.append(UInt16(0))
        try emit(end)
    }

    private func directoryRecord(_ record: Record) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(0x0201_4b50 as UInt32)
        // Made on Unix, so that the attributes are a file's mode.
        bytes.append(UInt16(3 << 8) | versionNeeded)
        bytes.append(versionNeeded)
        bytes += common(record, isBlank: false)
        bytes.append(UInt16(record.name.utf8.count))
        bytes.append(UInt16(28))
        bytes.append(UInt16(0))
        bytes.append(UInt16(0))
        bytes.append(UInt16(0))
        bytes.append(UInt32(0o100644) << 16)
        bytes.append(UInt32.max)
        bytes += Array(record.name.utf8)
        bytes.append(UInt16(1))
        bytes.append(UInt16(24))
        bytes.append(UInt64(record.size))
        bytes.append(UInt64(record.packedSize))
        bytes.append(UInt64(record.offset))
        return bytes
    }

    /// Flags to sizes, which the local header and the directory have in common. 1 January 1980 is the date that means none.
    private func common(_ record: Record, isBlank: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(UInt16(8))
        bytes.append(UInt16(record.isDeflated ? 8 : 0))
        bytes.append(UInt16(0))
        bytes.append(UInt16(1 << 5 | 1))
        bytes.append(isBlank ? 0 : record.checksum)
        bytes.append(UInt32.max)
        bytes.append(UInt32.max)
        return bytes
    }

    private mutating func emit(_ bytes: [UInt8]) throws(Failure) {
        offset += bytes.count
        try bytes.emit(to: sink)
    }
}

/// 4.5: the first version with 64-bit records.
private let versionNeeded: UInt16 = 45

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
