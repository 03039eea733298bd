import SSDFCore
import Yams

/// A value of a configuration file, with the line it stands on.
package struct ConfigNode: Sendable {
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

    package var value: Value
    /// Counted from 1; 0 when unknown.
    package var line: Int

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
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw failure(of: error)
        } catch {
            throw Failure(.badData, "not YAML")
        }
        guard let node else { throw .badData("an empty file", expected: "a configuration") }
        try self.init(node, depth: 0)
    }

    private init(_ node: Node, depth: Int) throws(Failure) {
        line = node.mark?.line ?? 0
        guard depth < Self.maximumDepth else {
            throw .badData(place: "line \(line)", "more than \(depth) levels", expected: "a configuration")
        }
        switch node {
        case .scalar(let scalar):
            value =
                scalar.style == .plain || scalar.style == .any ? Self.resolve(scalar.string) : .string(scalar.string)
        case .sequence(let sequence):
            var list: [ConfigNode] = []
            for item in sequence { list.append(try ConfigNode(item, depth: depth + 1)) }
            value = .list(list)
        case .mapping(let mapping):
            var map: [(key: String, node: ConfigNode)] = []
            for (key, item) in mapping {
                guard case .scalar(let name) = key else {
                    throw .badData(place: "line \(line)", "a key that is not a text", expected: "a name")
                }
                map.append((name.string, try ConfigNode(item, depth: depth + 1)))
            }
            value = .map(map)
        case .alias:
            throw .badData(place: "line \(line)", "an alias", expected: "a value")
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

private func failure(of error: YamlError) -> Failure {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
        .composer(_, let problem, let mark, _):
        Failure(.badData, place: "line \(mark.line)", "not YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
        .badData(
            place: "line \(context.mark.line)", "key \"\(duplicates.sorted().first ?? "")\" appears twice",
            expected: "once")
    default:
        Failure(.badData, "not YAML: \(error)")
    }
}
