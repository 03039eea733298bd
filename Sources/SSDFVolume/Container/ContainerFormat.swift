import SSDFCore

/// How the values of a grid are stored.
package enum ValueType: UInt8, Sendable, CaseIterable {
    /// IEEE binary32: every bit kept, NaN payloads included.
    case f32 = 0
    /// IEEE binary16, rounded to nearest, ties to even.
    case f16 = 1
    /// 16-bit integers times a scale for each brick.
    case i16 = 2
    /// 8-bit integers times a scale for each brick.
    case i8 = 3

    /// The name that options and reports use.
    package var name: String { "\(self)" }

    /// Bytes of one value before coding.
    package var size: Int {
        switch self {
        case .f32: 4
        case .f16, .i16: 2
        case .i8: 1
        }
    }

    /// Whether values are integers times a scale.
    package var isQuantized: Bool { self == .i16 || self == .i8 }

    /// The largest magnitude of a quantised value.
    package var largestQuantum: Float { self == .i16 ? 32767 : 127 }
}

/// What is done to the coded bytes of a brick group.
package enum Codec: UInt8, Sendable, CaseIterable {
    case none = 0
    /// Zstandard frames (RFC 8878).
    case zstd = 1

    /// The name that options and reports use.
    package var name: String { "\(self)" }
}

/// The constants of the container: ssdf(5) states each.
package enum ContainerFormat {
    /// Bytes no text starts with, a carriage return and line feed that a careless transfer alters, and the version.
    package static let signature: [UInt8] = [
        0x89, 0x53, 0x53, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, version, 0x00,
    ]
    /// The version of the format that is read and written.
    package static let version: UInt8 = 1

    /// Type, flags and payload length before a payload; the checksum after it.
    package static let chunkHeaderSize = 16
    /// Bytes of a chunk beside its payload: header and checksum.
    package static let chunkOverhead = 20

    /// The last chunk: offset of the index and length of the file.
    package static let trailerPayloadSize = 16
    /// Bytes of that chunk, by which a reader finds the index from the end of a file.
    package static let trailerSize = trailerPayloadSize + chunkOverhead

    /// Bytes of a GRID chunk's payload.
    package static let largestGridPayload = 1 << 20
    /// Bytes of the payload of a chunk that readers may skip.
    package static let largestAncillaryPayload = 1 << 26
    /// Channels of a grid.
    package static let largestChannelCount = 8192
    /// Samples along a side of a grid's cube.
    package static let largestResolution = 1 << 30
    /// Bytes of a grid's name in UTF-8.
    package static let largestNameLength = 255
    /// Bytes of any other text of the metadata in UTF-8.
    package static let largestTextLength = 65535
    /// Arguments of the tool that made a grid.
    package static let largestArgumentCount = 4096

    /// Bricks of one group.
    package static let largestGroupBricks = 1024
    /// Active voxels times channels of one group.
    package static let largestGroupValues = 1 << 22
}

/// Four letters that say what a chunk holds.
package struct ChunkType: Hashable, Sendable, CustomStringConvertible {
    /// The letters as a little-endian number: the first in the low byte.
    package let code: UInt32

    /// The type of a code, well-formed or not.
    package init(code: UInt32) { self.code = code }

    /// - Precondition: four ASCII letters.
    package init(_ letters: StaticString) {
        precondition(letters.utf8CodeUnitCount == 4)
        let p = letters.utf8Start
        code = UInt32(p[0]) | UInt32(p[1]) << 8 | UInt32(p[2]) << 16 | UInt32(p[3]) << 24
    }

    /// Starts a grid: its metadata.
    package static let grid = Self("GRID")
    /// One group of bricks.
    package static let bricks = Self("BRKS")
    /// Ends a grid: its totals.
    package static let gridEnd = Self("GEND")
    /// Where every grid and group lies.
    package static let index = Self("INDX")
    /// Ends the file: where the index lies.
    package static let fileEnd = Self("FEND")

    private var letters: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: code >> ($0 * 8)) } }

    /// Whether all four bytes are ASCII letters.
    package var isWellFormed: Bool {
        letters.allSatisfy { (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) }
    }

    /// Whether a reader that does not know the type must refuse the file: the first letter is a capital.
    package var isCritical: Bool { code & 0x20 == 0 }

    /// The letters, or the bytes in hexadecimal where they are none.
    package var description: String {
        isWellFormed
            ? String(decoding: letters, as: UTF8.self) : "0x" + String(code.byteSwapped, radix: 16, uppercase: false)
    }
}

/// A chunk that this version does not know and may be skipped: kept as it is, and written back by programs that copy.
package struct AncillaryChunk: Sendable, Equatable {
    /// Its type, ancillary: the first letter is small.
    package var type: ChunkType
    /// Its flags, which only those who know the type understand.
    package var flags: UInt32
    /// Its content.
    package var payload: [UInt8]

    /// A chunk to be written.
    package init(type: ChunkType, flags: UInt32 = 0, payload: [UInt8]) {
        self.type = type
        self.flags = flags
        self.payload = payload
    }
}

/// Choices of whoever writes a container.
package struct VolumeWriteOptions: Sendable {
    /// How values are stored.
    package var dtype = ValueType.f32
    /// How groups of bricks are compressed.
    package var codec = Codec.zstd
    /// Zstandard level, -50 … 19; higher is smaller and slower.
    package var level = 1
    /// To encode on; the bytes do not depend on it.
    package var threads = 1

    /// The choices, all of which have defaults.
    package init(dtype: ValueType = .f32, codec: Codec = .zstd, level: Int = 1, threads: Int = 1) {
        self.dtype = dtype
        self.codec = codec
        self.level = level
        self.threads = threads
    }
}
