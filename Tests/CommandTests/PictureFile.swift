/// A PNG file of any colour type, depth and interlacing, written by hand from the specification, its data stored.
struct PictureFile {
    enum Color: Int, CaseIterable {
        case grey = 0, rgb = 2, palette = 3, greyAlpha = 4, rgba = 6
    }

    var color: Color
    var depth: Int
    var isInterlaced = false
    /// Whether the white of a picture without an alpha channel is declared transparent, by a tRNS chunk.
    var hidesWhite = false

    /// The levels that two bits hold.
    static let levels = [0, 85, 170, 255]

    /// The bytes of a square picture.
    /// - Parameter level: of the pixel at x, y: one of `levels`; white is transparent where there is an alpha channel.
    func bytes(side: Int, level: (_ x: Int, _ y: Int) -> Int) -> [UInt8] {
        var header = Self.bigEndian(UInt32(side)) + Self.bigEndian(UInt32(side))
        header += [UInt8(depth), UInt8(color.rawValue), 0, 0, isInterlaced ? 1 : 0]
        var file: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + Self.chunk("IHDR", header)
        if color == .palette {
            let count = min(1 << depth, 4)
            let entries = count == 2 ? [0, 255] : Self.levels
            file += Self.chunk("PLTE", entries.flatMap { [UInt8](repeating: UInt8($0), count: 3) })
            if hidesWhite { file += Self.chunk("tRNS", [UInt8](repeating: 255, count: count - 1) + [0]) }
        } else if hidesWhite {
            let white = UInt16(truncatingIfNeeded: (1 << depth) - 1)
            let sample = [UInt8(white >> 8), UInt8(white & 255)]
            file += Self.chunk("tRNS", color == .grey ? sample : sample + sample + sample)
        }
        // Adam7: first pixel and step of each pass.
        let passes =
            isInterlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)]
        var rows: [UInt8] = []
        for (x0, y0, dx, dy) in passes {
            let columns = Array(stride(from: x0, to: side, by: dx))
            guard !columns.isEmpty else { continue }
            for y in stride(from: y0, to: side, by: dy) {
                rows.append(0)
                rows += packed(columns.flatMap { samples(of: level($0, y)) })
            }
        }
        return file + Self.chunk("IDAT", Self.stored(rows)) + Self.chunk("IEND", [])
    }

    /// What a pixel's channels hold, in the file's depth.
    private func samples(of level: Int) -> [Int] {
        let full = (1 << depth) - 1
        let value = level * full / 255
        switch color {
        case .grey: return [value]
        case .rgb: return [value, value, value]
        case .palette: return [depth == 1 ? level / 255 : Self.levels.firstIndex(of: level)!]
        case .greyAlpha: return [value, level == 255 ? 0 : full]
        case .rgba: return [value, value, value, level == 255 ? 0 : full]
        }
    }

    private func packed(_ samples: [Int]) -> [UInt8] {
        if depth == 16 { return samples.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
        var bytes = [UInt8](repeating: 0, count: (samples.count * depth + 7) / 8)
        for (index, sample) in samples.enumerated() {
            let bit = index * depth
            bytes[bit / 8] |= UInt8(sample << (8 - depth - bit % 8))
        }
        return bytes
    }

    /// A zlib stream of stored blocks.
    private static func stored(_ data: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        var start = 0
        repeat {
            let end = min(start + 65_535, data.count)
            let length = UInt16(end - start)
            stream += [end == data.count ? 1 : 0, UInt8(length & 255), UInt8(length >> 8)]
            stream += [UInt8(~length & 255), UInt8(~length >> 8)] + data[start..<end]
            start = end
        } while start < data.count
        var (a, b) = (UInt32(1), UInt32(0))
        for byte in data {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return stream + bigEndian(b << 16 | a)
    }

    private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + data
        var crc = UInt32.max
        for byte in body {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? 0xEDB8_8320 ^ (crc >> 1) : crc >> 1 }
        }
        return bigEndian(UInt32(data.count)) + body + bigEndian(~crc)
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(value >> UInt32(24 - 8 * $0) & 255) }
    }
}
