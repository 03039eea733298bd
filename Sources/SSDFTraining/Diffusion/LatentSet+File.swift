import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file of latents: a line of 512 bytes that says what they were made of and how many there are, then the starts (64-bit),
/// places and values as they lie in memory. For the machine that wrote it: numbers are in its own byte order.
extension LatentSet {
    /// Changes whenever equal sources would no longer make equal latents.
    private static let version = 1

    private static func header(_ source: String) -> String { "ssdf-latents \(version) \(ssdfVersion) \(source)" }

    /// The latents in a file; nil when it does not hold, whole, those of this source.
    /// - Parameter source: identifies the shapes and the auto-encoder; one line.
    package convenience init?(source: String, path: String) {
        guard let file = try? FileBytes(path: path) else { return nil }
        typealias Parts = (channels: Int, starts: [Int], places: [UInt32], values: [Float])
        let found: Parts?? = try? file.withBytes { bytes throws(Failure) -> Parts? in
            guard bytes.count >= 512 else { return nil }
            let line = String(decoding: bytes.prefix(512), as: UTF8.self)
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\n" })
            guard words.count > 3, let channels = Int(words[words.count - 3]), let shapes = Int(words[words.count - 2]),
                let rows = Int(words[words.count - 1]), line == Self.line(source, channels, shapes, rows),
                (1...4096).contains(channels), (1...1 << 32).contains(shapes), (0...1 << 40).contains(rows),
                bytes.count == 512 + 8 * (shapes + 1) + 4 * rows * (1 + channels)
            else { return nil }
            func numbers<Number: BitwiseCopyable>(_ type: Number.Type, at start: Int, _ count: Int) -> [Number] {
                [Number](unsafeUninitializedCapacity: count) { storage, initialized in
                    memcpy(storage.baseAddress!, bytes.baseAddress! + start, count * MemoryLayout<Number>.stride)
                    initialized = count
                }
            }
            let starts = numbers(Int.self, at: 512, shapes + 1)
            guard starts.first == 0, starts.last == rows, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }) else {
                return nil
            }
            let at = 512 + 8 * (shapes + 1)
            return (
                channels, starts, numbers(UInt32.self, at: at, rows),
                numbers(Float.self, at: at + 4 * rows, rows * channels)
            )
        }
        guard let parts = found ?? nil else { return nil }
        self.init(
            channels: parts.channels, starts: parts.starts, places: Buffer(parts.places), values: Buffer(parts.values))
    }

    private static func line(_ source: String, _ channels: Int, _ shapes: Int, _ rows: Int) -> String {
        let text = "\(header(source)); channels, shapes, rows: \(channels) \(shapes) \(rows)"
        precondition(text.utf8.count < 512, "the line has room for the source")
        return text + String(repeating: " ", count: 511 - text.utf8.count) + "\n"
    }

    /// Writes the set.
    package func write(source: String, to sink: ByteSink) throws(Failure) {
        let head = Buffer(Array(Self.line(source, channels, count, starts.last!).utf8))
        let firsts = Buffer(starts)
        defer { withExtendedLifetime((head.count, firsts.count)) {} }
        try sink(UnsafeRawBufferPointer(head.unsafeElements))
        try sink(UnsafeRawBufferPointer(firsts.unsafeElements))
        try sink(UnsafeRawBufferPointer(places.unsafeElements))
        try sink(UnsafeRawBufferPointer(values.unsafeElements))
    }
}
