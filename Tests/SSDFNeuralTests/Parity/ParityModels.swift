import Foundation
import SSDFCore
import SSDFNeural
import SSDFTensor

/// The modules of whole layers and networks.
extension ParityModule {
    @Sendable static func spatialSparseAttention(
        _ parity: ParityCase, _ compute: Compute
    ) throws -> [String: ParityValue] {
        var options = SpatialSparseAttention.Options(
            channels: try parity.integer("hidden_size"), queryHeads: try parity.integer("num_q_heads"),
            keyHeads: try parity.integer("num_kv_heads"), headDimension: try parity.integer("head_dim"))
        options.compressionSize = try parity.integer("compression_block_size")
        options.selectionSize = try parity.integer("selection_block_size")
        options.best = try parity.integer("topk")
        options.windowSize = try parity.integer("window_size")
        options.windowShift = try parity.integer("shift_window")
        options.compression = .init(rawValue: parity.string("compression_version", default: "v1")) ?? .pooled
        let source = parity.source
        let attention = try SpatialSparseAttention(source, options)
        var x = try parity.sparse()
        var results: [String: ParityValue] = [:]
        func pass() throws -> SparseTensor {
            let (y, trace) = try attention.traced(x, compute)
            results["out.feats"] = .floats(y.features)
            results["mid.compressed_k"] = .floats(trace.operands.cellKeys)
            results["mid.compressed_v"] = .floats(trace.operands.cellValues)
            results["mid.compressed_coords"] = .coordinates(trace.compressedCoordinates)
            results["mid.lse"] = .floats(compute.transpose(trace.core.logSums[0]))
            let selection = trace.core.selection
            results["mid.topk"] = .integers(selection.blocks.array.map { Int($0) })
            results["mid.cu_block_tokens"] = .integers(selection.layout.starts.array.map { Int($0) })
            results["mid.cu_blocks"] = .integers([0] + selection.layout.items.map(\.blocks.upperBound))
            results["mid.gate"] = .floats(trace.operands.gates)
            return y
        }
        /// The branches one by one, each with a gate of 1 and the others with 0, and the scores of the blocks.
        func branches() throws {
            let trace = try attention.traced(x, Compute(threads: 1)).trace
            var operands = trace.operands
            let tokens = operands.q.rows
            let most = trace.plan.layout.items.map(\.blocks.count).max() ?? 0
            for (column, name) in ["compressed", "selection", "window"].enumerated() {
                let gates = (0..<3 * tokens).map { Float($0 % 3 == column ? 1 : 0) }
                operands.gates = Tensor(gates, shape: [tokens, 3])
                let scores = Tensor(repeating: 0, shape: [options.keyHeads, tokens, most])
                let branch = Compute(threads: 2).blockSparseAttention(operands, plan: trace.plan, scores: scores)
                results["mid.branch_\(name)"] = .floats(branch.output)
                results["mid.block_scores"] = .floats(scores)
            }
        }
        try branches()
        guard let weights = parity.floats["in.loss_weight"] else {
            _ = try pass()
            return results
        }
        x.features.variable = Variable()
        let scale = 1 / Float(x.count)
        let loss = try compute.differentiate {
            compute.sum(compute.multiply(try pass().features, weights), scale: scale)
        }
        results["out.loss"] = .floats(Tensor([loss], shape: [1]))
        results["grad.input"] = x.features.variable?.gradient.map { .floats($0) }
        for parameter in source.registry.parameters {
            results["grad.w.\(parameter.name)"] = parameter.gradient.map { .floats($0) }
        }
        return results
    }

    @Sendable static func embeddings(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let t = try parity.input("t").array
        let layer = try TimestepEmbedding(parity.source, channels: parity.integer("hidden_size"))
        var results: [String: ParityValue] = [
            "mid.freq_embedding": .floats(TimestepEmbedding.frequencies(t)), "out.t_emb": .floats(layer(t, compute)),
        ]
        // Coordinates without a batch column.
        let values = parity.integers["in.coords"]?.values ?? []
        let rows = stride(from: 0, to: values.count, by: 3).map {
            SIMD4<Int32>(0, Int32(values[$0]), Int32(values[$0 + 1]), Int32(values[$0 + 2]))
        }
        let coordinates = try CoordinateSet(Buffer(rows))
        for name in parity.expected where name.hasPrefix("out.pos_") {
            let parts = name.dropFirst("out.pos_".count).components(separatedBy: "_factor")
            let factor = parts.count > 1 ? Float(parts[1]) ?? 1 : 1
            results[name] = .floats(
                PositionEmbedding(channels: Int(parts[0]) ?? 0)(coordinates, factor: factor, compute))
        }
        return results
    }

    @Sendable static func sortBlock(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let original = try parity.coordinates()
        let order = try BlockOrder(original, size: parity.integer("block_size"))
        let permutation = order.permutation?.index.array.map { Int($0) } ?? Array(0..<original.count)
        return ["out.permutation": .integers(permutation), "out.coords": .coordinates(order.coordinates)]
    }

    @Sendable static func gaussian(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let gaussian = DiagonalGaussian(try parity.input("params"), compute)
        let rows = gaussian.mean.rows
        let divergence = (0..<rows).map { row in
            compute.gaussianDivergence(
                mean: compute.rows(gaussian.mean, row..<row + 1),
                logVariance: compute.rows(gaussian.logVariance, row..<row + 1)
            ).array[0]
        }
        return [
            "out.mean": .floats(gaussian.mean), "out.logvar": .floats(gaussian.logVariance),
            "out.std": .floats(gaussian.deviation(compute)), "out.kl_dim1": .floats(Tensor(divergence, shape: [rows])),
        ]
    }

    private static func decoder(_ parity: ParityCase, _ source: ParameterSource, prefix: String = "") throws
        -> SparseSDFDecoder
    {
        try SparseSDFDecoder(
            source, channels: parity.integer("model_channels\(prefix)"),
            latentChannels: parity.integer(prefix.isEmpty ? "latent_channels" : "embed_dim"),
            blocks: parity.integer("num_blocks\(prefix)"), heads: parity.integer("num_heads\(prefix)"),
            ratio: parity.number("mlp_ratio", default: 4), outputs: parity.integer("out_channels", default: 1),
            resolution: parity.integer("resolution"))
    }

    @Sendable static func sparseDecoder(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let decoder = try decoder(parity, parity.source)
        let latents = SparseTensor(features: try parity.input("latents"), coordinates: try parity.coordinates())
        let chunks = parity.integer("chunk_size", default: 1)
        let voxels = try decoder(latents, chunks: chunks, compute)
        var results: [String: ParityValue] = [
            "out.coords": .integers(voxels.rows.flatMap { row in (0..<4).map { Int(row[$0]) } }),
            "out.sdf": .floats(voxels.values),
            "mid.transformer_out": .floats(decoder.transform(latents, compute).features),
        ]
        results["out.feat"] = voxels.features.map { .floats($0) }
        return results
    }

    @Sendable static func sparseEncoder(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let encoder = try SparseSDFEncoder(
            parity.source, channels: parity.integer("model_channels"),
            latentChannels: parity.integer("latent_channels"), blocks: parity.integer("num_blocks"),
            heads: parity.integer("num_heads"), ratio: parity.number("mlp_ratio", default: 4))
        let y = encoder(SparseTensor(features: try parity.input("sdf"), coordinates: try parity.coordinates()), compute)
        return ["out.coords": .coordinates(y.coordinates), "out.params": .floats(y.features)]
    }

    @Sendable static func sparseAutoencoder(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let encoder = try SparseSDFEncoder(
            parity.source.scoped("encoder"), channels: parity.integer("model_channels_encoder"),
            latentChannels: parity.integer("embed_dim"), blocks: parity.integer("num_blocks_encoder"),
            heads: parity.integer("num_heads_encoder"), ratio: parity.number("mlp_ratio", default: 4))
        let decoder = try decoder(parity, parity.source.scoped("decoder"), prefix: "_decoder")
        let x = SparseTensor(features: try parity.input("sdf"), coordinates: try parity.coordinates())
        let posterior = encoder(x, compute)
        let gaussian = DiagonalGaussian(posterior.features, compute)
        // The latent's scale and shift stand between autoencoder and diffusion; the reference's forward pass has neither.
        let voxels = try decoder(posterior.with(gaussian.mean), compute)
        return [
            "mid.mean": .floats(gaussian.mean), "mid.logvar": .floats(gaussian.logVariance),
            "mid.std": .floats(gaussian.deviation(compute)), "out.latent": .floats(gaussian.mean),
            "out.latent_coords": .coordinates(posterior.coordinates),
            "out.kl": .floats(
                compute.gaussianDivergence(mean: gaussian.mean, logVariance: gaussian.logVariance)),
            "out.coords": .integers(voxels.rows.flatMap { row in (0..<4).map { Int(row[$0]) } }),
            "out.sdf": .floats(voxels.values),
        ]
    }
}
