import CSSDFKernels
import SSDFCore

/// The header of a chunk.
struct ChunkHeader: Equatable {
    var type: ChunkType
    var flags: UInt32
    var payloadSize: Int

    /// Reads the sixteen bytes before a payload.
    /// - Throws: `badData` when the type is not four letters or the length does not fit.
    init(decoding bytes: UnsafeRawBufferPointer, place: String) throws(Failure) {
        var cursor = FieldCursor(bytes, place: place)
        type = ChunkType(code: try cursor.integer(UInt32.self, "chunk type"))
        flags = try cursor.integer(UInt32.self, "chunk flags")
        payloadSize = try cursor.count("payload length")
        guard type.isWellFormed else {
            throw .badData(place: place, "chunk type is \(type)", expected: "four letters")
        }
    }
}

/// One chunk of a file in memory: checked against its checksum.
struct Chunk {
    var header: ChunkHeader
    /// Offset of the chunk from the start of the file.
    var offset: Int
    var payload: UnsafeRawBufferPointer

    var type: ChunkType { header.type }
    var size: Int { payload.count + ContainerFormat.chunkOverhead }
    var place: String { "chunk \(type) at byte \(offset)" }
}

extension Chunk {
    /// The chunk at `offset` of a file's bytes.
    /// - Throws: `badData` when it does not lie within `bytes` or its checksum does not hold.
    init(of bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
        let place = "byte \(offset)"
        let overhead = ContainerFormat.chunkOverhead
        guard offset >= 0, offset <= bytes.count - overhead else {
            throw .badData(
                place: place, "\(max(0, bytes.count - offset)) bytes are left",
                expected: "a chunk of \(overhead) or more")
        }
        let headerBytes = UnsafeRawBufferPointer(
            rebasing: bytes[offset..<offset + ContainerFormat.chunkHeaderSize])
        let header = try ChunkHeader(decoding: headerBytes, place: place)
        guard header.payloadSize <= bytes.count - overhead - offset else {
            throw .badData(
                place: "chunk \(header.type) at byte \(offset)",
                "payload of \(header.payloadSize) bytes where \(bytes.count - overhead - offset) are left",
                expected: "all of it")
        }
        let start = offset + ContainerFormat.chunkHeaderSize
        self.header = header
        self.offset = offset
        payload = UnsafeRawBufferPointer(rebasing: bytes[start..<start + header.payloadSize])
        let covered = UnsafeRawBufferPointer(rebasing: bytes[offset..<start + header.payloadSize])
        let stored = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: start + header.payloadSize, as: UInt32.self))
        let computed = checksum(covered)
        guard stored == computed else {
            throw .badData(
                place: self.place, "checksum is \(hexadecimal(stored))", expected: "\(hexadecimal(computed))")
        }
    }

    /// - Throws: `badData` when the flags, which have no meaning yet, are not zero.
    func expectNoFlags() throws(Failure) {
        guard header.flags == 0 else {
            throw .badData(place: place, "flags are \(hexadecimal(header.flags))", expected: "0")
        }
    }
}

/// CRC-32 of bytes.
func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    ssdf_crc32(0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
}

func hexadecimal(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}

/// A whole chunk: header, payload, checksum.
func encodedChunk(_ type: ChunkType, flags: UInt32 = 0, _ payload: [UInt8]) -> [UInt8] {
    var builder = ByteBuilder()
    builder.append(type.code)
    builder.append(flags)
    builder.append(UInt64(payload.count))
    var bytes = builder.bytes
    bytes.append(contentsOf: payload)
    let crc = bytes.withUnsafeBytes { checksum($0) }
    withUnsafeBytes(of: crc.littleEndian) { bytes.append(contentsOf: $0) }
    return bytes
}
