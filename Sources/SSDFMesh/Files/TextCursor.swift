import CSSDFKernels
import SSDFCore

/// Goes through a text word by word.
///
/// The scanners of numbers need padding behind the text, which a mapped file lacks; so the cursor walks the file itself up
/// to its last line ends and a padded copy of the rest.
struct TextCursor: ~Copyable {
    private let text: UnsafeRawBufferPointer
    private let tail: PaddedText
    private let tailOffset: Int
    private var position: UnsafePointer<UInt8>
    /// End of the segment that `position` is in.
    private var end: UnsafePointer<UInt8>
    private var isInTail: Bool
    /// The byte that starts a comment, which goes on to the end of its line; 0 for none.
    private let comment: UInt8

    /// - Parameter text: must outlive the cursor.
    init(_ text: UnsafeRawBufferPointer, comment: Character? = nil) {
        self.text = text
        self.comment = comment?.asciiValue ?? 0
        // No word crosses a line end, so the text may be cut after the last one before the padding's length.
        let limit = max(0, text.count - Int(SSDF_TEXT_PADDING))
        let cut = text[..<limit].lastIndex { $0 == 10 || $0 == 13 }
        tailOffset = cut.map { $0 + 1 } ?? 0
        tail = PaddedText(UnsafeRawBufferPointer(rebasing: text[tailOffset...]))
        isInTail = tailOffset == 0
        if isInTail {
            position = tail.start
            end = tail.start + tail.count
        } else {
            position = text.baseAddress!.assumingMemoryBound(to: UInt8.self)
            end = position + tailOffset
        }
    }

    /// Bytes before the cursor.
    var offset: Int {
        isInTail
            ? tailOffset + (position - tail.start)
            : position - text.baseAddress!.assumingMemoryBound(to: UInt8.self)
    }

    /// Bytes from the cursor on.
    var bytesLeft: Int { text.count - offset }

    /// "line 12".
    var place: String { linePlace(offset, in: text) }

    /// The word under the cursor, quoted.
    var quoted: String { quotedWord(offset, in: text) }

    /// Goes to the next word, over line ends and comments; false at the end of the text.
    @inline(__always)
    mutating func skipBlanks() -> Bool {
        while true {
            while position < end, position.pointee <= 0x20 { position += 1 }
            if position == end {
                guard !isInTail else { return false }
                enterTail()
            } else if comment != 0, position.pointee == comment {
                skipLine()
            } else {
                return true
            }
        }
    }

    private mutating func enterTail() {
        isInTail = true
        position = tail.start
        end = tail.start + tail.count
    }

    /// Goes behind the end of this line.
    mutating func skipLine() {
        while position < end, position.pointee != 10, position.pointee != 13 { position += 1 }
        if position < end { position += 1 }
    }

    /// The next number.
    /// - Parameter what: says what is expected, for messages.
    @inline(__always)
    mutating func float(_ what: StaticString) throws(Failure) -> Float {
        var value: Float = 0
        guard skipBlanks(), let after = ssdf_scan_float(position, &value), after.pointee <= 0x20, after <= end else {
            throw .badData(place: place, quoted, expected: "\(what)")
        }
        position = after
        return value
    }

    /// The next coordinate: a number that is finite and not absurd.
    @inline(__always)
    mutating func coordinate() throws(Failure) -> Float {
        var value: Float = 0
        guard skipBlanks(), let after = ssdf_scan_float(position, &value), after.pointee <= 0x20, after <= end else {
            throw .badData(place: place, quoted, expected: "a coordinate")
        }
        guard abs(value) <= 1e18 else {
            throw .badData(place: place, "coordinate \(quoted)", expected: coordinateRange)
        }
        position = after
        return value
    }

    /// The next integer.
    @inline(__always)
    mutating func integer(_ what: StaticString) throws(Failure) -> Int64 {
        var value: Int64 = 0
        guard skipBlanks(), let after = ssdf_scan_integer(position, &value), after.pointee <= 0x20, after <= end else {
            throw .badData(place: place, quoted, expected: "\(what)")
        }
        position = after
        return value
    }

    /// Passes the next word when it is this one, in any case.
    mutating func take(_ word: StaticString) -> Bool {
        guard skipBlanks(), end - position >= word.utf8CodeUnitCount else { return false }
        let count = word.utf8CodeUnitCount
        for i in 0..<count where (position[i] | 0x20) != (word.utf8Start[i] | 0x20) { return false }
        guard position + count == end || position[count] <= 0x20 else { return false }
        position += count
        return true
    }

    /// Passes the next word, whatever it is.
    mutating func skipWord() throws(Failure) {
        guard skipBlanks() else { throw .badData(place: place, quoted, expected: "more") }
        while position < end, position.pointee > 0x20 { position += 1 }
    }
}
