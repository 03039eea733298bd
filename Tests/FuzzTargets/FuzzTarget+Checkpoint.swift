import CZlib
import SSDFCore
import SSDFNeural
import SSDFTensor

/// Whatever is accepted must hand over exactly the bytes its tensors' shapes ask for.
func fuzzCheckpoint(_ bytes: UnsafeRawBufferPointer) {
    guard let file = try? CheckpointFile(FileBytes(copying: bytes, name: "input")) else { return }
    for tensor in file.tensors.prefix(64) where tensor.elementCount <= 1 << 16 {
        var received = 0
        do {
            try file.forEachPiece(of: tensor, pieceSize: 4096) { (piece) throws(Failure) in received += piece.count }
        } catch {
            continue
        }
        precondition(received == tensor.elementCount * tensor.type.byteCount)
    }
}

/// As `fuzzCheckpoint`, with a sound archive around the pickle, so that mutations reach the interpreter.
func fuzzPickle(_ pickle: UnsafeRawBufferPointer) {
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    add("m/data.pkl", pickle, &archive, &directory)
    let storage = [UInt8](0..<240)
    for key in ["0", "1", "2", "shared"] {
        storage.withUnsafeBytes { add("m/data/\(key)", $0, &archive, &directory) }
    }
    let start = archive.count
    archive += directory + le(UInt32(0x0605_4b50)) + le(UInt32(0)) + le(UInt16(5)) + le(UInt16(5))
    archive += le(UInt32(directory.count)) + le(UInt32(start)) + le(UInt16(0))
    archive.withUnsafeBytes(fuzzCheckpoint)
}

private func add(
    _ name: String, _ content: UnsafeRawBufferPointer, _ archive: inout [UInt8], _ directory: inout [UInt8]
) {
    let offset = archive.count
    let checksum = UInt32(crc32_z(0, content.baseAddress?.assumingMemoryBound(to: UInt8.self), content.count))
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
