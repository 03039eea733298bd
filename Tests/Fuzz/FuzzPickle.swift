import CZlib
import SSDFCore
import SSDFNeural

/// As the checkpoint target, with a sound archive around the pickle, so that mutations reach the interpreter.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    add("m/data.pkl", UnsafeBufferPointer(start: data, count: count), &archive, &directory)
    let storage = [UInt8](0..<240)
    for key in ["0", "1", "2", "shared"] {
        storage.withUnsafeBufferPointer { add("m/data/\(key)", $0, &archive, &directory) }
    }
    let start = archive.count
    archive += directory + le(UInt32(0x0605_4b50)) + le(UInt32(0)) + le(UInt16(5)) + le(UInt16(5))
    archive += le(UInt32(directory.count)) + le(UInt32(start)) + le(UInt16(0))
    guard let file = archive.withUnsafeBytes({ try? CheckpointFile(FileBytes(copying: $0, name: "input")) }) else {
        return 0
    }
    for tensor in file.tensors.prefix(64) where tensor.elementCount <= 1 << 16 {
        var received = 0
        try? file.forEachPiece(of: tensor, pieceSize: 4096) { (piece) throws(Failure) in received += piece.count }
        precondition(received == tensor.elementCount * tensor.type.byteCount)
    }
    return 0
}

private func add(
    _ name: String, _ content: UnsafeBufferPointer<UInt8>, _ archive: inout [UInt8], _ directory: inout [UInt8]
) {
    let offset = archive.count
    let checksum = UInt32(crc32_z(0, content.baseAddress, content.count))
    let size = UInt32(content.count)
    var common = le(UInt16(20)) + le(UInt16(0)) + le(UInt16(0)) + le(UInt32(0)) + le(checksum)
    common += le(size) + le(size) + le(UInt16(name.utf8.count)) + le(UInt16(0))
    archive += le(UInt32(0x0403_4b50)) + common + Array(name.utf8) + Array(content)
    directory += le(UInt32(0x0201_4b50)) + le(UInt16(20)) + common + [UInt8](repeating: 0, count: 10)
    directory += le(UInt32(offset)) + Array(name.utf8)
}

private func le<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
