import SSDFCore

/// The header of a NRRD file: text lines of fields and of keys with values, up to an empty line.
///
/// Source: Kindlmann, Definition of NRRD File Format, teem.sourceforge.net/nrrd/format.html.
struct NRRDHeader {
    var type: ScalarType
    var isBigEndian = false
    var isDeflated = false
    /// Of each axis, the fastest first: channels if there are, then x, y, z.
    var sizes: [Int]
    var hasChannels: Bool
    /// Nil when the file says nothing of places.
    var indexToWorld: AffineTransform3?
    /// Keys and values of whoever wrote the file.
    var pairs: [String: String] = [:]
    /// Where the header ends and the numbers begin.
    var dataOffset = 0

    /// A header of more bytes is none.
    private static let largestLength = 1 << 20

    /// - Throws: `badData` naming the line when it is no header, or one of a file that this reader does not take.
    init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard bytes.starts(with: "NRRD000".utf8) else { throw .badData("not a NRRD file", expected: "its magic line") }
        var fields: [String: (value: String, line: Int)] = [:]
        var pairs: [String: String] = [:]
        var number = 0
        var position = 0
        while true {
            let rest = bytes[position..<min(bytes.count, Self.largestLength)]
            guard let end = rest.firstIndex(of: 0x0a) else {
                throw .badData(place: "line \(number + 1)", "the header does not end", expected: "an empty line")
            }
            number += 1
            var line = bytes[position..<end]
            position = end + 1
            if line.last == 0x0d { line = line.dropLast() }
            if line.isEmpty { break }
            guard number > 1, line.first != UInt8(ascii: "#") else { continue }
            guard let text = String(validating: line, as: UTF8.self) else {
                throw .badData(place: "line \(number)", "text that is not UTF-8", expected: "UTF-8")
            }
            try Self.split(text, number, &fields, &pairs)
        }
        self.pairs = pairs
        dataOffset = position
        let parser = NRRDFields(fields: fields)
        (type, isBigEndian, isDeflated) = try parser.encoding()
        (sizes, hasChannels) = try parser.axes()
        indexToWorld = try parser.indexToWorld(hasChannels: hasChannels)
    }

    /// A line is "field: value" or "key:=value".
    private static func split(
        _ text: String, _ number: Int, _ fields: inout [String: (value: String, line: Int)],
        _ pairs: inout [String: String]
    ) throws(Failure) {
        guard let colon = text.firstIndex(of: ":") else {
            throw .badData(
                place: "line \(number)", "no field and no key", expected: "\"field: value\" or \"key:=value\"")
        }
        let name = String(text[..<colon])
        let rest = text[text.index(after: colon)...]
        if rest.first == "=" {
            pairs[name] = unescaped(rest.dropFirst())
            return
        }
        let field = name.lowercased()
        guard fields[field] == nil else {
            throw .badData(place: "line \(number)", "field \"\(field)\" stands twice", expected: "each once")
        }
        fields[field] = (String(rest.drop { $0 == " " }), number)
    }

    /// Line feeds and backslashes of a value are escaped.
    static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n").replacing("\r", with: " ")
    }

    private static func unescaped(_ text: Substring) -> String {
        var result = ""
        var isEscaped = false
        for letter in text {
            if isEscaped {
                result.append(letter == "n" ? "\n" : letter)
                isEscaped = false
            } else if letter == "\\" {
                isEscaped = true
            } else {
                result.append(letter)
            }
        }
        return result
    }
}

/// The fields of a header, taken at their meaning.
private struct NRRDFields {
    let fields: [String: (value: String, line: Int)]

    private subscript(names: String...) -> (value: String, line: Int)? {
        for name in names { if let field = fields[name] { return field } }
        return nil
    }

    private func bad(_ name: String, _ found: String, _ expected: String) -> Failure {
        guard let line = fields[name]?.line else { return .badData("no field \"\(name)\"", expected: expected) }
        return .badData(place: "line \(line)", "\(name) \(found)", expected: expected)
    }

    func encoding() throws(Failure) -> (ScalarType, isBigEndian: Bool, isDeflated: Bool) {
        let types: [String: ScalarType] = [
            "float": .float32, "double": .float64,
            "signed char": .signed(bytes: 1), "int8": .signed(bytes: 1), "int8_t": .signed(bytes: 1),
            "uchar": .unsigned(bytes: 1), "unsigned char": .unsigned(bytes: 1), "uint8": .unsigned(bytes: 1),
            "uint8_t": .unsigned(bytes: 1),
            "short": .signed(bytes: 2), "short int": .signed(bytes: 2), "signed short": .signed(bytes: 2),
            "int16": .signed(bytes: 2), "int16_t": .signed(bytes: 2),
            "ushort": .unsigned(bytes: 2), "unsigned short": .unsigned(bytes: 2), "uint16": .unsigned(bytes: 2),
            "uint16_t": .unsigned(bytes: 2),
            "int": .signed(bytes: 4), "signed int": .signed(bytes: 4), "int32": .signed(bytes: 4),
            "int32_t": .signed(bytes: 4),
            "uint": .unsigned(bytes: 4), "unsigned int": .unsigned(bytes: 4), "uint32": .unsigned(bytes: 4),
            "uint32_t": .unsigned(bytes: 4),
            "longlong": .signed(bytes: 8), "long long": .signed(bytes: 8), "int64": .signed(bytes: 8),
            "int64_t": .signed(bytes: 8),
            "ulonglong": .unsigned(bytes: 8), "unsigned long long": .unsigned(bytes: 8), "uint64": .unsigned(bytes: 8),
            "uint64_t": .unsigned(bytes: 8),
        ]
        let name = self["type"]?.value ?? ""
        guard let type = types[name.lowercased()] else {
            throw bad("type", "is \"\(name)\"", "float, double or a type of whole numbers")
        }
        let encoding = self["encoding"]?.value.lowercased() ?? ""
        guard ["raw", "gzip", "gz"].contains(encoding) else {
            throw bad("encoding", "is \"\(encoding)\"", "raw or gzip")
        }
        for name in ["data file", "datafile"] where fields[name] != nil {
            throw bad(name, "names another file", "the numbers in this one")
        }
        for name in ["byte skip", "byteskip", "line skip", "lineskip"] {
            if let skip = fields[name]?.value, skip != "0" { throw bad(name, "is \(skip)", "0") }
        }
        let endian = self["endian"]?.value.lowercased() ?? (type.byteCount == 1 ? "little" : "")
        guard endian == "little" || endian == "big" else {
            throw bad("endian", "is \"\(endian)\"", "little or big")
        }
        return (type, endian == "big", encoding != "raw")
    }

    func axes() throws(Failure) -> (sizes: [Int], hasChannels: Bool) {
        guard let dimension = self["dimension"].flatMap({ Int($0.value) }), dimension == 3 || dimension == 4 else {
            throw bad("dimension", "is \(self["dimension"]?.value ?? "")", "3, or 4 with channels as the first axis")
        }
        let sizes = (self["sizes"]?.value ?? "").split(separator: " ").map { Int($0) ?? 0 }
        guard sizes.count == dimension, !sizes.contains(where: { $0 < 1 }) else {
            throw bad("sizes", "is \"\(self["sizes"]?.value ?? "")\"", "\(dimension) numbers from 1")
        }
        return (sizes, dimension == 4)
    }

    /// From voxels to the world, or nil when no field tells.
    func indexToWorld(hasChannels: Bool) throws(Failure) -> AffineTransform3? {
        let skipped = hasChannels ? 1 : 0
        let origin = try self["space origin"].map { value throws(Failure) in
            try vector(value.value, "space origin")
        }
        if let directions = self["space directions"]?.value {
            let words = directions.replacing(") (", with: ")|(").replacing("none ", with: "none|").split(separator: "|")
            guard words.count == 3 + skipped, !hasChannels || words[0] == "none" else {
                throw bad("space directions", "is \"\(directions)\"", "a vector for each axis, and none for channels")
            }
            var axes: [Vector3d] = []
            for word in words.dropFirst(skipped) { axes.append(try vector(String(word), "space directions")) }
            return AffineTransform3(x: axes[0], y: axes[1], z: axes[2], translation: origin ?? .zero)
        }
        guard let text = self["spacings"]?.value else { return nil }
        let spacings = text.split(separator: " ").dropFirst(skipped).map { Double($0) ?? .nan }
        guard spacings.count == 3, !spacings.contains(where: { !$0.isFinite }) else {
            throw bad("spacings", "is \"\(text)\"", "a number for each axis")
        }
        var corner = origin ?? .zero
        if origin == nil, let mins = (self["axis mins", "axismins"])?.value {
            let numbers = mins.split(separator: " ").dropFirst(skipped).map { Double($0) ?? .nan }
            if numbers.count == 3, !numbers.contains(where: { !$0.isFinite }) {
                corner = [numbers[0], numbers[1], numbers[2]]
            }
        }
        return AffineTransform3(
            x: [spacings[0], 0, 0], y: [0, spacings[1], 0], z: [0, 0, spacings[2]], translation: corner)
    }

    private func vector(_ text: String, _ name: String) throws(Failure) -> Vector3d {
        let inner = text.drop { $0 == " " || $0 == "(" }.prefix { $0 != ")" }
        let numbers = inner.split(separator: ",").map { Double($0.filter { $0 != " " }) ?? .nan }
        guard numbers.count == 3, !numbers.contains(where: { !$0.isFinite }) else {
            throw bad(name, "has \"\(text)\"", "vectors of three numbers, (x,y,z)")
        }
        return [numbers[0], numbers[1], numbers[2]]
    }
}
