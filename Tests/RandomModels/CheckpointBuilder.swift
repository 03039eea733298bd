import SSDFCore
import SSDFNeural
import SSDFTensor

/// Makes checkpoints as `torch.save` lays them out: stored members, one storage for each tensor.
package struct CheckpointBuilder {
    package struct Tensor {
        package var path: [String]
        package var type: ElementType
        package var shape: [Int]
        package var bytes: [UInt8]

        package init(path: [String], type: ElementType, shape: [Int], bytes: [UInt8]) {
            self.path = path
            self.type = type
            self.shape = shape
            self.bytes = bytes
        }
    }

    package var tensors: [Tensor] = []

    package init() {}

    private static let storageNames: [ElementType: String] = [
        .f64: "DoubleStorage", .f32: "FloatStorage", .f16: "HalfStorage", .bf16: "BFloat16Storage", .i64: "LongStorage",
    ]

    package mutating func add(_ path: [String], _ type: ElementType, _ shape: [Int], _ bytes: [UInt8]) {
        tensors.append(Tensor(path: path, type: type, shape: shape, bytes: bytes))
    }

    /// Adds every tensor of a list under a key, with values that depend on the name and the place.
    package mutating func add(_ list: [ExpectedTensor], under key: String, type: ElementType) {
        for tensor in list {
            let count = tensor.shape.reduce(1, *)
            let seed = tensor.name.utf8.reduce(UInt32(17)) { $0 &* 31 &+ UInt32($1) } % 97
            let values = (0..<count).map { Float((UInt32(truncatingIfNeeded: $0) &* 7 &+ seed) % 128) / 64 - 1 }
            var bytes = [UInt8](repeating: 0, count: count * type.byteCount)
            bytes.withUnsafeMutableBytes { out in
                values.withUnsafeBufferPointer { convertFromFloat($0, type: type, into: out) }
            }
            add(
                [key] + tensor.name.split(separator: ".", omittingEmptySubsequences: false).map(String.init), type,
                tensor.shape, bytes)
        }
    }

    /// The pickle: a dictionary of the first keys, each with a flat dictionary of the rest joined by dots.
    package func pickle() -> [UInt8] {
        var out: [UInt8] = [0x80, 2, 0x7d, 0x28]
        var keys: [String] = []
        for tensor in tensors where !keys.contains(tensor.path[0]) { keys.append(tensor.path[0]) }
        for key in keys {
            text(key, &out)
            out += [0x7d, 0x28]
            for (index, tensor) in tensors.enumerated() where tensor.path[0] == key {
                text(tensor.path.dropFirst().joined(separator: "."), &out)
                out += Array("ctorch._utils\n_rebuild_tensor_v2\n((".utf8)
                text("storage", &out)
                out += Array("ctorch\n\(Self.storageNames[tensor.type]!)\n".utf8)
                text("\(index)", &out)
                text("cpu", &out)
                int(tensor.shape.reduce(1, *), &out)
                out += [0x74, 0x51]
                int(0, &out)
                tuple(tensor.shape, &out)
                var strides: [Int] = []
                var step = 1
                for side in tensor.shape.reversed() {
                    strides.insert(step, at: 0)
                    step *= max(side, 1)
                }
                tuple(strides, &out)
                out += [0x89] + Array("ccollections\nOrderedDict\n)Rt".utf8) + [0x52]
            }
            out.append(0x75)
        }
        return out + [0x75, 0x2e]
    }

    private func text(_ text: String, _ out: inout [UInt8]) {
        out.append(0x58)
        out += withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { Array($0) } + Array(text.utf8)
    }

    private func int(_ value: Int, _ out: inout [UInt8]) {
        out += [0x8a, 8] + withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private func tuple(_ values: [Int], _ out: inout [UInt8]) {
        out.append(0x28)
        for value in values { int(value, &out) }
        out.append(0x74)
    }

    /// The whole archive.
    package func archive() -> [UInt8] {
        var zip = ZipBuilder()
        zip.add("model/data.pkl", pickle())
        for (index, tensor) in tensors.enumerated() { zip.add("model/data/\(index)", tensor.bytes) }
        return zip.finish()
    }

    /// The whole archive with the tensors at the top, as DINOv2's are.
    package func flatArchive() -> [UInt8] {
        // `pickle()` makes {"": {name: tensor}}; taking the inner dictionary alone leaves {name: tensor}.
        precondition(tensors.allSatisfy { $0.path[0].isEmpty }, "the key is empty")
        var pickle = pickle()
        pickle.removeSubrange(3..<9)
        pickle.remove(at: pickle.count - 2)
        pickle.remove(at: 2)
        var zip = ZipBuilder()
        zip.add("m/data.pkl", [0x80, 2] + pickle[2...])
        for (index, tensor) in tensors.enumerated() { zip.add("m/data/\(index)", tensor.bytes) }
        return zip.finish()
    }
}

/// Writes a zip archive of stored members; tests change what it says.
package struct ZipBuilder {
    package var bytes: [UInt8] = []
    package var directory: [UInt8] = []
    package var count = 0

    package init() {}

    package mutating func add(_ name: String, _ content: [UInt8], crc: UInt32? = nil) {
        let offset = bytes.count
        let checksum = crc ?? crc32(content)
        let common: [UInt8] =
            le(UInt16(20)) + le(UInt16(0)) + le(UInt16(0)) + le(UInt32(0)) + le(checksum) + le(UInt32(content.count))
            + le(UInt32(content.count)) + le(UInt16(name.utf8.count)) + le(UInt16(0))
        bytes += le(UInt32(0x0403_4b50)) + common + Array(name.utf8) + content
        directory += le(UInt32(0x0201_4b50)) + le(UInt16(20)) + common + [UInt8](repeating: 0, count: 10)
        directory += le(UInt32(offset)) + Array(name.utf8)
        count += 1
    }

    package func finish() -> [UInt8] {
        bytes + directory + le(UInt32(0x0605_4b50)) + le(UInt32(0)) + le(UInt16(count)) + le(UInt16(count))
            + le(UInt32(directory.count)) + le(UInt32(bytes.count)) + le(UInt16(0))
    }
}

/// Little-endian bytes of a number.
package func le<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// The checksum of zip, bit by bit: written apart from the library that the reader uses.
package func crc32(_ bytes: [UInt8]) -> UInt32 {
    var value: UInt32 = .max
    for byte in bytes {
        value ^= UInt32(byte)
        for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? 0xedb8_8320 : 0) }
    }
    return ~value
}
