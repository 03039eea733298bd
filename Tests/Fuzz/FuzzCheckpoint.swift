import SSDFCore
import SSDFNeural

/// Whatever is accepted must hand over exactly the bytes its tensors' shapes ask for.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    guard let file = try? CheckpointFile(FileBytes(copying: bytes, name: "input")) else { return 0 }
    for tensor in file.tensors.prefix(64) where tensor.elementCount <= 1 << 16 {
        var received = 0
        do {
            try file.forEachPiece(of: tensor, pieceSize: 4096) { (piece) throws(Failure) in received += piece.count }
        } catch {
            continue
        }
        precondition(received == tensor.elementCount * tensor.type.byteCount)
    }
    return 0
}
