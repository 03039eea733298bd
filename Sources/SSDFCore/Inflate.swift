import CZlib

/// How compressed bytes are wrapped.
package enum DeflateWrapping: Sendable {
    /// Not at all.
    case raw
    /// As gzip(1) does; several members one after another make one content.
    case gzip

    fileprivate var windowBits: Int32 { self == .raw ? -15 : 31 }
}

/// The most that deflate can shrink: a claim of more is a lie or a bomb.
package let largestDeflateRatio = 1032

/// Unpacks a deflate stream whose content has a known size.
/// - Returns: the content, or nil when the stream is broken, or its content has another size, or bytes follow it.
/// - Throws: `unavailable` when memory runs out.
/// - Precondition: `size` is at most `largestDeflateRatio` times as much as there is.
package func inflated(
    _ bytes: UnsafeRawBufferPointer, size: Int, wrapping: DeflateWrapping
) throws(Failure) -> Buffer<UInt8>? {
    precondition(size / largestDeflateRatio <= bytes.count)
    let result = Buffer<UInt8>(uninitialized: size)
    var stream = z_stream()
    guard inflateInit2_(&stream, wrapping.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw Failure(.unavailable, "out of memory")
    }
    defer { inflateEnd(&stream) }
    var consumed = 0
    var produced = 0
    // zlib counts in 32 bits; pieces keep below that.
    let piece = 1 << 30
    while true {
        let input = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
        stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(min(piece, input.count))
        stream.next_out = result.pointer + produced
        stream.avail_out = UInt32(min(piece, size - produced))
        let before = (stream.avail_in, stream.avail_out)
        let status = inflate(&stream, Z_NO_FLUSH)
        consumed += Int(before.0 - stream.avail_in)
        produced += Int(before.1 - stream.avail_out)
        if status == Z_STREAM_END {
            if consumed == bytes.count {
                guard produced == size else { return nil }
                return result
            }
            guard wrapping == .gzip else { return nil }
            guard inflateReset(&stream) == Z_OK else { return nil }
        } else if status != Z_OK || before == (stream.avail_in, stream.avail_out) {
            return nil
        }
    }
}
