import SSDFCore
import SSDFNeural
import SSDFTensor

/// Times a device's operations at the sizes that training has.
package final class DeviceBenchmark {
    private let plugin: DevicePlugin
    private let compute: Compute

    package init(_ plugin: DevicePlugin, threads: Int) {
        self.plugin = plugin
        compute = Compute(DeviceBackend(plugin, threads: threads))
    }

    /// Tells a line an operation: milliseconds forward, and forward and backward; and TFLOP/s, or GB/s of the tensors
    /// forward.
    package func run(_ tell: (String) throws -> Void) throws {
        plugin.allowRounding(true)
        let rows = 128 * 201
        func products(_ a: Int, _ b: Int) -> Double { 2 * Double(rows) * Double(a) * Double(b) }
        func line(_ name: String, _ times: (Double, Double), work: Double, _ unit: String) throws {
            func text(_ x: Double) -> String { "\(Double(Int(x * 1000)) / 1000)" }
            try tell(
                "\(name): \(text(times.0)) ms, \(text(times.1)) ms with gradients, \(text(work / times.0 / 1e9)) \(unit)"
            )
        }
        for (inputs, outputs) in [(128, 384), (128, 512), (512, 128)] {
            try line(
                "linear \(rows)×\(inputs)→\(outputs)",
                time([[rows, inputs], [outputs, inputs], [outputs]]) { $0.linear($1[0], $1[1], bias: $1[2]) },
                work: products(inputs, outputs), "TFLOP/s")
        }
        let moved = Double(4 * rows * 128)
        try line("add", time([[rows, 128], [rows, 128]]) { $0.add($1[0], $1[1]) }, work: 3 * moved, "TB/s")
        try line("gelu", time([[rows, 512]]) { $0.apply(.geluErf, $1[0]) }, work: 8 * moved, "TB/s")
        try line(
            "layer norm",
            time([[rows, 128], [128], [128]]) { $0.layerNorm($1[0], weight: $1[1], bias: $1[2], epsilon: 1e-6) },
            work: 2 * moved, "TB/s")
        for (name, items, queries, keys) in [
            ("picture", 128, 201, 201), ("cells", 128, 64, 64), ("cells to picture", 128, 64, 201),
            ("latents", 24, 800, 800), ("latents to picture", 24, 800, 201),
        ] {
            let plan = AttentionPlan(
                queries: (0..<items).map { $0 * queries..<($0 + 1) * queries },
                keys: (0..<items).map { $0 * keys..<($0 + 1) * keys })
            try line(
                "attention, \(name)",
                time([[items * queries, 4, 32], [items * keys, 4, 32], [items * keys, 4, 32]]) {
                    $0.attention($1[0], $1[1], $1[2], plan: plan)
                }, work: 4 * Double(items * queries * keys) * 128, "TFLOP/s")
        }
    }

    // MARK: Networks

    /// The networks of the built-in model, a whole step but for making the samples.
    package func networks(batch: Int, latents: Int, _ tell: (String) throws -> Void) throws {
        plugin.allowRounding(true)
        var picture = DinoEncoderConfig()
        (picture.embedDim, picture.depth, picture.numHeads, picture.registerTokens) = (128, 4, 4, 4)
        (picture.patchSize, picture.imageSize, picture.size) = (8, 112, 112)
        var dense = DenseDiTConfig()
        (dense.resolution, dense.patchSize, dense.inChannels, dense.outChannels) = (16, 4, 1, 1)
        (dense.modelChannels, dense.condChannels, dense.numBlocks, dense.numHeads) = (128, 128, 4, 4)
        (dense.shareMod, dense.qkRMSNorm, dense.qkRMSNormCross) = (true, true, true)
        let images = Self.numbers([batch, 3, 112, 112])
        let rows = [batch * dense.tokenCount, dense.patchVolume]
        let (cells, target) = (Self.numbers(rows), Self.numbers(rows))
        try step("dense stage, batch of \(batch)", samples: batch, tell) { source in
            let encoder = try ImageEncoder(source.scoped("encoder"), picture)
            let transformer = try DenseDiffusionTransformer(source.scoped("transformer"), dense)
            return { compute in
                // As if the samples were new.
                _ = images.pointer
                let velocity = transformer.velocity(
                    cells, t: [Float](repeating: 1000, count: batch), condition: encoder(images, compute), compute)
                return compute.squaredError(velocity, target)
            }
        }

        var attention = SpatialSparseAttention.Options(channels: 128, queryHeads: 4, keyHeads: 2, headDimension: 32)
        attention.best = 8
        var sparse = SparseDiffusionTransformer.Options(
            inputs: 8, outputs: 8, contextChannels: 128, blocks: 6, attention: attention)
        (sparse.sharesModulation, sparse.normalizesCrossHeads) = (true, true)
        let rowsOfSet = Self.shell(items: latents)
        let features = Self.numbers([rowsOfSet.count, 8])
        let condition = Self.numbers([latents, 201, 128])
        let velocities = Self.numbers([rowsOfSet.count, 8])
        try step("sparse stage, batch of \(latents), \(rowsOfSet.count / latents) latents each", samples: latents, tell)
        {
            source in
            let network = try SparseDiffusionTransformer(source, sparse)
            return { compute in
                let x = SparseTensor(features: features, coordinates: try CoordinateSet(Buffer(rowsOfSet)))
                let y = try network(
                    x, t: [Float](repeating: 1000, count: latents), .dense(condition), compute)
                return compute.squaredError(y.features, velocities)
            }
        }
    }

    /// About 800 places round a ball in a grid of 16³, for every item, in block order.
    private static func shell(items: Int) -> [SIMD4<Int32>] {
        var places: [SIMD4<Int32>] = []
        for block in 0..<8 {
            let corner = SIMD4<Int32>(0, Int32(block / 4 * 8), Int32(block / 2 % 2 * 8), Int32(block % 2 * 8))
            for inside in 0..<512 {
                let place = corner &+ SIMD4<Int32>(0, Int32(inside / 64), Int32(inside / 8 % 8), Int32(inside % 8))
                let offset = SIMD4<Float>(place) - SIMD4<Float>(0, 7.5, 7.5, 7.5)
                let square: Float = (offset * offset).sum()
                if square > 32, square < 54 { places.append(place) }
            }
        }
        var rows: [SIMD4<Int32>] = []
        for item in 0..<items {
            for place in places {
                var row = place
                row.x = Int32(item)
                rows.append(row)
            }
        }
        return rows
    }

    private static func numbers(_ shape: [Int]) -> Tensor {
        var generator = Philox(seed: 3, stream: UInt64(shape.count))
        return Tensor((0..<shape.reduce(1, *)).map { _ in Float(generator.uniform() * 2 - 1) }, shape: shape)
    }

    private func step(
        _ name: String, samples: Int, _ tell: (String) throws -> Void,
        _ make: (ParameterSource) throws -> (Compute) throws -> Tensor
    ) throws {
        let source = ParameterSource.random(seed: 1)
        let loss = try make(source)
        let weights = source.registry.parameters.map(\.value)
        let optimizer = AdamW(weights)
        let clock = ContinuousClock()
        var issue: [Double] = [], whole: [Double] = []
        var counts = DevicePlugin.Counts()
        for _ in 0..<12 {
            let before = plugin.counts
            let start = clock.now
            _ = try compute.differentiate { try loss(compute) }
            let issued = clock.now
            let norm = optimizer.gradientNorm(compute)
            optimizer.step(rate: 1e-4, gradientScale: AdamW.clipScale(norm: norm, limit: 1), compute)
            plugin.finish()
            issue.append((issued - start) / .milliseconds(1))
            whole.append((clock.now - start) / .milliseconds(1))
            counts = plugin.counts.since(before)
        }
        func median(_ x: [Double]) -> Double { x.dropFirst(2).sorted()[5] }
        func text(_ x: Double) -> String { "\(Double(Int(x * 100)) / 100)" }
        let rate = Int(1000 * Double(samples) / median(whole))
        try tell(
            "\(name): \(text(median(whole))) ms a step, \(text(median(issue))) until the loss is known; \(rate) samples/s"
        )
        try tell("  \(counts.launches) launches, \(counts.uploads) uploads of \(counts.uploaded >> 10) KiB")
        try tell(
            "  \(counts.downloads) downloads of \(counts.downloaded >> 10) KiB, \(compute.pool.peakBytes >> 20) MiB of tensors"
        )
        for weight in weights { weight.variable?.reset() }
        compute.pool.trim()
        compute.pool.resetPeak()
    }

    // MARK: Operations

    private func time(
        _ shapes: [[Int]], _ body: (Compute, [Tensor]) -> Tensor
    ) -> (forward: Double, both: Double) {
        let inputs = shapes.enumerated().map { index, shape in
            var generator = Philox(seed: 1, stream: UInt64(index))
            var tensor = Tensor(
                (0..<shape.reduce(1, *)).map { _ in Float(generator.uniform() * 2 - 1) }, shape: shape)
            tensor.variable = Variable()
            return tensor
        }
        let clock = ContinuousClock()
        func median(_ work: () -> Void) -> Double {
            var times: [Double] = []
            for _ in 0..<3 { work() }
            for _ in 0..<7 {
                plugin.finish()
                let start = clock.now
                for _ in 0..<5 { work() }
                plugin.finish()
                times.append((clock.now - start) / .milliseconds(5))
            }
            return times.sorted()[3]
        }
        let forward = median { _ = body(compute, inputs) }
        let both = median {
            _ = compute.differentiate { compute.sum(body(compute, inputs)) }
            for input in inputs { input.variable?.reset() }
        }
        return (forward, both)
    }
}
