import SSDFCore
import SSDFVolume

/// A container taken apart into chunks, to be altered and put together again with sound checksums.
package struct ContainerBytes {
    package struct Part {
        package var type: [UInt8]
        package var flags: UInt32
        package var payload: [UInt8]
    }

    package var parts: [Part] = []

    /// - Precondition: a valid container.
    package init(_ bytes: [UInt8]) {
        var at = ContainerFormat.signature.count
        while at < bytes.count {
            let size = Int(Self.number(bytes, at + 8, 8))
            parts.append(
                Part(
                    type: Array(bytes[at..<at + 4]), flags: UInt32(Self.number(bytes, at + 4, 4)),
                    payload: Array(bytes[at + 16..<at + 16 + size])))
            at += size + ContainerFormat.chunkOverhead
        }
    }

    /// Number of the first chunk of a type.
    package func first(_ type: String) -> Int { parts.firstIndex { $0.type == Array(type.utf8) }! }

    /// The file; index and trailer are those of the parts as they are now, unless they are `kept` or gone.
    package func bytes(keepingIndex kept: Bool = false) -> [UInt8] {
        var out = ContainerFormat.signature
        var index: [UInt8] = []
        var gridCount: UInt32 = 0
        var grid: [UInt8] = []
        var groups: [[UInt8]] = []
        var indexOffset = 0
        for part in parts {
            var payload = part.payload
            let offset = out.count
            let size = payload.count + ContainerFormat.chunkOverhead
            switch String(decoding: part.type, as: UTF8.self) {
            case "GRID":
                grid = Self.bytes(UInt64(offset))
                groups = []
            case "BRKS":
                groups.append(Self.bytes(UInt64(offset)) + Self.bytes(UInt64(size)) + payload.prefix(8))
            case "GEND":
                gridCount += 1
                index += grid + Self.bytes(UInt64(offset)) + Self.bytes(UInt64(groups.count))
                // With one group, or several alike, its box is the grid's.
                for group in groups { index += group + payload.dropFirst(56) }
            case "INDX":
                indexOffset = offset
                if !kept { payload = Self.bytes(gridCount) + index }
            case "FEND":
                if !kept { payload = Self.bytes(UInt64(indexOffset)) + Self.bytes(UInt64(offset + 36)) }
            default: break
            }
            var chunk = part.type + Self.bytes(part.flags) + Self.bytes(UInt64(payload.count)) + payload
            chunk += Self.bytes(Self.checksum(chunk))
            out += chunk
        }
        return out
    }

    /// Bytes of a number, low ones first.
    package static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    package static func bytes(_ number: Double) -> [UInt8] { bytes(number.bitPattern) }

    package static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }

    /// CRC-32 a bit at a time: not the kernel that is under test.
    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var crc = ~UInt32(0)
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 0 ? 0 : 0xedb8_8320) }
        }
        return ~crc
    }
}

extension Array where Element == UInt8 {
    /// The bytes with some of them replaced.
    package func replacing(at offset: Int, with bytes: [UInt8]) -> [UInt8] {
        var copy = self
        copy.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return copy
    }
}
