import CZlib
import RandomModels
import SSDFCore
import SSDFNeural
import SSDFTensor
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Writes a checkpoint whose tensors are all zeros and take no room on the disk.
private func writeSparse(_ builder: CheckpointBuilder, to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(file >= 0)
    defer { close(file) }
    func append(_ bytes: [UInt8]) { #expect(write(file, bytes, bytes.count) == bytes.count) }
    var directory: [UInt8] = []
    func member(_ name: String, crc: UInt, size: Int) -> [UInt8] {
        let offset = Int(lseek(file, 0, SEEK_CUR))
        // The 64-bit numbers stand in an extra field, in both headers.
        let common: [UInt8] = le(UInt16(45)) + le(UInt16(0)) + le(UInt16(0)) + le(UInt32(0)) + le(UInt32(crc))
        let sizes: [UInt8] = le(UInt32.max) + le(UInt32.max) + le(UInt16(name.utf8.count))
        let wide: [UInt8] = le(UInt64(size)) + le(UInt64(size))
        directory += le(UInt32(0x0201_4b50)) + le(UInt16(45)) + common + sizes + le(UInt16(28))
        directory += [UInt8](repeating: 0, count: 10) + le(UInt32.max) + Array(name.utf8)
        directory += le(UInt16(1)) + le(UInt16(24)) + wide + le(UInt64(offset))
        return le(UInt32(0x0403_4b50)) + common + sizes + le(UInt16(20)) + Array(name.utf8) + le(UInt16(1))
            + le(UInt16(16)) + wide
    }
    let pickle = builder.pickle()
    append(member("m/data.pkl", crc: UInt(crc32(pickle)), size: pickle.count) + pickle)
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    for (index, tensor) in builder.tensors.enumerated() {
        let size = tensor.shape.reduce(tensor.type.byteCount, *)
        var checksum: UInt = 0
        var rest = size
        while rest > 0 {
            checksum = crc32_z(checksum, zeros, min(rest, zeros.count))
            rest -= min(rest, zeros.count)
        }
        append(member("m/data/\(index)", crc: checksum, size: size))
        lseek(file, off_t(size), SEEK_CUR)
    }
    let start = Int(lseek(file, 0, SEEK_CUR))
    let count = UInt64(builder.tensors.count + 1)
    append(directory)
    let locator = start + directory.count
    append(
        le(UInt32(0x0606_4b50)) + le(UInt64(44)) + le(UInt16(45)) + le(UInt16(45)) + le(UInt64(0)) + le(count)
            + le(count)
            + le(UInt64(directory.count)) + le(UInt64(start)))
    append(le(UInt32(0x0706_4b50)) + le(UInt32(0)) + le(UInt64(locator)) + le(UInt32(1)))
    append(
        le(UInt32(0x0605_4b50)) + le(UInt32(0)) + le(UInt16.max) + le(UInt16.max) + le(UInt32.max) + le(UInt32.max)
            + le(UInt16(0)))
}

/// What a shell prints, standard error included.
private func output(of command: String) throws -> String {
    let stream = try #require(popen(command + " 2>&1", "r"))
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 { text += chunk[..<count] }
    #expect(pclose(stream) == 0)
    return String(decoding: text, as: UTF8.self)
}

/// The folder of the built tools: that of this test's own executable.
private let products: String = {
    var path = [CChar](repeating: 0, count: 4096)
    let length = max(0, readlink("/proc/self/exe", &path, path.count - 1))
    let full = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return full.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
}()

@Suite struct ImportMemoryTests {
    /// The tool's own measure of its peak memory, mapped pages included. `SSDF_LONG_TESTS` imports 1.7 GB instead of
    /// 45 MB; both must stay under the same bound.
    @Test func needsNoMoreMemoryForLargerFiles() throws {
        let isLong = getenv("SSDF_LONG_TESTS") != nil
        let (channels, blocks) = isLong ? (1536, 8) : (512, 2)
        let config = """
            dense_dit:
              target: DenseDiT
              params: {resolution: 16, in_channels: 8, out_channels: 8, model_channels: \(channels),
                       cond_channels: \(channels), num_blocks: \(blocks), num_heads: 16, patch_size: 1}
            """
        let folder = TemporaryFolder()
        try folder.write("config.yaml", config)
        var builder = CheckpointBuilder()
        for tensor in try #require(ModelConfig(yaml: config)["dense_dit"]).expectedTensors {
            builder.tensors.append(
                CheckpointBuilder.Tensor(path: ["dit", tensor.name], type: .f32, shape: tensor.shape, bytes: []))
        }
        try writeSparse(builder, to: folder.path + "/model_dense.ckpt")
        for type in ["", "--dtype f16"] {
            let text = try output(
                of: "'\(products)/ssdf-model' import '\(folder.path)' -o '\(folder.path)/model' -v \(type)")
            let parts = try #require(text.split(separator: "peak memory ").last).split(separator: " ")
            let size = try #require(Double(parts[0]))
            #expect(parts[1].hasPrefix("MB"))
            #expect(size < 200, "\(text)")
            if isLong { print(text) }
        }
        let weights = try ModelDirectory(path: folder.path + "/model").open("dense_dit")
        #expect(weights.file.entries.allSatisfy { $0.type == .f16 })
    }
}
