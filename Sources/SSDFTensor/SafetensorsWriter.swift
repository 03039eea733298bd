import SSDFCore

/// Writes a safetensors file from front to back: the header first, then each tensor's bytes as they come.
///
/// The same tensors and metadata give the same bytes. Tensors lie in the order of falling element size, then of name
/// (by UTF-8 bytes), so that every one is aligned to its element although the format allows no gaps; the header is
/// padded to a multiple of 8 bytes.
package struct SafetensorsWriter {
    /// A tensor to come: its name, how its elements are stored, its sides.
    package struct Item: Sendable, Equatable {
        /// Its name, unique in the file.
        package var name: String
        /// Type of its elements.
        package var type: ElementType
        /// Sides, outermost first; empty for a single number.
        package var shape: [Int]

        /// A tensor to come.
        package init(name: String, type: ElementType, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }
    }

    /// What was asked for, in the order in which the data must be written.
    package let items: [Item]
    /// Length of the complete file in bytes.
    package let byteCount: Int
    private let header: [UInt8]
    private let sizes: [Int]
    private var position = 0
    private var writtenOfItem = 0

    /// - Parameters:
    ///   - items: in any order.
    ///   - metadata: written under `__metadata__` when there is any.
    /// - Throws: `internal` when a name appears twice or is reserved, or a shape does not fit in a file.
    package init(items: [Item], metadata: [String: String] = [:]) throws(Failure) {
        let sorted = items.sorted {
            $0.type.byteCount != $1.type.byteCount
                ? $0.type.byteCount > $1.type.byteCount : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        var text = "{"
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            text += "\"__metadata__\":{"
            text += pairs.map { "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ",") + "}"
        }
        var sizes: [Int] = []
        var names: Set<String> = []
        var offset = 0
        for item in sorted {
            guard let count = item.type.elementCount(of: item.shape) else {
                throw Failure(.internal, place: "tensor \"\(item.name)\"", "shape \(item.shape) is too large to store")
            }
            guard names.insert(item.name).inserted, item.name != "__metadata__" else {
                throw Failure(.internal, place: "tensor \"\(item.name)\"", "the name is reserved or used twice")
            }
            let size = count * item.type.byteCount
            let (end, overflow) = offset.addingReportingOverflow(size)
            guard !overflow else { throw Failure(.internal, "the tensors together are too large to store") }
            if text.utf8.count > 1 { text += "," }
            let sides = item.shape.map(String.init).joined(separator: ",")
            text += "\(quoted(item.name)):{\"dtype\":\"\(item.type.rawValue)\","
            text += "\"shape\":[\(sides)],\"data_offsets\":[\(offset),\(end)]}"
            sizes.append(size)
            offset = end
        }
        text += "}"
        var body = Array(text.utf8)
        body.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - body.count % 8) % 8))
        guard body.count <= SafetensorsHeader.maximumLength else {
            throw Failure(.internal, "the header would have \(body.count) bytes, too many for the format")
        }
        header = withUnsafeBytes(of: UInt64(body.count).littleEndian) { Array($0) } + body
        self.items = sorted
        self.sizes = sizes
        byteCount = header.count + offset
    }

    /// Writes the header; to be called once, first.
    package func writeHeader(to sink: ByteSink) throws(Failure) {
        // A copy in memory of known place: a closure of withUnsafeBytes would forget the type of the error.
        let copy = Buffer(header)
        try sink(UnsafeRawBufferPointer(copy.unsafeElements))
    }

    /// Writes a part of the data of the tensor whose turn it is, in pieces of any size.
    /// - Precondition: the piece lies within one tensor.
    package mutating func write(_ bytes: UnsafeRawBufferPointer, to sink: ByteSink) throws(Failure) {
        if bytes.isEmpty { return }
        skipFinished()
        precondition(position < items.count, "all tensors are written")
        precondition(writtenOfItem + bytes.count <= sizes[position], "a piece crosses the end of its tensor")
        writtenOfItem += bytes.count
        try sink(bytes)
    }

    /// Whether every tensor has all its bytes.
    package mutating func isComplete() -> Bool {
        skipFinished()
        return position == items.count
    }

    private mutating func skipFinished() {
        while position < items.count, writtenOfItem == sizes[position] {
            position += 1
            writtenOfItem = 0
        }
    }
}

/// The JSON string of a text.
private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\u{00}"..."\u{1f}":
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
