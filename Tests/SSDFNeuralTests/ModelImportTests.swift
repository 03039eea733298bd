import FixtureMeshes
import RandomModels
import SSDFCore
import SSDFNeural
import SSDFTensor
import Testing

#if canImport(Glibc)
    import Glibc
#endif

private let config = """
    dense_dit:
      target: models.dense_dit.DenseDiT
      params: {resolution: 4, in_channels: 2, out_channels: 2, model_channels: 8, cond_channels: 6, num_blocks: 1,
               num_heads: 2, patch_size: 1, qk_rms_norm: true, latent_shape: [2, 4, 4, 4]}
    dense_vae:
      target: models.dense_vae.DenseShapeVAE
      params: {embed_dim: 2, model_channels_encoder: [2, 4], model_channels_decoder: [4, 2]}
    refiner:
      target: models.Voxel_RefinerXL
      params: {layers_per_block: 1, layers_mid_block: 1, unknown_key: 3}
    dense_image_encoder:
      target: models.DinoEncoder
      params: {version: dinov2_vits14_reg, embed_dim: 8, depth: 1, num_heads: 2, img_size: 28}
    dense_scheduler:
      target: FlowMatchEulerDiscreteScheduler
    """

/// Writes a tiny release; `change` may spoil it first.
private func release(
    type: ElementType = .f32, _ change: (inout CheckpointBuilder, inout CheckpointBuilder) -> Void = { _, _ in }
) throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    let parsed = try ModelConfig(yaml: config)
    var dense = CheckpointBuilder()
    var refiner = CheckpointBuilder()
    dense.add(try #require(parsed["dense_vae"]).expectedTensors, under: "vae", type: type)
    dense.add(try #require(parsed["dense_dit"]).expectedTensors, under: "dit", type: type)
    // Narrower than the released classes, which no configuration can say.
    var narrow = RefinerConfig(kind: .values)
    narrow.blockChannels = [8, 4, 6, 8]
    narrow.layersPerBlock = 1
    narrow.layersMidBlock = 1
    refiner.add(narrow.expectedTensors, under: "refiner", type: .f16)
    change(&dense, &refiner)
    try folder.write("config.yaml", config)
    try folder.write("model_dense.ckpt", dense.archive())
    try folder.write("model_refiner.ckpt", refiner.archive())
    var encoder = CheckpointBuilder()
    encoder.add(try #require(parsed["dense_image_encoder"]).expectedTensors, under: "", type: .f32)
    try folder.write("dino.pth", encoder.flatArchive())
    return folder
}

/// Imports into a folder and opens the model.
private func imported(
    _ folder: TemporaryFolder, into target: TemporaryFolder, _ options: ModelImportOptions = ModelImportOptions()
) throws -> ModelImport {
    let work = try ModelImport(folder: folder.path, options: options)
    for file in work.files {
        nonisolated(unsafe) var bytes: [UInt8] = []
        try work.write(file, to: { (piece) throws(Failure) in bytes.append(contentsOf: piece) })
        #expect(bytes.count == file.byteCount)
        try target.write(file.name, bytes)
    }
    try target.write("config.yaml", work.configBytes)
    try target.write("SHA256SUMS", work.checksums)
    return work
}

private func refusal(_ folder: TemporaryFolder, _ options: ModelImportOptions = ModelImportOptions()) -> Failure? {
    do {
        _ = try ModelImport(folder: folder.path, options: options)
        return nil
    } catch {
        return error
    }
}

@Suite struct ModelImportTests {
    @Test func importsEveryComponentExactly() throws {
        let folder = try release(type: .f16)
        let target = TemporaryFolder()
        var options = ModelImportOptions()
        options.imageEncoder = folder.path + "/dino.pth"
        let work = try imported(folder, into: target, options)
        #expect(
            work.files.map(\.name) == [
                "dense_dit.safetensors", "dense_vae.safetensors", "refiner.safetensors", "image_encoder.safetensors",
            ])
        #expect(work.notes == ["config.yaml: refiner.params.unknown_key has no effect"])
        let model = try ModelDirectory(path: target.path)
        for (component, file, key) in [
            ("dense_vae", "model_dense.ckpt", "vae."), ("dense_dit", "model_dense.ckpt", "dit."),
            ("refiner", "model_refiner.ckpt", "refiner."), ("dense_image_encoder", "dino.pth", ""),
        ] {
            let weights = try model.open(component)
            let source = try CheckpointFile(path: "\(folder.path)/\(file)")
            var seen = 0
            for tensor in source.tensors where tensor.name.hasPrefix(key) {
                let found = weights.file.entry(String(tensor.name.dropFirst(key.count)))
                let entry = try #require(found, "\(tensor.name)")
                #expect(entry.type == tensor.type && entry.shape == tensor.shape)
                #expect(weights.file.bytes(of: entry).elementsEqual(try bytes(of: tensor, in: source)))
                seen += 1
            }
            #expect(seen == weights.file.entries.count)
            #expect(weights.file.header.metadata.contains { $0.key == "license" })
        }
        let refiner = try model.open("refiner")
        guard case .refiner(let shape) = refiner.config else {
            Issue.record("not a refiner")
            return
        }
        #expect(shape.blockChannels == [8, 4, 6, 8])
        #expect(try model.checksums() == work.checksums)
        #expect(system("cd '\(target.path)' && sha256sum --quiet -c SHA256SUMS") == 0)
        let hash = try model.hash()
        unlink(target.path + "/SHA256SUMS")
        #expect(try model.hash() == hash)
    }

    /// Version 1.0: compression by residual blocks, conditions with positions. Defaults stand for what it leaves out.
    @Test func importsVersionOne() throws {
        let config = """
            sparse_vae_512:
              target: direct3d_s2.models.autoencoders.ss_vae.SparseSDFVAE
              params: {embed_dim: 4, model_channels_encoder: 32, num_blocks_encoder: 1, num_heads_encoder: 4,
                       model_channels_decoder: 32, num_blocks_decoder: 1, num_heads_decoder: 4, resolution: 64}
            sparse_dit_512:
              target: direct3d_s2.models.transformers.sparse_dit.SparseDiT
              params: {resolution: 64, in_channels: 4, out_channels: 4, model_channels: 32, cond_channels: 32, num_blocks: 1,
                       num_heads: 4, sparse_conditions: true, topk: 32}
            """
        let folder = TemporaryFolder()
        let parsed = try ModelConfig(yaml: config)
        var sparse = CheckpointBuilder()
        sparse.add(try #require(parsed["sparse_vae_512"]).expectedTensors, under: "vae", type: .f16)
        sparse.add(try #require(parsed["sparse_dit_512"]).expectedTensors, under: "dit", type: .f16)
        try folder.write("config.yaml", config)
        try folder.write("model_sparse_512.ckpt", sparse.archive())
        let target = TemporaryFolder()
        _ = try imported(folder, into: target)
        let model = try ModelDirectory(path: target.path)
        let weights = try model.open("sparse_dit_512")
        guard case .sparseDiT(let dit) = weights.config else {
            Issue.record("not a sparse DiT")
            return
        }
        #expect(dit.compressionVersion == .v2 && dit.compressionBlockSize == 4 && dit.topk == 32)
        // Two key/value heads of 8: the residual blocks see 16 channels.
        for (name, shape) in [
            ("cond_proj.weight", [32, 32]),
            ("blocks.0.self_attn.intra_block_pe", [4, 4, 4, 16]),
            ("blocks.0.self_attn.compression_key.out_layers.0.conv.kernel", [27, 16, 16]),
            ("blocks.0.self_attn.compression_value.out_layers.3.conv.bias", [16]),
        ] {
            #expect(weights.file.entry(name)?.shape == shape, "\(name)")
        }
    }

    @Test func convertsAndRefusesWhatDoesNotFit() throws {
        let folder = try release()
        let target = TemporaryFolder()
        var options = ModelImportOptions()
        options.type = .f16
        let work = try imported(folder, into: target, options)
        #expect(work.notes.contains("dense_image_encoder is left out: no image encoder was given"))
        let weights = try ModelDirectory(path: target.path).open("dense_dit")
        let source = try CheckpointFile(path: folder.path + "/model_dense.ckpt")
        for tensor in source.tensors where tensor.path[0] == "dit" {
            let found = weights.file.entry(tensor.path.dropFirst().joined(separator: "."))
            let entry = try #require(found)
            #expect(entry.type == .f16)
            let stored = try weights.file.floats(of: entry).array
            // The builder's values are sixty-fourths: exact in f16.
            let original = try bytes(of: tensor, in: source).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            #expect(stored == original)
        }

        let large = try release { dense, _ in
            let index = dense.tensors.firstIndex { $0.path.last == "pos_emb" }!
            dense.tensors[index].bytes.replaceSubrange(0..<4, with: withUnsafeBytes(of: Float(70000)) { Array($0) })
        }
        let failing = try ModelImport(folder: large.path, options: options)
        var message = ""
        for file in failing.files {
            do { try failing.write(file, to: { (_) throws(Failure) in }) } catch { message = "\(error)" }
        }
        #expect(message.hasSuffix("tensor \"pos_emb\": weight 70000.0, expected at most 65519.996 to be stored as F16"))
    }

    @Test func reportsTensorsThatDoNotFit() throws {
        let missing = try release { dense, _ in dense.tensors.removeAll { $0.path.last == "pos_emb" } }
        #expect(refusal(missing)?.message == "tensors do not fit the configuration: 1 missing (pos_emb)")
        #expect(refusal(missing)?.place == "dense_dit")
        let unexpected = try release { dense, _ in dense.add(["dit", "extra"], .f32, [1], [0, 0, 0, 0]) }
        #expect(refusal(unexpected)?.message == "tensors do not fit the configuration: 1 unexpected (extra)")
        let reshaped = try release { dense, _ in
            let index = dense.tensors.firstIndex { $0.path.last == "pos_emb" }!
            dense.tensors[index].shape = [8, 64]
        }
        #expect(
            refusal(reshaped)?.message
                == "tensors do not fit the configuration: 1 of another shape or type (pos_emb: [8, 64], expected [64, 8])"
        )
        let integers = try release { dense, _ in
            let index = dense.tensors.firstIndex { $0.path.last == "pos_emb" }!
            dense.tensors[index].type = .i64
            dense.tensors[index].bytes += dense.tensors[index].bytes
        }
        #expect(refusal(integers)?.message.contains("pos_emb: I64, expected F16, BF16, F32 or F64") == true)
        let renamed = try release { dense, _ in
            for index in dense.tensors.indices where dense.tensors[index].path[0] == "dit" {
                dense.tensors[index].path[0] = "transformer"
            }
        }
        #expect(refusal(renamed)?.message.contains("no tensors under \"dit\"") == true)
    }

    @Test func namesMissingFilesTogether() throws {
        let folder = try release()
        unlink(folder.path + "/model_dense.ckpt")
        unlink(folder.path + "/model_refiner.ckpt")
        let failure = refusal(folder)
        #expect(failure?.cause == .noInput)
        #expect(failure?.message == "no model_dense.ckpt, model_refiner.ckpt, which config.yaml needs")
        var options = ModelImportOptions()
        options.allowsMissing = true
        #expect(refusal(folder, options)?.message == "no weights to import")
        options.imageEncoder = folder.path + "/dino.pth"
        let work = try ModelImport(folder: folder.path, options: options)
        #expect(work.files.map(\.name) == ["image_encoder.safetensors"])
        #expect(work.notes.contains("model_refiner.ckpt is missing: its components are left out"))
    }

    @Test func importsTheRecordedRelease() throws {
        guard let parity = SharedData.folder("parity") else { return }
        let source = parity + "/j_checkpoint_v1_1"
        let work = try ModelImport(folder: source, options: ModelImportOptions())
        #expect(work.files.count == 8)
        let target = TemporaryFolder()
        for file in work.files {
            nonisolated(unsafe) var bytes: [UInt8] = []
            try work.write(file, to: { (piece) throws(Failure) in bytes.append(contentsOf: piece) })
            try target.write(file.name, bytes)
            let component = String(file.name.dropLast(".safetensors".count))
            let place = try #require(ReleasedModel.place(of: component))
            let expected = try SafetensorsFile(
                path: "\(source)/\(place.file.dropLast(".ckpt".count)).expected.safetensors")
            let written = try SafetensorsFile(path: "\(target.path)/\(file.name)")
            for entry in written.entries {
                let found = expected.entry("\(place.key).\(entry.name)")
                let recorded = try #require(found)
                #expect(recorded.type == entry.type && recorded.shape == entry.shape)
                #expect(expected.bytes(of: recorded).elementsEqual(written.bytes(of: entry)), "\(entry.name)")
            }
            let count = expected.entries.filter { $0.name.hasPrefix(place.key + ".") }.count
            #expect(written.entries.count == count)
        }
    }
}

@Suite struct ModelDirectoryTests {
    @Test func saysWhatIsMissingAndWhereToGetIt() throws {
        let folder = TemporaryFolder()
        do {
            _ = try ModelDirectory(path: folder.path)
            Issue.record("accepted")
        } catch {
            #expect(error.cause == .unavailable)
            for part in ["model_dense.ckpt", "Direct3D-S2", "MIT", "DINOv2", "Apache-2.0", "GB", "ssdf-model import"] {
                #expect(error.message.contains(part), "\(part)")
            }
            #expect(!error.message.contains("http"))
        }
        try folder.write("config.yaml", config)
        let model = try ModelDirectory(path: folder.path)
        #expect(throws: Failure.self) { _ = try model.open("dense_dit") }
        #expect(throws: Failure.self) { _ = try model.open("dense_scheduler") }
        #expect(throws: Failure.self) { _ = try model.open("../x") }
    }

    @Test func findsModelsByPathAndByName() throws {
        let first = TemporaryFolder()
        let second = TemporaryFolder()
        for folder in [first, second] {
            #expect(mkdir(folder.path + "/m", 0o700) == 0)
        }
        try second.write("m/config.yaml", config)
        let search = ModelSearch(folders: [first.path, second.path])
        #expect(try search.locate("m") == second.path + "/m")
        try first.write("m/config.yaml", config)
        #expect(try search.locate("m") == first.path + "/m")
        #expect(try search.locate("./anything") == "./anything")
        #expect(try search.open(second.path + "/m").path == second.path + "/m")
        do {
            _ = try search.locate("absent")
            Issue.record("found")
        } catch {
            #expect(error.cause == .unavailable)
            #expect(error.message.contains("looked in \(first.path), \(second.path)"))
        }
    }
}
