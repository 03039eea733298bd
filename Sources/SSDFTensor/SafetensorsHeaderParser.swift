import SSDFCore

/// Reads the JSON of a safetensors header, and nothing else that JSON could be.
///
/// The grammar is the format's: an object of tensors, each an object of exactly `dtype`, `shape` and `data_offsets`, and
/// perhaps `__metadata__`, an object of strings. Nesting is fixed, so no input can make it recurse; a key that appears
/// twice is refused, because two readers could disagree about which one counts.
struct SafetensorsHeaderParser {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    /// - Parameter bytes: the header without its length; must outlive the parser.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The metadata sorted by key, and the tensors in the order of the text.
    mutating func parse() throws(Failure) -> (metadata: [(key: String, value: String)], entries: [SafetensorsEntry]) {
        // The format demands that the very first byte opens the object.
        guard bytes.first == UInt8(ascii: "{") else { throw unexpected("{") }
        var metadata: [String: String]?
        var entries: [SafetensorsEntry] = []
        var names: Set<String> = []
        try parseObject { (parser, name) throws(Failure) in
            if name == "__metadata__" {
                guard metadata == nil else { throw Self.duplicate(name) }
                metadata = try parser.parseMetadata()
            } else {
                guard names.insert(name).inserted else { throw Self.duplicate(name) }
                entries.append(try parser.parseEntry(name))
            }
        }
        while position < bytes.count {
            guard Self.isSpace(bytes[position]) else { throw unexpected("only spaces after the object") }
            position += 1
        }
        let sorted = (metadata ?? [:]).sorted { $0.key < $1.key }
        return (sorted.map { (key: $0.key, value: $0.value) }, entries)
    }

    private mutating func parseMetadata() throws(Failure) -> [String: String] {
        var result: [String: String] = [:]
        try parseObject { (parser, key) throws(Failure) in
            let value = try parser.parseString()
            guard result.updateValue(value, forKey: key) == nil else { throw Self.duplicate(key) }
        }
        return result
    }

    private mutating func parseEntry(_ name: String) throws(Failure) -> SafetensorsEntry {
        let place = "tensor \"\(name)\""
        var type: ElementType?
        var shape: [Int]?
        var offsets: [Int]?
        try parseObject { (parser, key) throws(Failure) in
            switch key {
            case "dtype":
                guard type == nil else { throw Self.duplicate("\(name).dtype") }
                let text = try parser.parseString()
                guard let known = ElementType(rawValue: text) else {
                    let names = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
                    throw .badData(place: place, "dtype \"\(text)\"", expected: "one of \(names)")
                }
                type = known
            case "shape":
                guard shape == nil else { throw Self.duplicate("\(name).shape") }
                shape = try parser.parseIntegers(limit: 64)
            case "data_offsets":
                guard offsets == nil else { throw Self.duplicate("\(name).data_offsets") }
                offsets = try parser.parseIntegers(limit: 2)
            default:
                throw .badData(place: place, "key \"\(key)\"", expected: "dtype, shape or data_offsets")
            }
        }
        guard let type, let shape, let offsets else {
            let missing = type == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
            throw .badData(place: place, "no \(missing)", expected: "dtype, shape and data_offsets")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw .badData(place: place, "data_offsets \(offsets)", expected: "[begin, end] with begin <= end")
        }
        return SafetensorsEntry(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
    }

    // MARK: JSON

    /// `{ "key": value, … }`; `body` reads the value.
    private mutating func parseObject(
        _ body: (inout Self, String) throws(Failure) -> Void
    ) throws(Failure) {
        try expect("{")
        if try take("}") { return }
        repeat {
            let key = try parseString()
            try expect(":")
            try body(&self, key)
        } while try take(",")
        try expect("}")
    }

    /// `[n, …]` of whole numbers from 0 to 2^63 - 1.
    private mutating func parseIntegers(limit: Int) throws(Failure) -> [Int] {
        try expect("[")
        if try take("]") { return [] }
        var result: [Int] = []
        repeat {
            guard result.count < limit else { throw unexpected("at most \(limit) numbers") }
            result.append(try parseInteger())
        } while try take(",")
        try expect("]")
        return result
    }

    private mutating func parseInteger() throws(Failure) -> Int {
        skipSpaces()
        let start = position
        var value = 0
        while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(digit))
            guard !overflow, !carry else { throw unexpected("a number below 2^63", at: start) }
            value = sum
            position += 1
        }
        guard position > start else { throw unexpected("a whole number") }
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            throw unexpected("a number without leading zeros", at: start)
        }
        return value
    }

    private mutating func parseString() throws(Failure) -> String {
        skipSpaces()
        try expect("\"")
        let start = position
        var text: [UInt8] = []
        while true {
            guard position < bytes.count else { throw unexpected("the end of the string") }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw unexpected("UTF-8 text", at: start)
                }
                return string
            case UInt8(ascii: "\\"):
                try appendEscape(to: &text)
            case 0..<0x20:
                throw unexpected("no control characters in a string", at: position - 1)
            default:
                text.append(byte)
            }
        }
    }

    private mutating func appendEscape(to text: inout [UInt8]) throws(Failure) {
        guard position < bytes.count else { throw unexpected("an escape") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try parseFourDigits()
            if 0xd800..<0xdc00 ~= code {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw unexpected("the second half of a surrogate pair") }
                position += 2
                let low = try parseFourDigits()
                guard 0xdc00..<0xe000 ~= low else { throw unexpected("the second half of a surrogate pair") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw unexpected("a Unicode scalar") }
            text.append(contentsOf: UTF8.encode(scalar)!)
        default:
            throw unexpected("an escape of JSON", at: position - 1)
        }
    }

    private mutating func parseFourDigits() throws(Failure) -> UInt32 {
        guard position + 4 <= bytes.count else { throw unexpected("four hexadecimal digits") }
        var value: UInt32 = 0
        for index in position..<position + 4 {
            guard let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue, bytes[index] < 0x80 else {
                throw unexpected("four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }

    // MARK: Bytes

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
    }

    private mutating func skipSpaces() {
        while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
    }

    /// Whether the next character is this one; it is consumed when it is.
    private mutating func take(_ character: Unicode.Scalar) throws(Failure) -> Bool {
        skipSpaces()
        guard position < bytes.count else { throw unexpected("'\(character)'") }
        guard bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
        guard try take(character) else { throw unexpected("'\(character)'") }
    }

    private static func duplicate(_ key: String) -> Failure {
        .badData(place: "header", "key \"\(key)\" appears twice", expected: "once")
    }

    private func unexpected(_ expected: String, at place: Int? = nil) -> Failure {
        let place = place ?? position
        let found: String
        if place >= bytes.count {
            found = "the header ends"
        } else if 0x21..<0x7f ~= bytes[place] {
            found = "'\(Character(Unicode.Scalar(bytes[place])))'"
        } else {
            found = "byte \(bytes[place])"
        }
        return .badData(place: "header, byte \(8 + place)", found, expected: expected)
    }
}
