import CZlib

/// Compresses a stream of bytes with deflate, in pieces that know nothing of each other, so that several threads can
/// work on them; the bytes that come out do not depend on how many there are.
///
/// Each piece but the last ends at a whole byte without ending the stream (a sync flush), so that the pieces make one
/// raw deflate stream; the price is five bytes a piece and the matches across its start.
///
/// Source: Deutsch, RFC 1951, 1996; the division into pieces is that of pigz by Adler.
package struct DeflateWriter: ~Copyable {
    /// Bytes taken so far.
    package private(set) var size = 0
    /// Bytes given to the sink so far.
    package private(set) var packedSize = 0
    /// CRC-32 of the bytes taken, once finished.
    package private(set) var checksum: UInt = 0

    private let level: Int32
    private let threads: Int
    private let sink: ByteSink
    private var pending: [UInt8] = []

    /// Bytes of a piece: enough that its start, which has no history, costs nothing to speak of.
    private static var pieceSize: Int { 1 << 19 }
    /// Pieces worked on together, for each thread.
    private static var batch: Int { 4 }

    /// - Parameters:
    ///   - level: of zlib, 1 (fast) … 9 (small).
    ///   - threads: to compress on.
    package init(level: Int, threads: Int, to sink: @escaping ByteSink) {
        precondition((1...9).contains(level) && threads > 0)
        self.level = Int32(level)
        self.threads = threads
        self.sink = sink
    }

    /// Takes the next bytes.
    /// - Throws: what the sink throws.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes[...]
        let full = Self.pieceSize * Self.batch * threads
        while !rest.isEmpty {
            let part = rest.prefix(full - pending.count)
            pending.append(contentsOf: part)
            rest = rest.dropFirst(part.count)
            // The last piece of all must be known to be the last; so one waits.
            if pending.count == full, !rest.isEmpty { try flush(isLast: false) }
        }
    }

    /// Ends the stream.
    /// - Throws: what the sink throws.
    package mutating func finish() throws(Failure) { try flush(isLast: true) }

    private mutating func flush(isLast: Bool) throws(Failure) {
        let count = max(1, (pending.count + Self.pieceSize - 1) / Self.pieceSize)
        let level = level
        let bytes = pending
        let pieces: [Piece?] = bytes.withUnsafeBytes { raw in
            let raw = Unchecked(raw)
            return parallelMap(count, threads: threads) { index in
                let start = index * Self.pieceSize
                let end = min(start + Self.pieceSize, raw.value.count)
                return Piece(
                    UnsafeRawBufferPointer(rebasing: raw.value[start..<end]), level: level,
                    isLast: isLast && index == count - 1)
            }
        }
        pending.removeAll(keepingCapacity: true)
        for piece in pieces {
            guard let piece else { throw Failure(.unavailable, "out of memory") }
            checksum = UInt(crc32_combine(checksum, UInt(piece.checksum), piece.size))
            size += piece.size
            packedSize += piece.packed.count
            try piece.packed.emit(to: sink)
        }
    }
}

/// One piece, compressed.
private struct Piece: Sendable {
    let packed: [UInt8]
    let size: Int
    let checksum: UInt

    /// Nil when memory runs out.
    init?(_ bytes: UnsafeRawBufferPointer, level: Int32, isLast: Bool) {
        var stream = z_stream()
        // Negative window bits: a raw deflate stream. 8 is the memory level that zlib itself chooses.
        guard
            deflateInit2_(
                &stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)
            )
                == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count))) + 16
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        packed = [UInt8](unsafeUninitializedCapacity: bound) { room, count in
            stream.next_in = UnsafeMutablePointer(mutating: start)
            stream.avail_in = UInt32(bytes.count)
            stream.next_out = room.baseAddress
            stream.avail_out = UInt32(room.count)
            _ = deflate(&stream, isLast ? Z_FINISH : Z_SYNC_FLUSH)
            count = room.count - Int(stream.avail_out)
        }
        // The bound holds for all inputs, so that one call takes everything.
        precondition(stream.avail_in == 0, "zlib left input")
        size = bytes.count
        checksum = start.map { crc32_z(0, $0, bytes.count) } ?? 0
    }
}

extension [UInt8] {
    /// Gives all bytes to a sink.
    package func emit(to sink: ByteSink) throws(Failure) {
        var failure: Failure?
        withUnsafeBytes { raw in
            do throws(Failure) { try sink(raw) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
