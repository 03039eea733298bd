import SSDFCore
import SSDFTensor

/// Whatever is accepted must tile its data, and come out equal when it is written and read again.
func fuzzSafetensors(_ bytes: UnsafeRawBufferPointer) {
    guard let header = try? SafetensorsHeader(bytes) else { return }
    let content = UnsafeRawBufferPointer(rebasing: bytes[header.dataOffset...])
    precondition(header.entries.reduce(0) { $0 + $1.range.count } == content.count)
    var metadata: [String: String] = [:]
    for (key, value) in header.metadata { metadata[key] = value }
    let items = header.entries.map { SafetensorsWriter.Item(name: $0.name, type: $0.type, shape: $0.shape) }
    guard var writer = try? SafetensorsWriter(items: items, metadata: metadata) else { return }
    var copy: [UInt8] = []
    try? writer.writeHeader { (piece) throws(Failure) in copy.append(contentsOf: piece) }
    for item in writer.items {
        let entry = header.entries.first { $0.name.utf8.elementsEqual(item.name.utf8) }!
        let part = UnsafeRawBufferPointer(rebasing: content[entry.range])
        try? writer.write(part) { (piece) throws(Failure) in copy.append(contentsOf: piece) }
        if entry.elementCount <= 4096 {
            var floats = [Float](repeating: 0, count: entry.elementCount)
            floats.withUnsafeMutableBufferPointer { _ = try? convertToFloat(part, type: entry.type, into: $0) }
        }
    }
    let again = copy.withUnsafeBytes { try? SafetensorsHeader($0) }
    precondition(again?.entries.map(\.shape) == writer.items.map(\.shape))
    precondition(again?.entries.map { Array($0.name.utf8) } == writer.items.map { Array($0.name.utf8) })
}
