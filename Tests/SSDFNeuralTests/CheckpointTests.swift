import FixtureMeshes
import RandomModels
import SSDFCore
import SSDFNeural
import SSDFTensor
import Testing

/// All bytes of a checkpoint's tensor.
func bytes(of tensor: CheckpointTensor, in file: CheckpointFile, pieceSize: Int = 1 << 20) throws -> [UInt8] {
    nonisolated(unsafe) var result: [UInt8] = []
    try file.forEachPiece(of: tensor, pieceSize: pieceSize) { (piece) throws(Failure) in
        result.append(contentsOf: piece)
    }
    return result
}

/// Compares every tensor of a checkpoint with a safetensors file of the same names.
private func expectEqual(_ path: String, _ expectedPath: String) throws {
    let file = try CheckpointFile(path: path)
    let expected = try SafetensorsFile(path: expectedPath)
    let names = expected.entries.map(\.name).sorted()
    #expect(file.tensors.map(\.name).sorted() == names, "\(path)")
    for tensor in file.tensors {
        let found = expected.entry(tensor.name)
        let entry = try #require(found)
        #expect(tensor.type == entry.type && tensor.shape == entry.shape, "\(path): \(tensor.name)")
        for pieceSize in [1 << 20, 24] {
            let content = try bytes(of: tensor, in: file, pieceSize: pieceSize)
            #expect(expected.bytes(of: entry).elementsEqual(content), "\(path): \(tensor.name)")
        }
    }
}

@Suite struct RecordedCheckpointTests {
    @Test func readsEveryTensorExactly() throws {
        guard let parity = SharedData.folder("parity") else { return }
        let folder = parity + "/j_checkpoint_v1_1"
        for name in ["model_dense", "model_sparse_512", "model_sparse_1024", "model_refiner", "model_refiner_1024"] {
            try expectEqual("\(folder)/\(name).ckpt", "\(folder)/\(name).expected.safetensors")
        }
    }
}

@Suite struct CheckpointFileTests {
    @Test(arguments: [
        "protocol2", "protocol3", "protocol4", "protocol5", "deflated", "piped", "zip64", "piped-zip64-deflated",
    ])
    func readsEveryProtocolAndKindOfArchive(name: String) throws {
        let path = fixturePath("checkpoints/\(name).pth")
        try expectEqual(path, fixturePath("checkpoints/expected.safetensors"))
        let file = try CheckpointFile(path: path)
        #expect(
            file.others == ["epoch: an int", "loss: a float", "name: a str", "best: None", "flags: a list"])
    }

    @Test(arguments: [
        ("system", "the name posix.system, expected one that tensors need (nothing is executed)"),
        ("eval", "the name builtins.eval, expected one that tensors need (nothing is executed)"),
        ("object", "the name torch.serialization.Plain"),
        ("bytes", "the instruction SHORT_BINBYTES"),
        ("set", "the instruction EMPTY_SET"),
        ("big-endian", "a checkpoint of a big-endian machine, expected little-endian"),
        ("script", "a TorchScript archive"),
        ("legacy", "a checkpoint in the format of PyTorch before 1.6 (a bare pickle)"),
        ("endless", "dictionaries nested more than 16 deep"),
        ("bomb", "entries, counting those used again"),
        ("overrun", "tensor \"a\": size [2, 3], stride [3, 1], offset 0, expected a view of its storage of 5 elements"),
        ("overrun-stride", "expected a view of its storage of 5 elements"),
        ("huge", "is larger than any file"),
        ("missing-storage", "no member \"model/data/0\" in the archive"),
    ])
    func refusesByName(name: String, message: String) throws {
        let path = fixturePath("checkpoints/refused-\(name).pth")
        do {
            _ = try CheckpointFile(path: path)
            Issue.record("\(name) was accepted")
        } catch {
            #expect(error.cause == .badData)
            #expect(error.file == path)
            #expect("\(error)".contains(message), "\(error)")
        }
    }

    @Test func refusesOtherFormats() throws {
        #expect(refusal(of: Array("not at all".utf8))?.contains("not a zip archive") == true)
        #expect(refusal(of: [])?.contains("not a zip archive") == true)
        let tar = [UInt8](repeating: 0, count: 257) + Array("ustar".utf8) + [UInt8](repeating: 0, count: 300)
        #expect(refusal(of: tar)?.contains("a tar archive") == true)
        let safetensors = try FileBytes(path: fixturePath("checkpoints/expected.safetensors"))
        #expect(refusal(of: Array(safetensors.bytes))?.contains("a safetensors file") == true)
    }

    @Test func refusesEveryTruncation() throws {
        for name in ["protocol2", "piped-zip64-deflated"] {
            let whole = try contents("checkpoints/\(name).pth")
            for length in 0..<whole.count {
                #expect(refusal(of: Array(whole[..<length])) != nil, "\(name): \(length) bytes")
            }
        }
    }

    @Test func survivesEveryChangedByte() throws {
        for name in ["protocol4", "piped-zip64-deflated"] {
            let whole = try contents("checkpoints/\(name).pth")
            for index in whole.indices {
                for value in [0xff, whole[index] ^ 1, whole[index] ^ 0x80] {
                    var copy = whole
                    copy[index] = value
                    readAll(copy)
                }
            }
        }
    }

    @Test func noticesDamage() throws {
        var zip = ZipBuilder()
        var builder = CheckpointBuilder()
        builder.add(["a", "b"], .f32, [2], [1, 2, 3, 4, 5, 6, 7, 8])
        zip.add("x/data.pkl", builder.pickle())
        zip.add("x/data/0", [1, 2, 3, 4, 5, 6, 7, 8], crc: 1)
        let file = try zip.finish().withUnsafeBytes { try CheckpointFile(FileBytes(copying: $0, name: "x")) }
        #expect(throws: Failure.self) { try bytes(of: file.tensors[0], in: file) }
    }
}

/// Why bytes are refused as a checkpoint; nil when they are accepted.
private func refusal(of content: [UInt8]) -> String? {
    do {
        _ = try content.withUnsafeBytes { try CheckpointFile(FileBytes(copying: $0, name: "x")) }
        return nil
    } catch {
        return "\(error)"
    }
}

/// Reads everything there is, whatever it is.
private func readAll(_ content: [UInt8]) {
    guard let file = try? content.withUnsafeBytes({ try CheckpointFile(FileBytes(copying: $0, name: "x")) }) else {
        return
    }
    for tensor in file.tensors where tensor.elementCount < 1 << 16 { _ = try? bytes(of: tensor, in: file) }
}

private func contents(_ name: String) throws -> [UInt8] {
    let file = try FileBytes(path: fixturePath(name))
    return Array(file.bytes)
}
