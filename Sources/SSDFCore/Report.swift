/// Findings about a thing, for a person and for a program: each is said once and shown both ways.
package struct Report: Sendable, Equatable {
    /// One finding.
    package struct Row: Sendable, Equatable {
        /// Its name in JSON.
        package var key: String
        /// Its name for a person; a row without one is for programs only.
        package var label: String
        /// For a person; further lines are set under the first.
        package var text: String
        /// For a program.
        package var value: JSONValue
    }

    /// The line above the rows, for a person.
    package var title: String
    /// The findings, in the order they were added.
    package var rows: [Row] = []

    /// A report without findings yet.
    package init(title: String) { self.title = title }

    /// Adds a row that text and JSON have.
    package mutating func add(_ key: String, label: String, _ text: String, _ value: JSONValue) {
        rows.append(Row(key: key, label: label, text: text, value: value))
    }

    /// Adds a row that JSON alone has.
    package mutating func add(_ key: String, _ value: JSONValue) {
        rows.append(Row(key: key, label: "", text: "", value: value))
    }

    /// The title, and the rows in two columns. Control characters, which a hostile file may hold, are shown as "?".
    package var text: String {
        let shown = rows.filter { !$0.label.isEmpty }
        let width = (shown.map(\.label.count).max() ?? 0) + 2
        var lines = [title]
        for row in shown {
            let label = "  " + row.label + String(repeating: " ", count: width - row.label.count)
            let parts = row.text.split(separator: "\n", omittingEmptySubsequences: false)
            for (number, part) in parts.enumerated() {
                lines.append((number == 0 ? label : String(repeating: " ", count: width + 2)) + part)
            }
        }
        return lines.map(printable).joined(separator: "\n")
    }

    /// The rows as an object, without the title.
    package var json: JSONValue { .object(rows.map { JSONValue.Member($0.key, $0.value) }) }
}

/// Text without control characters: a hostile file must not drive the terminal.
package func printable(_ text: some StringProtocol) -> String {
    var line = ""
    for scalar in text.unicodeScalars {
        let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        line.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return line
}

/// A count with thousands set apart: 1 234 567.
package func grouped(_ count: Int) -> String {
    var digits = Array(String(count.magnitude))
    var place = digits.count - 3
    while place > 0 {
        digits.insert(" ", at: place)
        place -= 3
    }
    return (count < 0 ? "-" : "") + String(digits)
}

/// A size in bytes with its unit, three digits: "9.45 MB" is 9 450 000 bytes.
package func byteText(_ bytes: Int) -> String {
    var size = Double(bytes)
    var unit = 0
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5, unit < units.count - 1 {
        size /= 1000
        unit += 1
    }
    return unit == 0 ? "\(bytes) bytes" : "\(rounded(size, digits: 3)) \(units[unit])"
}

/// A number with about `digits` significant digits, for a person.
package func rounded(_ value: Double, digits: Int = 6) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    var scale = 1.0
    var places = 0
    let limit = (0..<digits - 1).reduce(1.0) { product, _ in product * 10 }
    // Outside this range the digits before the power of ten are rounded.
    guard abs(value) < 1e15, abs(value) >= 1e-5 else {
        let parts = "\(value)".split(separator: "e")
        guard parts.count == 2, let digitsAlone = Double(parts[0]) else { return "\(value)" }
        return "\(rounded(digitsAlone, digits: digits))e\(parts[1])"
    }
    while abs(value) * scale < limit, places < 12 {
        scale *= 10
        places += 1
    }
    let whole = (value * scale).rounded()
    let text = "\(whole / scale)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
