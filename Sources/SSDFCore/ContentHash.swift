import CNettle

/// "sha256:" and 64 hexadecimal digits: the identity of a source or a model.
package func contentHash(_ bytes: UnsafeRawBufferPointer) -> String {
    var hasher = ContentHasher()
    hasher.update(bytes)
    return "sha256:" + hasher.digest()
}

/// SHA-256 of bytes that come in parts.
package struct ContentHasher {
    private var context = sha256_ctx()

    /// The hasher of no bytes.
    package init() { nettle_sha256_init(&context) }

    /// Takes the next part.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        nettle_sha256_update(&context, bytes.count, base.assumingMemoryBound(to: UInt8.self))
    }

    /// The 64 hexadecimal digits of everything so far; the hasher starts over.
    package mutating func digest() -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        nettle_sha256_digest(&context, 32, &digest)
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
