import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// "line 12" for an offset in a text.
/// - Complexity: O(offset). For messages.
func linePlace(_ offset: Int, in text: UnsafeRawBufferPointer) -> String {
    var line = 1
    for byte in text[..<min(offset, text.count)] where byte == UInt8(ascii: "\n") { line += 1 }
    return "line \(line)"
}

/// The word at an offset, quoted, for messages: at most 32 bytes of it; "the end of the line" or "the end of the file"
/// when there is none.
func quotedWord(_ offset: Int, in text: UnsafeRawBufferPointer) -> String {
    guard offset < text.count else { return "the end of the file" }
    let word = text[offset...].prefix(32).prefix { $0 > 0x20 }
    if word.isEmpty { return text[offset] == 10 || text[offset] == 13 ? "the end of the line" : "a control character" }
    return "'\(String(decoding: word, as: UTF8.self))'"
}

/// What a coordinate may be, for messages.
let coordinateRange = "a finite number of at most 1e18"

/// The last part of a text with the padding that the scanners of numbers need.
struct PaddedText: ~Copyable {
    private let storage: Buffer<UInt8>
    let count: Int

    init(_ text: UnsafeRawBufferPointer) {
        let padding = Int(SSDF_TEXT_PADDING)
        storage = Buffer(uninitialized: text.count + padding)
        count = text.count
        if let base = text.baseAddress { memcpy(storage.pointer, base, text.count) }
        // Line feeds, so that a statement whose end a backslash hides ends all the same.
        memset(storage.pointer + text.count, 10, padding)
    }

    var start: UnsafePointer<UInt8> { UnsafePointer(storage.pointer) }
}
