import FixtureMeshes
import SSDFCore
import SSDFNeural
import SSDFTensor
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// All bytes of a checkpoint's tensor.
func bytes(of tensor: CheckpointTensor, in file: inout CheckpointFile, pieceSize: Int = 1 << 20) throws -> [UInt8] {
    nonisolated(unsafe) var result: [UInt8] = []
    try file.forEachPiece(of: tensor, pieceSize: pieceSize) { (piece) throws(Failure) in
        result.append(contentsOf: piece)
    }
    return result
}

@Suite struct RecordedCheckpointTests {
    @Test func readsEveryTensorExactly() throws {
        guard let parity = SharedData.folder("parity") else { return }
        let folder = parity + "/j_checkpoint_v1_1"
        for name in ["model_dense", "model_sparse_512", "model_sparse_1024", "model_refiner", "model_refiner_1024"] {
            var file = try CheckpointFile(path: "\(folder)/\(name).ckpt")
            let expected = try SafetensorsFile(path: "\(folder)/\(name).expected.safetensors")
            let tensors = file.tensors
            #expect(tensors.map(\.name).sorted() == expected.entries.map(\.name).sorted(), "\(name)")
            #expect(file.others == [])
            for tensor in tensors {
                let found = expected.entry(tensor.name)
                let entry = try #require(found)
                #expect(tensor.type == entry.type && tensor.shape == entry.shape, "\(tensor.name)")
                for pieceSize in [1 << 20, 12] {
                    let content = try bytes(of: tensor, in: &file, pieceSize: pieceSize)
                    #expect(expected.bytes(of: entry).elementsEqual(content), "\(tensor.name)")
                }
            }
        }
    }
}
