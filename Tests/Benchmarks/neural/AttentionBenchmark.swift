import Foundation
import SSDFCore
import SSDFMesh
import SSDFNeural
import SSDFTensor

/// Attention: dense, cross and windowed, and spatial sparse attention.
extension NeuralBenchmark {
    func attention() {
        let cases: [(name: String, tokens: Int, keys: Int, segment: Int, heads: Int, keyHeads: Int, dimension: Int)] = [
            ("dense 4096 × 4096, 16 heads × 64", 4096, 4096, 4096, 16, 16, 64),
            ("cross 4096 × 1374, 16 heads × 64", 4096, 1374, 4096, 16, 16, 64),
            ("windows of 64, 8 heads × 64", 65_536, 65_536, 64, 8, 8, 64),
            ("windows of 128, 32 and 2 heads × 32", 16_384, 16_384, 128, 32, 2, 32),
            ("cross 10000 × 1374, 32 heads × 32", 10_000, 1374, 10_000, 32, 32, 32),
        ]
        for item in cases {
            let (compute, rough) = (Compute(threads: threads), Compute(threads: threads, precision: .bf16))
            var generator = Philox(seed: 1)
            let q = normal([item.tokens, item.heads, item.dimension], &generator)
            let k = normal([item.keys, item.keyHeads, item.dimension], &generator)
            var segments: [AttentionPlan.Segment] = []
            for start in stride(from: 0, to: item.tokens, by: item.segment) {
                let range = start..<min(start + item.segment, item.tokens)
                segments.append(.init(queries: range, keys: item.segment == item.tokens ? 0..<item.keys : range))
            }
            let plan = AttentionPlan(segments: segments, queryCount: item.tokens, keyCount: item.keys)
            let work = 4 * Double(plan.scoreCount * item.heads * item.dimension) * 1e-9
            let peak = peak()
            let seconds = best(
                peak.body, { _ = compute.attention(q, k, k, plan: plan) }, { _ = rough.attention(q, k, k, plan: plan) })
            report(
                "attention", item.name,
                [
                    ("ms", seconds[1] * 1e3), ("gflops", work / seconds[1]), ("peak", peak.work / seconds[0]),
                    ("share", work / seconds[1] / (peak.work / seconds[0])), ("bf16", work / seconds[2]),
                ])
        }
    }

    /// SSA with the settings of version 1.1: 32 query heads and 2 key/value heads of 32, cells, blocks and windows of 8³,
    /// 8 blocks a token. Queries, keys and values are independent normal numbers, which makes the choice of blocks as
    /// scattered as can be. Times run from queries, keys, values and gates to the mixed result: compression, the three
    /// branches and the choice of blocks.
    func sparseAttention() throws {
        guard let mesh else { return note("no mesh: give --mesh FILE") }
        let loaded = try loadMesh(path: mesh, threads: threads)
        for size in sizes {
            var resolution = 32
            var rows: [SIMD4<Int32>] = []
            while rows.count < size {
                rows = try surface(loaded.mesh, resolution: resolution)
                let growth = (Double(size) / Double(max(rows.count, 1))).squareRoot()
                resolution = max(resolution + 1, Int(Double(resolution) * min(growth, 4)))
            }
            try sparseAttention(Array(rows.prefix(size)))
        }
    }

    private func sparseAttention(_ rows: [SIMD4<Int32>]) throws {
        let (tokens, heads, keyHeads, dimension) = (rows.count, 32, 2, 32)
        let coordinates = try CoordinateSet(Buffer(rows))
        let layout = coordinates.blockLayout(size: 8, cell: 8)
        let windows = coordinates.windows(size: 8, shift: 4)
        let plan = BlockSparsePlan(layout: layout, windows: windows.plan, best: 8)
        var generator = Philox(seed: 2)
        let width = keyHeads * dimension
        let q = normal([tokens, heads, dimension], &generator)
        let (k, v) = (normal([tokens, width], &generator), normal([tokens, width], &generator))
        let gates = normal([tokens, 3], &generator)
        let positions = normal([512, width], &generator)
        var weights: [String: Tensor] = [:]
        for name in ["key", "value"] {
            weights["\(name).act_layers.0.conv.kernel"] = normal([width, width], &generator)
            weights["\(name).act_layers.0.conv.bias"] = normal([width], &generator)
        }
        let source = ParameterSource(tensors: weights)
        let compression = try ["key", "value"].map {
            try BlockCompression(source.scoped($0), channels: width, size: 8, version: .pooled)
        }
        /// Operands whose gradients are wanted when `variables` are.
        func pass(_ compute: Compute, _ inputs: [Tensor]) -> (output: Tensor, trace: BlockSparseTrace) {
            let placed = compute.add(inputs[1], compute.gather(positions, coordinates.placesInCells(size: 8)))
            let cells = zip(compression, [placed, inputs[2]]).map { layer, x in
                compute.reshape(
                    layer(SparseTensor(features: x, coordinates: coordinates), compute).features,
                    [layout.blockOfKey.count, keyHeads, dimension])
            }
            let operands = BlockSparseOperands(
                q: inputs[0], k: compute.reshape(inputs[1], [tokens, keyHeads, dimension]),
                v: compute.reshape(inputs[2], [tokens, keyHeads, dimension]), cellKeys: cells[0], cellValues: cells[1],
                gates: compute.apply(.sigmoid, inputs[3]))
            return compute.blockSparseAttention(operands, plan: plan)
        }
        let compute = Compute(threads: threads)
        let trace = pass(compute, [q, k, v, gates]).trace
        compute.pool.resetPeak()
        let peak = peak()
        let forward = best(peak.body, { _ = pass(compute, [q, k, v, gates]) })
        let lent = 4 * Double(2 * q.count + k.count + v.count)
        let forwardExtra = Double(compute.pool.peakBytes) - 4 * Double(q.count)
        compute.pool.trim()
        compute.pool.resetPeak()
        let dy = normal(q.shape, &generator)
        var backward = (seconds: Double.infinity, peak: Double.infinity)
        for _ in 0..<(tokens > 50_000 ? 1 : 2) {
            var leaves = [q, k, v, gates]
            for index in leaves.indices { leaves[index].variable = Variable() }
            var end: UInt64 = 0
            _ = compute.differentiate {
                let loss = compute.sum(compute.multiply(pass(compute, leaves).output, dy))
                end = DispatchTime.now().uptimeNanoseconds
                return loss
            }
            backward.seconds = min(backward.seconds, Double(DispatchTime.now().uptimeNanoseconds - end) * 1e-9)
            backward.peak = min(backward.peak, Self.seconds(peak.body))
        }
        // The result, its gradient and those of the operands are no extras.
        let backwardExtra = Double(compute.pool.peakBytes) - 4 * Double(q.count) - lent
        let scores =
            plan.layout.cellPlan.scoreCount * heads + trace.selection.scoreCount(group: heads / keyHeads)
            + windows.plan.scoreCount * heads
        let work = Double(scores * dimension) * 1e-9
        let full = Double(tokens) * Double(tokens) * Double(heads * dimension) * 1e-9
        report(
            "ssa", "\(tokens) tokens",
            [
                ("tokens", Double(tokens)), ("cells", Double(layout.blockOfKey.count)), ("forward_s", forward[1]),
                ("backward_s", backward.seconds), ("forward_gflop", 4 * work), ("backward_gflop", 10 * work),
                ("forward_gflops", 4 * work / forward[1]), ("backward_gflops", 10 * work / backward.seconds),
                ("peak", peak.work / forward[0]), ("forward_share", 4 * work / forward[1] / (peak.work / forward[0])),
                ("backward_share", 10 * work / backward.seconds / (peak.work / backward.peak)),
                ("full_gflop", 4 * full), ("forward_extra", forwardExtra / lent),
                ("backward_extra", backwardExtra / lent),
            ])
    }

    private func normal(_ shape: [Int], _ generator: inout Philox) -> Tensor {
        let tensor = Tensor(repeating: 0, shape: shape)
        for index in stride(from: 0, to: tensor.count, by: 2) {
            let radius = (-2 * log(max(1 - generator.uniform(), 1e-300))).squareRoot()
            let angle = 2 * Double.pi * generator.uniform()
            tensor.pointer[index] = Float(radius * cos(angle))
            if index + 1 < tensor.count { tensor.pointer[index + 1] = Float(radius * sin(angle)) }
        }
        return tensor
    }
}
