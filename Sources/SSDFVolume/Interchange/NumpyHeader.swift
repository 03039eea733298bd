import SSDFCore

/// What stands before the numbers of an .npy file: their type, order and shape.
///
/// Source: NumPy Enhancement Proposal 1, A Simple File Format for NumPy Arrays.
struct NumpyHeader: Equatable {
    enum Element: Equatable {
        case scalar(ScalarType, isBigEndian: Bool)
        /// Unicode text of so many code points, padded with zeros.
        case text(length: Int)

        var byteCount: Int {
            switch self {
            case .scalar(let type, _): type.byteCount
            case .text(let length): 4 * length
            }
        }
    }

    var element: Element
    /// The first index runs fastest.
    var isFortran: Bool
    var shape: [Int]

    var count: Int { shape.reduce(1, *) }

    static let magic: [UInt8] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
    /// No array that can be used has a longer one.
    private static let largestLength = 1 << 16

    /// A header in C order.
    init(_ element: Element, shape: [Int]) {
        self.element = element
        isFortran = false
        self.shape = shape
    }

    /// Reads the header at the front of `bytes`.
    /// - Parameter dataOffset: gets where the numbers start.
    /// - Throws: `badData` when it is none, or of objects or records, or there are other than its numbers after it.
    init(_ bytes: UnsafeRawBufferPointer, dataOffset: inout Int) throws(Failure) {
        var cursor = ByteCursor(bytes)
        guard bytes.starts(with: Self.magic) else { throw .badData("not an .npy file", expected: "its magic bytes") }
        _ = try cursor.take(Self.magic.count)
        let version: UInt8 = try cursor.next()
        let minor: UInt8 = try cursor.next()
        guard (1...3).contains(version), minor == 0 else {
            throw .badData("version \(version).\(minor) of .npy", expected: "1.0, 2.0 or 3.0")
        }
        let length = version == 1 ? Int(try cursor.next(UInt16.self)) : Int(try cursor.next(UInt32.self))
        guard length <= Self.largestLength else {
            throw .badData("a header of \(length) bytes", expected: "at most \(Self.largestLength)")
        }
        var parser = PythonLiteral(try cursor.text(length))
        (element, isFortran, shape) = try parser.header()
        // Strides are counted over the extents that are not 0; a type of no bytes counts as one.
        var room = max(element.byteCount, 1)
        for extent in shape {
            let (product, overflow) = room.multipliedReportingOverflow(by: max(extent, 1))
            guard !overflow else { throw .badData("shape \(Self.text(shape))", expected: "one that fits in a file") }
            room = product
        }
        let total = shape.contains(0) || element.byteCount == 0 ? 0 : room
        guard element.byteCount > 0 || count <= Self.largestLength else {
            throw .badData("\(count) texts without letters", expected: "at most \(Self.largestLength)")
        }
        guard total == cursor.remaining else {
            throw .badData("\(cursor.remaining) bytes of numbers", expected: "\(total) for shape \(Self.text(shape))")
        }
        dataOffset = cursor.position
    }

    /// The header's bytes, padded so that the numbers start at a multiple of 64.
    var encoded: [UInt8] {
        let descriptor: String
        switch element {
        case .scalar(let type, _): descriptor = type.numpyName
        case .text(let length): descriptor = "<U\(length)"
        }
        var text = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': \(Self.text(shape)), }"
        let prefix = Self.magic.count + 4
        while (prefix + text.utf8.count + 1) % 64 != 0 { text += " " }
        text += "\n"
        let length = text.utf8.count
        return Self.magic + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)] + Array(text.utf8)
    }

    /// As a Python tuple.
    static func text(_ shape: [Int]) -> String {
        shape.count == 1 ? "(\(shape[0]),)" : "(" + shape.map { "\($0)" }.joined(separator: ", ") + ")"
    }
}

extension ScalarType {
    /// As NumPy names the type in little-endian order.
    var numpyName: String {
        switch self {
        case .float16: "<f2"
        case .float32: "<f4"
        case .float64: "<f8"
        case .signed(let bytes): bytes == 1 ? "|i1" : "<i\(bytes)"
        case .unsigned(let bytes): bytes == 1 ? "|u1" : "<u\(bytes)"
        }
    }
}

/// Reads the dictionary of a header, a Python literal of which only these forms occur.
private struct PythonLiteral {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    mutating func header() throws(Failure) -> (NumpyHeader.Element, Bool, [Int]) {
        var element: NumpyHeader.Element?
        var isFortran: Bool?
        var shape: [Int]?
        try expect("{")
        while !take("}") {
            let key = try string()
            try expect(":")
            switch key {
            case "descr" where element == nil: element = try descriptor()
            case "fortran_order" where isFortran == nil: isFortran = try boolean()
            case "shape" where shape == nil: shape = try tuple()
            default: throw bad("key '\(key)'", "descr, fortran_order and shape, each once")
            }
            if !take(",") {
                try expect("}")
                break
            }
        }
        skipSpace()
        guard rest.isEmpty else { throw bad("text after the dictionary", "none") }
        guard let element, let isFortran, let shape else {
            throw bad("a key is missing", "descr, fortran_order and shape")
        }
        return (element, isFortran, shape)
    }

    private mutating func descriptor() throws(Failure) -> NumpyHeader.Element {
        skipSpace()
        guard rest.first == UInt8(ascii: "'") || rest.first == UInt8(ascii: "\"") else {
            throw bad("an array of records", "one of numbers")
        }
        let text = try string()
        let order = text.first
        let kind = text.dropFirst().first
        let wish = "f2, f4, f8, i1 to i8, u1 to u8, b1 or U"
        guard let order, "<>|=".contains(order), let kind, let size = Int(text.dropFirst(2)), size >= 0, size < 1 << 24
        else { throw bad("type '\(text)'", wish) }
        let isBig = order == ">"
        switch (kind, size) {
        case ("f", 2): return .scalar(.float16, isBigEndian: isBig)
        case ("f", 4): return .scalar(.float32, isBigEndian: isBig)
        case ("f", 8): return .scalar(.float64, isBigEndian: isBig)
        case ("i", 1), ("i", 2), ("i", 4), ("i", 8): return .scalar(.signed(bytes: size), isBigEndian: isBig)
        case ("u", 1), ("u", 2), ("u", 4), ("u", 8), ("b", 1):
            return .scalar(.unsigned(bytes: size), isBigEndian: isBig)
        case ("U", _) where !isBig: return .text(length: size)
        default: throw bad("type '\(text)'", wish)
        }
    }

    private mutating func boolean() throws(Failure) -> Bool {
        if take("True") { return true }
        if take("False") { return false }
        throw bad("fortran_order is no truth value", "True or False")
    }

    private mutating func tuple() throws(Failure) -> [Int] {
        try expect("(")
        var numbers: [Int] = []
        while !take(")") {
            skipSpace()
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard let number = Int(String(Substring(digits))) else { throw bad("shape has no number", "one from 0") }
            rest = rest.dropFirst(digits.count)
            // Python 2 wrote long integers so.
            _ = take("L")
            numbers.append(number)
            guard numbers.count <= 32 else { throw bad("more than 32 dimensions", "at most 4") }
            if !take(",") {
                try expect(")")
                break
            }
        }
        return numbers
    }

    private mutating func string() throws(Failure) -> String {
        skipSpace()
        guard let quote = rest.popFirst(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
            throw bad("no text where one should be", "a quoted one")
        }
        let content = rest.prefix { $0 != quote }
        rest = rest.dropFirst(content.count)
        guard rest.popFirst() != nil else { throw bad("a text without an end", "a quote") }
        return String(Substring(content))
    }

    private mutating func skipSpace() { rest = rest.drop { $0 == 0x20 || $0 == 0x0a } }

    private mutating func take(_ token: String) -> Bool {
        skipSpace()
        guard rest.starts(with: token.utf8) else { return false }
        rest = rest.dropFirst(token.utf8.count)
        return true
    }

    private mutating func expect(_ token: String) throws(Failure) {
        guard take(token) else { throw bad("\"\(String(Substring(rest.prefix(12))))\"", "\"\(token)\"") }
    }

    private func bad(_ found: String, _ expected: String) -> Failure {
        .badData(place: "the header of .npy", found, expected: expected)
    }
}
