import SSDFCore

/// Reads a mapping of a configuration key by key, and remembers which keys nobody asked for.
package struct ConfigReader {
    /// Where the mapping stands: "sparse_dit_512.params".
    package let path: String
    private let values: [String: ConfigNode]
    private let order: [String]
    private var asked: Set<String> = []

    /// - Throws: `badData` when the node is not a mapping.
    package init(_ node: ConfigNode, path: String) throws(Failure) {
        guard case .map(let pairs) = node.value else {
            throw .badData(place: Self.place(path, node), node.kind, expected: "a mapping")
        }
        self.path = path
        order = pairs.map(\.key)
        var values: [String: ConfigNode] = [:]
        for (key, value) in pairs { values[key] = value }
        self.values = values
    }

    /// All keys, in the order of the file.
    package var keys: [String] { order }

    /// The keys that no method of this reader was asked for.
    package var unread: [String] { order.filter { !asked.contains($0) } }

    /// The value of a key; nil when it is absent or null.
    package mutating func node(_ key: String) -> ConfigNode? {
        asked.insert(key)
        guard let node = values[key] else { return nil }
        if case .null = node.value { return nil }
        return node
    }

    /// Marks a key as known although its value has no effect here.
    package mutating func ignore(_ keys: String...) { asked.formUnion(keys) }

    /// A whole number within `range`; `fallback` when the key is absent.
    /// - Throws: `badData` when it is absent and there is no fallback, of another type, or outside the range.
    package mutating func int(
        _ key: String, default fallback: Int? = nil, in range: ClosedRange<Int> = 1...65536
    ) throws(Failure) -> Int {
        guard let node = node(key) else { return try required(fallback, key) }
        let number: Int
        switch node.value {
        case .int(let int): number = int
        case .double(let double): number = Int(exactly: double) ?? .min
        default: throw mismatch(key, node, "a whole number")
        }
        guard range.contains(number) else {
            throw mismatch(key, node, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A finite number.
    package mutating func double(_ key: String, default fallback: Double? = nil) throws(Failure) -> Double {
        guard let node = node(key) else { return try required(fallback, key) }
        switch node.value {
        case .int(let int): return Double(int)
        case .double(let double): return double
        default: throw mismatch(key, node, "a number")
        }
    }

    /// A truth value; `fallback` when the key is missing.
    /// - Throws: `badData` when it is another value, or missing without a fallback.
    package mutating func bool(_ key: String, default fallback: Bool? = nil) throws(Failure) -> Bool {
        guard let node = node(key) else { return try required(fallback, key) }
        guard case .bool(let bool) = node.value else { throw mismatch(key, node, "true or false") }
        return bool
    }

    /// A text; `fallback` when the key is missing.
    /// - Throws: `badData` when it is another value, or missing without a fallback.
    package mutating func string(_ key: String, default fallback: String? = nil) throws(Failure) -> String {
        guard let node = node(key) else { return try required(fallback, key) }
        guard case .string(let string) = node.value else { throw mismatch(key, node, "a text") }
        return string
    }

    /// A list of whole numbers, each from 1 to 65536, at least one and at most sixteen.
    package mutating func ints(_ key: String, default fallback: [Int]? = nil) throws(Failure) -> [Int] {
        guard let node = node(key) else { return try required(fallback, key) }
        guard case .list(let items) = node.value, 1...16 ~= items.count else {
            throw mismatch(key, node, "a list of 1 to 16 whole numbers")
        }
        var result: [Int] = []
        for item in items {
            guard case .int(let int) = item.value, 1...65536 ~= int else {
                throw mismatch(key, item, "whole numbers from 1 to 65536")
            }
            result.append(int)
        }
        return result
    }

    /// A failure about the value of a key.
    package func mismatch(_ key: String, _ node: ConfigNode, _ expected: String) -> Failure {
        .badData(place: Self.place("\(path).\(key)", node), node.kind, expected: expected)
    }

    private func required<Value>(_ fallback: Value?, _ key: String) throws(Failure) -> Value {
        guard let fallback else { throw .badData(place: "\(path).\(key)", "no value", expected: "one") }
        return fallback
    }

    private static func place(_ path: String, _ node: ConfigNode) -> String {
        node.line > 0 ? "line \(node.line): \(path)" : path
    }
}
