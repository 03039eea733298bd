import SSDFCore

/// A PLY scalar type.
enum PLYType: Sendable {
    case int8, uint8, int16, uint16, int32, uint32, float32, float64

    init?(_ name: Substring) {
        switch name {
        case "char", "int8": self = .int8
        case "uchar", "uint8": self = .uint8
        case "short", "int16": self = .int16
        case "ushort", "uint16": self = .uint16
        case "int", "int32": self = .int32
        case "uint", "uint32": self = .uint32
        case "float", "float32": self = .float32
        case "double", "float64": self = .float64
        default: return nil
        }
    }

    /// Bytes in a binary file.
    var size: Int {
        switch self {
        case .int8, .uint8: 1
        case .int16, .uint16: 2
        case .int32, .uint32, .float32: 4
        case .float64: 8
        }
    }

    var isInteger: Bool { self != .float32 && self != .float64 }
}

/// A property of an element: one scalar, or a list of them.
struct PLYProperty: Sendable {
    var name: String
    var type: PLYType
    /// The type of a list's count; nil for a scalar.
    var countType: PLYType?
}

struct PLYElement: Sendable {
    var name: String
    var count: Int
    var properties: [PLYProperty] = []

    /// Bytes of each item in a binary file, when it has no lists.
    var fixedSize: Int? {
        properties.contains { $0.countType != nil } ? nil : leastSize
    }

    /// Bytes that an item takes at the least in a binary file.
    var leastSize: Int { properties.reduce(0) { $0 + ($1.countType ?? $1.type).size } }

    func scalar(named name: String) -> Int? {
        properties.firstIndex { $0.name == name && $0.countType == nil }
    }

    /// The list of vertex indices.
    var indexList: Int? {
        properties.firstIndex { ($0.name == "vertex_indices" || $0.name == "vertex_index") && $0.countType != nil }
    }
}

/// What comes before the data in a PLY file.
struct PLYHeader: Sendable {
    enum Encoding: Sendable { case ascii, littleEndian, bigEndian }

    var encoding = Encoding.ascii
    var elements: [PLYElement] = []
    /// Where the data starts.
    var bodyOffset = 0

    /// - Throws: `badData` with the line.
    init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var encoding: Encoding?
        var line = 0
        var offset = 0
        var isEnded = false
        // Lines end with a line feed, or, in files from old Macintoshes, with a carriage return alone.
        let afterMagic = bytes.dropFirst(3).first
        let isOldMacintosh = afterMagic == 13 && bytes.dropFirst(4).first != 10
        let lineEnd: UInt8 = isOldMacintosh ? 13 : 10
        while !isEnded {
            line += 1
            guard offset < bytes.count, let end = bytes[offset...].firstIndex(of: lineEnd) else {
                throw .badData(place: "line \(line)", "the end of the file", expected: "end_header")
            }
            let text = String(decoding: bytes[offset..<end], as: UTF8.self)
            offset = end + 1
            let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" }
            func fail(_ found: String, expected: String) -> Failure {
                .badData(place: "line \(line)", found, expected: expected)
            }
            switch words.first {
            case "ply" where line == 1: break
            case _ where line == 1: throw fail("'\(text.prefix(16))'", expected: "'ply'")
            case "format":
                let known: [Substring: Encoding] = [
                    "ascii": .ascii, "binary_little_endian": .littleEndian, "binary_big_endian": .bigEndian,
                ]
                guard words.count == 3, let found = known[words[1]], words[2] == "1.0" else {
                    throw fail(
                        "'\(text)'", expected: "format ascii, binary_little_endian or binary_big_endian, version 1.0")
                }
                encoding = found
            case "element":
                guard words.count == 3, let count = Int(words[2]), count >= 0 else {
                    throw fail("'\(text)'", expected: "element, a name and a count")
                }
                elements.append(PLYElement(name: String(words[1]), count: count))
            case "property":
                guard !elements.isEmpty else { throw fail("a property", expected: "an element before it") }
                elements[elements.count - 1].properties.append(try property(words, text, line: line))
            case "end_header": isEnded = true
            case nil, "comment", "obj_info": break
            default: throw fail("'\(words[0])'", expected: "a header keyword")
            }
        }
        guard let encoding else { throw .badData(place: "header", "no format line", expected: "one") }
        self.encoding = encoding
        bodyOffset = offset
    }
}

private func property(_ words: [Substring], _ text: String, line: Int) throws(Failure) -> PLYProperty {
    let place = "line \(line)"
    if words.count == 5, words[1] == "list" {
        guard let countType = PLYType(words[2]), let type = PLYType(words[3]) else {
            throw .badData(place: place, "'\(text)'", expected: "known types")
        }
        guard countType.isInteger else {
            throw .badData(place: place, "list counts of type \(words[2])", expected: "an integer type")
        }
        return PLYProperty(name: String(words[4]), type: type, countType: countType)
    }
    guard words.count == 3, let type = PLYType(words[1]) else {
        throw .badData(place: place, "'\(text)'", expected: "property, a type and a name")
    }
    return PLYProperty(name: String(words[2]), type: type, countType: nil)
}
