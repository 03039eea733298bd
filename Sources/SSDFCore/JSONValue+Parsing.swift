extension JSONValue {
    /// The deepest nesting accepted.
    package static let maximumDepth = 64

    /// Parses one JSON text as RFC 8259 defines it, with nothing but white space around it.
    ///
    /// Numbers without a fraction and an exponent that fit are integers. A key that appears twice in an object is an
    /// error, and so is nesting deeper than `maximumDepth`.
    /// - Throws: `badData` with the byte where the text stops being JSON.
    /// - Complexity: O(bytes); an object's keys are compared with each other by hashing.
    package init(parsing bytes: UnsafeRawBufferPointer) throws(Failure) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }

    /// Parses the UTF-8 of a text.
    package init(parsing text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        let result: Result<JSONValue, Failure> = bytes.withUnsafeBytes { raw in
            do throws(Failure) { return .success(try JSONValue(parsing: raw)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    /// The value of a key; nil when this is no object or has no such key.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// The text of a string.
    package var string: String? { if case .string(let value) = self { value } else { nil } }

    /// The value of a whole number.
    package var int: Int? { if case .integer(let value) = self { value } else { nil } }

    /// The value of any number.
    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The elements of an array.
    package var elements: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
}

private struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    var place = 0

    mutating func document() throws(Failure) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard place == bytes.count else { throw failure("the end") }
        return value
    }

    private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { place += 1 }
    }

    /// What is wrong here: the byte found, and what should have stood there.
    private func failure(_ expected: String) -> Failure {
        let found =
            current.map { (0x21...0x7e).contains($0) ? "\"\(Character(UnicodeScalar($0)))\"" : "byte \($0)" }
            ?? "the end"
        return .badData(place: "byte \(place)", found, expected: expected)
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        guard depth < JSONValue.maximumDepth else {
            throw .badData(place: "byte \(place)", "more than \(depth) levels", expected: "fewer")
        }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try text())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
        default: throw failure("a value")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
        for index in 0..<word.utf8CodeUnitCount {
            guard current == word.utf8Start[index] else { throw failure("\(word)") }
            place += 1
        }
        return value
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONValue {
        place += 1
        var members: [JSONValue.Member] = []
        var keys: Set<String> = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            place += 1
            return .object([])
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw failure("a key") }
            let start = place
            let key = try text()
            guard keys.insert(key).inserted else {
                throw .badData(place: "byte \(start)", "key \"\(key)\" a second time", expected: "each key once")
            }
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw failure("\":\"") }
            place += 1
            members.append(.init(key, try value(depth: depth + 1)))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): place += 1
            case UInt8(ascii: "}"):
                place += 1
                return .object(members)
            default: throw failure("\",\" or \"}\"")
            }
        }
    }

    private mutating func array(depth: Int) throws(Failure) -> JSONValue {
        place += 1
        var values: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            place += 1
            return .array([])
        }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): place += 1
            case UInt8(ascii: "]"):
                place += 1
                return .array(values)
            default: throw failure("\",\" or \"]\"")
            }
        }
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = place
        var isWhole = true
        if current == UInt8(ascii: "-") { place += 1 }
        if current == UInt8(ascii: "0") {
            place += 1
        } else {
            try digits()
        }
        if current == UInt8(ascii: ".") {
            isWhole = false
            place += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isWhole = false
            place += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { place += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if isWhole, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw .badData(place: "byte \(start)", "\(text)", expected: "a number that fits 64 bits")
        }
        return .number(value)
    }

    private mutating func digits() throws(Failure) {
        guard let first = current, (0x30...0x39).contains(first) else { throw failure("a digit") }
        while let byte = current, (0x30...0x39).contains(byte) { place += 1 }
    }

    /// A string; the place is at its opening quote.
    private mutating func text() throws(Failure) -> String {
        place += 1
        var units: [UInt8] = []
        while true {
            guard let byte = current else { throw failure("the rest of a string") }
            switch byte {
            case UInt8(ascii: "\""):
                place += 1
                guard let text = String(validating: units, as: UTF8.self) else {
                    throw .badData(place: "byte \(place - 1)", "a string that is not UTF-8", expected: "UTF-8")
                }
                return text
            case UInt8(ascii: "\\"):
                place += 1
                try escape(&units)
            case 0..<0x20: throw failure("an escaped control character")
            default:
                units.append(byte)
                place += 1
            }
        }
    }

    private mutating func escape(_ units: inout [UInt8]) throws(Failure) {
        let simple: [UInt8: UInt8] = [
            UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 0x08,
            UInt8(ascii: "f"): 0x0C, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
        ]
        if let byte = current, let meant = simple[byte] {
            units.append(meant)
            place += 1
            return
        }
        guard current == UInt8(ascii: "u") else { throw failure("an escape") }
        place += 1
        var code = try hexadecimal()
        if (0xD800..<0xDC00).contains(code) {
            guard current == UInt8(ascii: "\\") else { throw failure("the second half of a surrogate pair") }
            place += 1
            guard current == UInt8(ascii: "u") else { throw failure("the second half of a surrogate pair") }
            place += 1
            let low = try hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw failure("the second half of a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = UnicodeScalar(code) else { throw failure("half of a surrogate pair before it") }
        units.append(contentsOf: String(Character(scalar)).utf8)
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("a hexadecimal digit")
            }
            code = code << 4 | UInt32(digit)
            place += 1
        }
        return code
    }
}
