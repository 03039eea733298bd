import SSDFCore
import SSDFNeural
import SSDFTensor

/// Runs every operation that training uses on a device and on the processor, on random numbers and odd shapes, and
/// compares results and gradients.
package final class DeviceCheck {
    /// What one operation came to.
    package struct Finding: Sendable {
        /// The operation.
        package var name: String
        /// ‖difference‖ / ‖processor's result‖, the largest over results and gradients; infinite where one is not finite.
        package var error: Double
        /// What of the operation had it: "result", "gradient 1".
        package var worst: String
        /// The largest error that rounding explains.
        package var limit: Double
        /// Whether the error is no larger than that.
        package var passed: Bool { error <= limit }
    }

    private let plugin: DevicePlugin
    private let device: Compute
    private let processor: Compute
    private let reports: (Finding) -> Void
    private let starts: (String) -> Void
    private let filter: String?
    /// Relative errors allowed where products take part, and where they do not.
    private var productLimit = 1e-5
    private let limit = 1e-5

    /// - Parameters:
    ///   - filter: only operations whose names hold it; nil for all.
    ///   - starts: is told each operation's name before it runs: the device may end the process.
    package init(
        _ plugin: DevicePlugin, threads: Int, filter: String?, starts: @escaping (String) -> Void,
        reports: @escaping (Finding) -> Void
    ) {
        self.plugin = plugin
        device = Compute(DeviceBackend(plugin, threads: threads))
        processor = Compute(threads: threads)
        self.filter = filter
        self.starts = starts
        self.reports = reports
    }

    /// Checks everything: first with exact products, then those with products rounded to TF32.
    package func run() throws {
        plugin.allowRounding(false)
        arithmetic()
        rows()
        norms()
        attention()
        blockSparseAttention()
        losses()
        optimizer()
        linear()
        equalAttention()
        try networks()
        plugin.allowRounding(true)
        productLimit = 5e-3
        linear(" (TF32)")
        equalAttention(" (TF32)")
        // Rounded differences of rounded numbers: gradients that nearly cancel show it most.
        productLimit = 5e-2
        try networks(" (TF32)")
        plugin.finish()
    }

    // MARK: Comparison

    private static func numbers(_ shape: [Int], seed: Int, scale: Float = 1) -> [Float] {
        var generator = Philox(seed: UInt64(seed), stream: 7)
        return (0..<shape.reduce(1, *)).map { _ in Float(generator.uniform() * 2 - 1) * 1.7 * scale }
    }

    private func isWanted(_ name: String) -> Bool { filter.map { name.contains($0) } ?? true }

    /// Compares lists of results by name.
    private func compare(
        _ name: String, limit: Double? = nil, _ body: (Compute) throws -> [(String, [Float])]
    ) rethrows {
        guard isWanted(name) else { return }
        starts(name)
        let expected = try body(processor)
        let found = try body(device)
        var finding = Finding(name: name, error: 0, worst: "", limit: limit ?? self.limit)
        for ((what, a), (_, b)) in zip(expected, found) {
            let error = Self.distance(a, b)
            if error > finding.error || finding.worst.isEmpty { (finding.error, finding.worst) = (error, what) }
        }
        reports(finding)
    }

    private static func distance(_ expected: [Float], _ found: [Float]) -> Double {
        guard expected.count == found.count else { return .infinity }
        var (difference, norm) = (0.0, 0.0)
        for (a, b) in zip(expected, found) {
            // Logarithms of empty sums are −∞ on both sides.
            if a == b { norm += a.isFinite ? Double(a) * Double(a) : 0; continue }
            difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
            norm += Double(a) * Double(a)
        }
        guard difference.isFinite, norm.isFinite else { return .infinity }
        return difference == 0 ? 0 : (difference / max(norm, 1e-30)).squareRoot()
    }

    /// Compares a function of tensors, and its gradients by those of `inputs` that are not constants.
    private func compare(
        _ name: String, _ shapes: [[Int]], constants: Int = 0, scale: Float = 1, limit: Double? = nil,
        _ body: (Compute, [Tensor]) -> Tensor
    ) {
        compare(name, limit: limit) { compute in
            let inputs = shapes.enumerated().map { index, shape in
                var tensor = Tensor(Self.numbers(shape, seed: index + 1, scale: scale), shape: shape)
                if index < shapes.count - constants { tensor.variable = Variable() }
                return tensor
            }
            var results: [(String, [Float])] = []
            let loss = compute.differentiate {
                let y = body(compute, inputs)
                results.append(("result", y.array))
                let weights = Tensor(Self.numbers(y.shape, seed: 99), shape: y.shape)
                return compute.sum(compute.multiply(y, weights))
            }
            results.append(("sum", [loss]))
            // A sum of terms that cancel is measured against its terms.
            results[1].1.append(Float(results[0].1.reduce(0) { $0 + abs(Double($1)) }))
            for (index, input) in inputs.enumerated() {
                if let gradient = input.variable?.gradient { results.append(("gradient \(index + 1)", gradient.array)) }
            }
            return results
        }
    }

    // MARK: Operations

    private func linear(_ suffix: String = "") {
        for (rows, inputs, outputs) in [(1, 5, 3), (37, 19, 23), (300, 128, 512), (513, 192, 128)] {
            compare(
                "linear \(rows)×\(inputs)→\(outputs)\(suffix)", [[rows, inputs], [outputs, inputs], [outputs]],
                limit: productLimit
            ) { $0.linear($1[0], $1[1], bias: $1[2]) }
        }
        compare("linear without bias\(suffix)", [[3, 41, 16], [8, 16]], limit: productLimit) {
            $0.linear($1[0], $1[1])
        }
    }

    private func arithmetic() {
        for function in PointwiseFunction.allCases {
            compare("\(function)", [[7, 1031]]) { $0.apply(function, $1[0]) }
        }
        compare("add", [[37, 19], [37, 19]]) { $0.add($1[0], $1[1], scale: -0.3) }
        compare("add row", [[370, 19], [19]]) { $0.add($1[0], $1[1], scale: 0.7, broadcast: .row) }
        compare("add column", [[37, 190], [37]]) { $0.add($1[0], $1[1], broadcast: .column) }
        compare("multiply", [[37, 19], [37, 19]]) { $0.multiply($1[0], $1[1]) }
        compare("multiply row", [[1370, 33], [33]]) { $0.multiply($1[0], $1[1], broadcast: .row) }
        compare("multiply column", [[37, 129], [37]]) { $0.multiply($1[0], $1[1], broadcast: .column) }
        compare("add by segment", [[300, 19], [300, 19], [4, 19]]) {
            $0.add($1[0], $1[1], times: $1[2], segments: [0..<7, 7..<7, 7..<200, 200..<300])
        }
        compare("affine", [[5, 777]]) { $0.affine($1[0], scale: -1.5, shift: 0.25) }
        compare("sum", [[123, 457]]) { $0.sum($1[0], scale: 0.01) }
        compare("transpose", [[3, 45, 17]]) { $0.transpose($1[0]) }
        compare("dot") { compute in
            let x = Tensor(Self.numbers([30_011], seed: 3), shape: [30_011])
            return [("result", [Float(compute.backend.dot(x, x))])]
        }
    }

    private func rows() {
        func map(_ count: Int, _ targets: Int, _ place: (Int) -> Int) -> RowMap {
            RowMap(Buffer((0..<count).map { Int32(place($0)) }), targets: targets)
        }
        let many = map(501, 3) { $0 % 2 == 0 ? 0 : 2 }
        let few = map(120, 41) { $0 * 7 % 41 }
        for (name, map) in [("many", many), ("few", few)] {
            compare("gather \(name)", [[map.targets, 37]]) { $0.gather($1[0], map) }
            compare("scatterAdd \(name)", [[map.count, 37]]) { $0.scatterAdd($1[0], map) }
            compare("gatherMean \(name)", [[map.count, 3, 11]]) { $0.gatherMean($1[0], map, extra: 1) }
        }
        compare("concatenate", [[19, 7], [19, 33], [19, 1]]) { $0.concatenate($1) }
        compare("split", [[23, 96]]) { compute, x in
            let parts = compute.split(x[0], widths: [32, 16, 48])
            return compute.concatenate([parts[2], compute.affine(parts[0], scale: 2), parts[1]])
        }
        compare("rows", [[23, 9]]) { compute, x in compute.rows(x[0], 5..<16) }
        compare("stack", [[3, 9], [1, 9], [14, 9]]) { $0.stack($1) }
        compare("recomputing", [[9, 9], [9, 9]]) { compute, x in
            compute.recomputing(x) { compute.multiply(compute.apply(.silu, $0[0]), $0[1]) }
        }
        compare("addUp") { compute in
            let shapes = [[5, 7], [9_001], [1]]
            let parts = (0..<3).map { part in
                shapes.indices.map { index -> Tensor? in
                    part == index ? nil : Tensor(Self.numbers(shapes[index], seed: part + 10), shape: shapes[index])
                }
            }
            let block = Tensor(repeating: 5, shape: [10_000])
            let totals = [
                block.part(from: 0, shape: shapes[0]), block.part(from: 48, shape: shapes[1]),
                block.part(from: 9_200, shape: shapes[2]),
            ]
            compute.backend.addUp(parts, into: totals)
            return [("result", block.array)]
        }
        compare("fill and copy") { compute in
            let x = compute.empty([300, 7])
            compute.backend.fill(x, with: 3)
            let y = Tensor(repeating: 1, shape: [900, 7])
            compute.backend.copy(x, into: y.part(from: 2100, shape: [300, 7]))
            return [("result", y.array)]
        }
    }

    private func norms() {
        for columns in [5, 128, 200] {
            compare("layerNorm \(columns)", [[333, columns], [columns], [columns]]) {
                $0.layerNorm($1[0], weight: $1[1], bias: $1[2], epsilon: 1e-5)
            }
        }
        compare("layerNorm plain", [[3, 33, 128]]) { $0.layerNorm($1[0], epsilon: 1e-6) }
        compare("layerNorm by segment", [[300, 96], [4, 96], [4, 96]]) {
            $0.layerNorm(
                $1[0], weight: $1[1], bias: $1[2], epsilon: 1e-6, segments: [0..<7, 7..<7, 7..<200, 200..<300])
        }
        compare("rmsNorm", [[77, 3, 32], [3, 32]]) { $0.rmsNorm($1[0], gamma: $1[1]) }
        compare("rmsNorm wide", [[700, 2, 48], [2, 48]]) { $0.rmsNorm($1[0], gamma: $1[1]) }
        compare("softmax", [[33, 129]], scale: 4) { $0.softmax($1[0]) }
    }

    private func attention() {
        let ragged = AttentionPlan(queries: [0..<1, 1..<70, 70..<271], keys: [0..<33, 33..<34, 34..<190])
        compare("attention cross", [[271, 4, 32], [200, 2, 32], [200, 2, 32]]) {
            $0.attention($1[0], $1[1], $1[2], plan: ragged)
        }
        let whole = AttentionPlan(queries: [0..<201, 201..<265], keys: [0..<201, 201..<265])
        for dimension in [8, 32, 48, 64] {
            compare(
                "attention own, heads of \(dimension)",
                [[265, 3, dimension], [265, 3, dimension], [265, 3, dimension]],
                scale: dimension == 32 ? 2 : 1
            ) { $0.attention($1[0], $1[1], $1[2], plan: whole) }
        }
        compare("attention, heads of 80 on the processor", [[65, 2, 80], [65, 2, 80], [65, 2, 80]]) {
            $0.attention(
                $1[0], $1[1], $1[2], plan: AttentionPlan(queries: [0..<65], keys: [0..<65]))
        }
        // Rows in another order, keys that nobody looks at, a segment without keys.
        let order = (0..<150).map { Int32($0 * 77 % 150) }
        let listed = AttentionPlan(
            segments: [
                .init(queries: 0..<40, keys: 0..<50), .init(queries: 40..<50, keys: 50..<50),
                .init(queries: 50..<150, keys: 50..<130),
            ], queryCount: 150, keyCount: 130, queryRows: Buffer(order), keyRows: Buffer((0..<130).map { order[$0] }))
        compare("attention of listed rows", [[150, 2, 32], [150, 1, 32], [150, 1, 32]]) {
            $0.attention($1[0], $1[1], $1[2], plan: listed)
        }
    }

    /// Segments that are all as long, which a plug-in may take as products of matrices.
    private func equalAttention(_ suffix: String = "") {
        for (queries, keys, heads, keyHeads, dimension) in [
            (131, 201, 4, 2, 32), (128, 130, 3, 3, 16), (70, 201, 4, 2, 32), (5, 5, 2, 2, 64),
        ] {
            let plan = AttentionPlan(
                queries: (0..<3).map { $0 * queries..<($0 + 1) * queries },
                keys: (0..<3).map { $0 * keys..<($0 + 1) * keys })
            compare(
                "attention of \(queries) to \(keys), heads of \(dimension)\(suffix)",
                [[3 * queries, heads, dimension], [3 * keys, keyHeads, dimension], [3 * keys, keyHeads, dimension]],
                limit: productLimit
            ) { $0.attention($1[0], $1[1], $1[2], plan: plan) }
        }
    }

    /// Places on a bent surface, batch items of different sizes, in block order.
    private func coordinates(items: Int, side: Int, block: Int) throws(Failure) -> CoordinateSet {
        var rows: [SIMD4<Int32>] = []
        for item in 0..<items {
            for x in 0..<side - 3 * item {
                for y in 0..<side {
                    let z = (x * x + 3 * y + 5 * item) / 7 % side
                    rows.append(SIMD4(Int32(item), Int32(x), Int32(y), Int32(z)))
                    if (x + y) % 3 == 0 { rows.append(SIMD4(Int32(item), Int32(x), Int32(y), Int32((z + 1) % side))) }
                }
            }
        }
        let sorted = rows.sorted { a, b in
            for axis in 0..<4 where a[axis] != b[axis] { return a[axis] < b[axis] }
            return false
        }
        return try CoordinateSet(Buffer(sorted)).blockOrder(size: block).coordinates
    }

    private func blockSparseAttention() {
        // (blocks chosen, side of blocks, side of cells, query heads, key heads, head size)
        for (best, block, cell, heads, keyHeads, dimension) in [
            (8, 8, 8, 4, 2, 32), (3, 4, 4, 4, 2, 32), (2, 4, 2, 2, 2, 16), (5, 4, 2, 4, 1, 64),
        ] {
            guard let set = try? coordinates(items: 3, side: 16, block: block) else { continue }
            let layout = set.blockLayout(size: block, cell: cell)
            let plan = BlockSparsePlan(
                layout: layout, windows: set.windows(size: 8, shift: 4).plan, best: best)
            let (tokens, cells) = (set.count, layout.blockOfKey.count)
            let name = "block-sparse attention, \(best) blocks of \(block), cells of \(cell), heads of \(dimension)"
            compare(
                name,
                [
                    [tokens, heads, dimension], [tokens, keyHeads, dimension], [tokens, keyHeads, dimension],
                    [cells, keyHeads, dimension], [cells, keyHeads, dimension], [tokens, 3],
                ], limit: 3e-5
            ) { compute, x in
                compute.blockSparseAttention(
                    BlockSparseOperands(
                        q: x[0], k: x[1], v: x[2], cellKeys: x[3], cellValues: x[4],
                        gates: compute.apply(.sigmoid, x[5])),
                    plan: plan
                ).output
            }
            compare(name + ": choices and scores") { compute in
                func tensor(_ shape: [Int], _ seed: Int) -> Tensor {
                    Tensor(Self.numbers(shape, seed: seed), shape: shape)
                }
                let most = layout.items.map(\.blocks.count).max() ?? 0
                let scores = Tensor(repeating: 0, shape: [keyHeads, tokens, most])
                let (_, trace) = compute.blockSparseAttention(
                    BlockSparseOperands(
                        q: tensor([tokens, heads, dimension], 1), k: tensor([tokens, keyHeads, dimension], 2),
                        v: tensor([tokens, keyHeads, dimension], 3), cellKeys: tensor([cells, keyHeads, dimension], 4),
                        cellValues: tensor([cells, keyHeads, dimension], 5), gates: tensor([tokens, 3], 6)),
                    plan: plan, scores: scores)
                return [
                    ("choices", trace.selection.blocks.array.map(Float.init)), ("scores", scores.array),
                    ("compressed sums", trace.logSums[0].array), ("selected sums", trace.logSums[1].array),
                    ("window sums", trace.logSums[2].array),
                ]
            }
        }
    }

    private func losses() {
        compare("squaredError", [[37, 64], [37, 64]], constants: 1) { $0.squaredError($1[0], $1[1]) }
        compare("huber", [[37, 64], [37, 64]], constants: 1) { $0.huber($1[0], $1[1], delta: 0.8) }
        compare("crossEntropy", [[37, 64], [37, 64]], constants: 1, scale: 3) { compute, x in
            compute.crossEntropy(logits: x[0], compute.apply(.sigmoid, x[1]))
        }
        compare("crossEntropy with weights", [[37, 64], [37, 64], [37, 64]], constants: 2) { compute, x in
            compute.crossEntropy(
                logits: x[0], compute.apply(.sigmoid, x[1]), weights: compute.multiply(x[2], x[2]))
        }
        compare("absoluteError", [[37, 64], [37, 64], [37, 64]], constants: 2) {
            $0.absoluteError($1[0], $1[1], weights: $1[2])
        }
    }

    private func optimizer() {
        compare("AdamW and moving average") { compute in
            let shape = [3, 1003]
            var weight = Tensor(Self.numbers(shape, seed: 1), shape: shape)
            weight.variable = Variable()
            let optimizer = AdamW([weight])
            let average = MovingAverage([weight], decay: 0.99)
            var norms: [Float] = []
            for step in 0..<5 {
                weight.variable?.receive(Tensor(Self.numbers(shape, seed: 20 + step), shape: shape))
                let norm = optimizer.gradientNorm(compute)
                norms.append(Float(norm))
                optimizer.step(rate: 0.01, gradientScale: AdamW.clipScale(norm: norm, limit: 1), compute)
                average.update(from: [weight], compute)
            }
            return [
                ("weight", weight.array), ("first", optimizer.firstMoments[0].array),
                ("second", optimizer.secondMoments[0].array), ("average", average.averages[0].array), ("norms", norms),
            ]
        }
    }
}

// MARK: Networks

extension DeviceCheck {
    private func networks(_ suffix: String = "") throws {
        try sparseTransformer("sparse transformer, one step" + suffix)
        try denseStage("dense stage, one step" + suffix)
    }

    /// Loss and every gradient of a network.
    private func compareNetwork(
        _ name: String, _ body: (ParameterSource) throws -> (Compute) throws -> Tensor
    ) throws {
        try compare(name, limit: productLimit) { compute in
            let source = ParameterSource.random(seed: 5)
            let loss = try body(source)
            let value = try compute.differentiate { try loss(compute) }
            var results: [(String, [Float])] = [("loss", [value])]
            var all: [Float] = []
            for parameter in source.registry.parameters {
                guard let gradient = parameter.gradient else { continue }
                all += gradient.array
                // Gradients that are zero but for rounding have no relative error.
                if gradient.array.contains(where: { abs($0) > 1e-5 }) {
                    results.append((parameter.name, gradient.array))
                }
            }
            results.append(("all gradients", all))
            return results
        }
    }

    private func sparseTransformer(_ name: String) throws {
        let set = try coordinates(items: 2, side: 16, block: 8)
        var attention = SpatialSparseAttention.Options(channels: 64, queryHeads: 4, keyHeads: 2, headDimension: 16)
        attention.best = 3
        var options = SparseDiffusionTransformer.Options(
            inputs: 8, outputs: 8, contextChannels: 48, blocks: 2, attention: attention)
        options.sharesModulation = true
        options.normalizesCrossHeads = true
        try compareNetwork(name) { source in
            let network = try SparseDiffusionTransformer(source, options)
            return { compute in
                let x = SparseTensor(
                    features: Tensor(Self.numbers([set.count, 8], seed: 2), shape: [set.count, 8]), coordinates: set)
                let context = Tensor(Self.numbers([2, 21, 48], seed: 3), shape: [2, 21, 48])
                let y = try network(x, t: [900, 30], .dense(context), compute)
                return compute.squaredError(
                    y.features, Tensor(Self.numbers([set.count, 8], seed: 4), shape: [set.count, 8]))
            }
        }
    }

    /// Picture encoder and dense transformer, batch of 3.
    private func denseStage(_ name: String) throws {
        var picture = DinoEncoderConfig()
        (picture.embedDim, picture.depth, picture.numHeads, picture.registerTokens) = (64, 2, 2, 4)
        (picture.patchSize, picture.imageSize, picture.size) = (8, 40, 40)
        var dense = DenseDiTConfig()
        (dense.resolution, dense.patchSize, dense.inChannels, dense.outChannels) = (8, 2, 1, 1)
        (dense.modelChannels, dense.condChannels, dense.numBlocks, dense.numHeads) = (64, 64, 2, 2)
        (dense.shareMod, dense.qkRMSNorm, dense.qkRMSNormCross) = (true, true, true)
        try compareNetwork(name) { source in
            let encoder = try ImageEncoder(source.scoped("encoder"), picture)
            let transformer = try DenseDiffusionTransformer(source.scoped("transformer"), dense)
            return { compute in
                let images = Tensor(Self.numbers([3, 3, 40, 40], seed: 2), shape: [3, 3, 40, 40])
                let tokens = encoder(images, compute)
                let rows = [3 * dense.tokenCount, dense.patchVolume]
                let velocity = transformer.velocity(
                    Tensor(Self.numbers(rows, seed: 3), shape: rows), t: [1000, 500, 20],
                    condition: compute.dropping(tokens, [false, true, false]), compute)
                return compute.squaredError(velocity, Tensor(Self.numbers(rows, seed: 4), shape: rows))
            }
        }
    }
}
