import CZlib
import SSDFCore
import SSDFImage

/// Whatever is accepted has as many pixels as it says, comes out equal when it is written and read again, and can be
/// prepared for the networks. Once as it is, once with its checksums put right.
func fuzzPNG(_ bytes: UnsafeRawBufferPointer) {
    readPicture(bytes)
    var mended = Array(bytes)
    mendChecksums(&mended)
    if !mended.elementsEqual(bytes) { mended.withUnsafeBytes(readPicture) }
}

private func readPicture(_ bytes: UnsafeRawBufferPointer) {
    // Width and height stand at byte 16; a small file can rightly hold a picture that takes long.
    if bytes.count >= 24 {
        let width = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
        let height = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self))
        guard UInt64(width) * UInt64(height) <= 1 << 16 || UInt64(width) * UInt64(height) > 1 << 32 else { return }
    }
    guard let picture = try? RasterImage(png: bytes) else { return }
    precondition(picture.pixels.count == 4 * picture.width * picture.height && picture.width > 0)
    var copy: [UInt8] = []
    do {
        try picture.writePNG { piece throws(Failure) in copy += piece }
    } catch {
        preconditionFailure("what was read cannot be written: \(error)")
    }
    precondition(copy.withUnsafeBytes { try? RasterImage(png: $0) }?.pixels == picture.pixels)
    _ = try? ConditionImage(picture, side: 14)
}

/// Follows the chunks from the front and corrects the checksum of each.
private func mendChecksums(_ file: inout [UInt8]) {
    var offset = 8
    while offset + 12 <= file.count {
        let count = Int(
            UInt32(bigEndian: file.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }))
        guard count <= file.count - offset - 12 else { return }
        let sum = file.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress! + offset + 4, count + 4) }
        let end = offset + 8 + count
        withUnsafeBytes(of: UInt32(sum).bigEndian) { file.replaceSubrange(end..<end + 4, with: $0) }
        offset = end + 4
    }
}
