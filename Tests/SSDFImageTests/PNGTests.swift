import SSDFCore
import SSDFImage
import Testing

@Suite struct PNGTests {
    static func gradient(width: Int, height: Int, depth: Int, opaque: Bool) -> RasterImage {
        var random = Philox(seed: 7)
        var pixels: [UInt16] = []
        for _ in 0..<width * height {
            for channel in 0..<4 {
                let value = UInt16(truncatingIfNeeded: random.next())
                pixels.append(channel == 3 && opaque ? .max : depth == 8 ? (value >> 8) * 257 : value)
            }
        }
        return RasterImage(width: width, height: height, pixels: pixels, depth: depth)
    }

    static func encoded(_ image: RasterImage) throws -> [UInt8] {
        var file: [UInt8] = []
        try image.writePNG { bytes throws(Failure) in file += bytes }
        return file
    }

    @Test(arguments: [(1, 1), (3, 2), (257, 5)], [8, 16])
    func roundTrips(size: (Int, Int), depth: Int) throws {
        for opaque in [true, false] {
            let image = Self.gradient(width: size.0, height: size.1, depth: depth, opaque: opaque)
            let file = try Self.encoded(image)
            let again = try file.withUnsafeBytes { bytes throws(Failure) in try RasterImage(png: bytes) }
            #expect(again == image)
            #expect(try Self.encoded(again) == file)
        }
    }

    /// Written by another program: 2×2 of each colour type the writer does not use, by hand from the PNG specification.
    @Test func readsGreyPaletteAndInterlaced() throws {
        // One-bit grey, 2×1: black, white.
        let grey: [UInt8] = [
            0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,
            0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0,
        ]
        let image = try Self.decode(Self.finish(grey, rows: [0, 0b0100_0000]))
        #expect(image.pixels == [0, 0, 0, .max, .max, .max, .max, .max])
        #expect(image.depth == 8)
        // Eight-bit palette with transparency, Adam7: 1×1 has one pass of one pixel.
        let palette: [UInt8] = [
            0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,
            0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 1,
        ]
        let colored = try Self.decode(
            Self.finish(palette, chunks: [("PLTE", [255, 0, 128]), ("tRNS", [64])], rows: [0, 0]))
        #expect(colored.pixels == [.max, 0, 128 * 257, 64 * 257])
    }

    @Test func rejectsEveryTruncation() throws {
        let file = try Self.encoded(Self.gradient(width: 9, height: 7, depth: 8, opaque: false))
        // The last chunk, IEND, says nothing that is missed.
        for count in 0..<file.count - 12 {
            #expect(throws: Failure.self, "cut to \(count) of \(file.count)") { try Self.decode(Array(file[..<count])) }
        }
    }

    @Test func survivesEveryBitFlip() throws {
        let file = try Self.encoded(Self.gradient(width: 5, height: 4, depth: 16, opaque: true))
        for bit in 0..<file.count * 8 {
            var flipped = file
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            // Most flips break a checksum; none may do worse than throw.
            if let image = try? Self.decode(flipped) { #expect(image.width == 5 && image.height == 4) }
        }
    }

    @Test func rejectsSizesTheFileCannotHold() throws {
        let huge: [UInt8] = [
            0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a,
            0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0x30, 0, 0, 0, 0x30, 0, 16, 6, 0, 0, 0,
        ]
        let failure = #expect(throws: Failure.self) { try Self.decode(Self.finish(huge, rows: [0, 0])) }
        #expect(failure?.cause == .badData)
        #expect(failure?.message.contains("12288 x 12288 pixels") == true)
    }

    /// A chunk that claims more than the file holds is refused before it is believed.
    @Test func rejectsChunksLongerThanTheFile() throws {
        var file = try Self.encoded(Self.gradient(width: 5, height: 4, depth: 8, opaque: true))
        file.insert(contentsOf: [0x61, 0xfc, 0, 7] + Array("tEXtTitle".utf8), at: 33)
        let failure = #expect(throws: Failure.self) { try Self.decode(file) }
        let missing = 0x61fc_0007 + 45 - file.count
        #expect(failure?.message.hasPrefix("the file ends at byte \(file.count), expected \(missing) more") == true)
    }

    static func decode(_ file: [UInt8]) throws -> RasterImage {
        try file.withUnsafeBytes { bytes throws(Failure) in try RasterImage(png: bytes) }
    }

    /// Completes a signature and IHDR without checksum: checksums, `chunks`, and `rows` in a stored deflate block.
    static func finish(_ start: [UInt8], chunks: [(String, [UInt8])] = [], rows: [UInt8]) -> [UInt8] {
        var file = start + bigEndian(crc(start[12...]))
        let length = UInt16(rows.count)
        var stream: [UInt8] = [0x78, 0x01, 1, UInt8(length & 255), UInt8(length >> 8)]
        stream += [UInt8(~length & 255), UInt8(~length >> 8)] + rows
        var (a, b) = (UInt32(1), UInt32(0))
        for byte in rows {
            a = (a + UInt32(byte)) % 65521
            b = (b + a) % 65521
        }
        stream += bigEndian(b << 16 | a)
        for (name, data) in chunks + [("IDAT", stream), ("IEND", [])] {
            let body = Array(name.utf8) + data
            file += bigEndian(UInt32(data.count)) + body + bigEndian(crc(body[...]))
        }
        return file
    }

    static func bigEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> UInt32(24 - 8 * $0) & 255) } }

    static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var c: UInt32 = .max
        for byte in bytes {
            c ^= UInt32(byte)
            for _ in 0..<8 { c = c & 1 == 1 ? 0xEDB8_8320 ^ (c >> 1) : c >> 1 }
        }
        return ~c
    }
}
