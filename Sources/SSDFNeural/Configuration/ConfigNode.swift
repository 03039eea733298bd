import SSDFCore

/// A value of a configuration file, with the line it stands on.
package struct ConfigNode: Sendable {
    /// What a value can be.
    package enum Value: Sendable {
        case null
        case bool(Bool)
        case int(Int)
        case double(Double)
        case string(String)
        case list([ConfigNode])
        /// In the order of the file.
        case map([(key: String, node: ConfigNode)])
    }

    /// The value.
    package var value: Value
    /// Counted from 1; 0 when unknown.
    package var line: Int

    /// A value that stands on a line.
    package init(value: Value, line: Int) {
        self.value = value
        self.line = line
    }

    /// The longest text accepted, in bytes. A released configuration has 4 000.
    package static let maximumLength = 1 << 20
    /// The deepest nesting accepted.
    package static let maximumDepth = 32

    /// Parses YAML 1.1, and so JSON.
    ///
    /// Anchors and aliases are refused: a few lines of them can stand for billions of values, and no configuration uses
    /// them. A key that appears twice is an error.
    /// - Throws: `badData` with the line.
    package init(yaml text: String) throws(Failure) {
        guard text.utf8.count <= Self.maximumLength else {
            throw .badData("\(text.utf8.count) bytes", expected: "at most \(Self.maximumLength)")
        }
        try refuseReferences(in: text)
        var parser = try YAMLParser(text)
        let first = try parser.next()
        if case .end = first { throw .badData("an empty file", expected: "a configuration") }
        try self.init(first, from: &parser, depth: 0)
        guard case .end = try parser.next() else {
            throw .badData(place: "line \(parser.line)", "a second document", expected: "one")
        }
    }

    /// The type of an unquoted scalar.
    static func resolve(_ text: String) -> Value {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "on", "On": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "off", "Off": return .bool(false)
        default: break
        }
        guard let first = text.utf8.first, first < 0x3a, let last = text.utf8.last,
            last == UInt8(ascii: ".") || 0x30...0x39 ~= last
        else { return .string(text) }
        if let int = Int(text) { return .int(int) }
        // Hexadecimal floats and the like are no numbers of YAML.
        let isDecimal = text.utf8.allSatisfy { 0x30...0x39 ~= $0 || "+-.eE".utf8.contains($0) }
        if isDecimal, let double = Double(text.last == "." ? text + "0" : text), double.isFinite {
            return .double(double)
        }
        return .string(text)
    }

    /// What it is, for messages.
    package var kind: String {
        switch value {
        case .null: "nothing"
        case .bool(let bool): "\(bool)"
        case .int(let int): "\(int)"
        case .double(let double): "\(double)"
        case .string(let string): "\"\(string.prefix(60))\""
        case .list: "a list"
        case .map: "a mapping"
        }
    }
}

/// Refuses anchors and aliases before a parser multiplies them.
///
/// Knowing what is quoted or a comment would take a parser, so everything that could be one is refused: `&` or `*` where
/// a value may start, with a name behind it.
private func refuseReferences(in text: String) throws(Failure) {
    var line = 1
    var canStart = true
    var mark: UInt8?
    for byte in text.utf8 {
        let isName = byte == 0x2d || byte == 0x5f || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a || 0x30...0x39 ~= byte
        if let mark, isName || byte >= 0x80 {
            throw .badData(
                place: "line \(line)", "\"\(Character(Unicode.Scalar(mark)))\", an anchor or alias",
                expected: "values written out in full")
        }
        mark = canStart && (byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*")) ? byte : nil
        if byte == UInt8(ascii: "\n") { line += 1 }
        canStart = byte <= 0x20 || "-:[]{},?!\"'".utf8.contains(byte)
    }
}
