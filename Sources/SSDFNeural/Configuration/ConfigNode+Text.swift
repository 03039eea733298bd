extension ConfigNode {
    /// The value as YAML that reads as the same again; mappings a key a line, lists in brackets.
    package func yaml(indent: Int = 0) -> String {
        guard case .map(let pairs) = value else { return scalarText + "\n" }
        let space = String(repeating: " ", count: indent)
        return pairs.map { key, node in
            guard case .map(let inner) = node.value, !inner.isEmpty else {
                return "\(space)\(key): \(node.scalarText)\n"
            }
            return "\(space)\(key):\n\(node.yaml(indent: indent + 2))"
        }.joined()
    }

    /// The value on one line.
    private var scalarText: String {
        switch value {
        case .null: "null"
        case .bool(let bool): "\(bool)"
        case .int(let int): "\(int)"
        case .double(let double): "\(double)"
        case .string(let string): Self.quoted(string)
        case .list(let items): "[" + items.map(\.scalarText).joined(separator: ", ") + "]"
        case .map(let pairs): "{" + pairs.map { "\($0.key): \($0.node.scalarText)" }.joined(separator: ", ") + "}"
        }
    }

    /// Plain where that reads as the same text, else in double quotes.
    private static func quoted(_ text: String) -> String {
        let isPlain =
            text.utf8.first.map { $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a } ?? false
            && text.utf8.allSatisfy {
                0x30...0x39 ~= $0 || $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a || "_-./".utf8.contains($0)
            }
        if isPlain, case .string = resolve(text) { return text }
        let escaped = text.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\"", "\\": "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: String(scalar)
            }
        }
        return "\"" + escaped.joined() + "\""
    }

    /// The value below a key of a mapping.
    package subscript(_ key: String) -> ConfigNode? {
        guard case .map(let pairs) = value else { return nil }
        return pairs.first { $0.key == key }?.node
    }

    /// The same mapping with a key set: in place when it is there, else at the end.
    package func setting(_ key: String, to node: ConfigNode) -> ConfigNode {
        guard case .map(var pairs) = value else { return self }
        if let index = pairs.firstIndex(where: { $0.key == key }) {
            pairs[index].node = node
        } else {
            pairs.append((key, node))
        }
        return ConfigNode(value: .map(pairs), line: line)
    }
}
