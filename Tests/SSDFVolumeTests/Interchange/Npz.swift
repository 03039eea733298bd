/// An .npz archive written by hand, of stored members, so that tests can say anything in it.
struct Npz {
    private var members: [UInt8] = []
    private var directory: [UInt8] = []
    private var count = 0

    /// Adds an array of numbers as they lie in memory.
    mutating func add<Number: BitwiseCopyable>(
        _ name: String, _ type: String, _ shape: [Int], _ numbers: [Number], isFortran: Bool = false
    ) {
        let extents = shape.map { "\($0)," }.joined(separator: " ")
        add(
            name,
            header: "{'descr': '\(type)', 'fortran_order': \(isFortran ? "True" : "False"), 'shape': (\(extents)), }",
            numbers.withUnsafeBytes { Array($0) })
    }

    /// Adds an array with any header.
    mutating func add(_ name: String, header: String, _ data: [UInt8]) {
        let text = Array((header + "\n").utf8)
        add(member: "\(name).npy", [0x93] + Array("NUMPY".utf8) + [1, 0] + little(UInt16(text.count)) + text + data)
    }

    mutating func add(member name: String, _ content: [UInt8]) {
        let offset = members.count
        let size = little(UInt32(content.count))
        let common =
            little(UInt16(20)) + little(UInt16(0)) + little(UInt16(0)) + little(UInt32(0)) + little(checksum(content))
            + size + size + little(UInt16(name.utf8.count)) + little(UInt16(0))
        members += little(UInt32(0x0403_4b50)) + common + Array(name.utf8) + content
        directory += little(UInt32(0x0201_4b50)) + little(UInt16(20)) + common + [UInt8](repeating: 0, count: 10)
        directory += little(UInt32(offset)) + Array(name.utf8)
        count += 1
    }

    var bytes: [UInt8] {
        members + directory + little(UInt32(0x0605_4b50)) + little(UInt32(0)) + little(UInt16(count))
            + little(UInt16(count)) + little(UInt32(directory.count)) + little(UInt32(members.count))
            + little(UInt16(0))
    }

    private func little<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// CRC-32, bit by bit: written apart from the product's.
    private func checksum(_ bytes: [UInt8]) -> UInt32 {
        var value = UInt32.max
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
        }
        return ~value
    }
}
