import CSSDFKernels
import SSDFCore

/// Queries, or keys, that one unit of work computes at most.
private let tileRows = 64

/// An attention plan in a device's memory.
private struct DevicePlan: Sendable {
    let queryRows: DeviceArray?
    let keyRows: DeviceArray?
    let queryTiles: DeviceArray
    let keyTiles: DeviceArray
    let queryTileCount: Int
    let keyTileCount: Int
    /// Keys that some segment holds.
    let keys: Int
    /// Segments that are all as long as the first and follow each other, without lists of rows; 0 otherwise.
    let equalSegments: (count: Int, queries: Int, keys: Int)

    init(_ plan: AttentionPlan, _ plugin: DevicePlugin) {
        var queryTiles: [ssdf_device_tile] = []
        var keyTiles: [ssdf_device_tile] = []
        for segment in plan.segments {
            append(tilesOf: segment.queries, meeting: segment.keys, to: &queryTiles)
            append(tilesOf: segment.keys, meeting: segment.queries, to: &keyTiles)
        }
        self.init(
            queryTiles, keyTiles, keys: plan.segments.reduce(0) { $0 + $1.keys.count }, queryRows: plan.queryRows,
            keyRows: plan.keyRows, equalSegments: Self.equalSegments(plan), plugin)
    }

    private static func equalSegments(_ plan: AttentionPlan) -> (Int, Int, Int) {
        guard plan.queryRows.count == 0, plan.keyRows.count == 0, let first = plan.segments.first else {
            return (0, 0, 0)
        }
        let (queries, keys) = (first.queries.count, first.keys.count)
        for (index, segment) in plan.segments.enumerated() {
            let isNext =
                segment.queries == index * queries..<(index + 1) * queries
                && segment.keys == index * keys..<(index + 1) * keys
            guard isNext, queries > 0, keys > 0 else { return (0, 0, 0) }
        }
        return (plan.segments.count, queries, keys)
    }

    init(
        _ queryTiles: [ssdf_device_tile], _ keyTiles: [ssdf_device_tile], keys: Int,
        queryRows: borrowing Buffer<Int32>, keyRows: borrowing Buffer<Int32>,
        equalSegments: (Int, Int, Int) = (0, 0, 0), _ plugin: DevicePlugin
    ) {
        func array(_ rows: borrowing Buffer<Int32>) -> DeviceArray? {
            rows.count == 0 ? nil : DeviceArray(plugin, UnsafePointer(rows.pointer), count: rows.count)
        }
        self.queryRows = array(queryRows)
        self.keyRows = array(keyRows)
        self.queryTiles = DeviceArray(plugin, queryTiles)
        self.keyTiles = DeviceArray(plugin, keyTiles)
        (queryTileCount, keyTileCount) = (queryTiles.count, keyTiles.count)
        self.keys = keys
        self.equalSegments = equalSegments
    }
}

private func append(
    tilesOf range: Range<Int>, meeting other: Range<Int>, block: Int = 0, to tiles: inout [ssdf_device_tile]
) {
    for first in stride(from: range.lowerBound, to: range.upperBound, by: tileRows) {
        tiles.append(
            ssdf_device_tile(
                first: Int32(first), count: Int32(min(tileRows, range.upperBound - first)),
                other_first: Int32(other.lowerBound), other_count: Int32(other.count), block: Int32(block)))
    }
}

/// A block layout in a device's memory.
private struct DeviceLayout: Sendable {
    /// Tokens of an item with its blocks; tokens of a block with those of its item.
    let plan: DevicePlan
    let starts: DeviceArray
    let blockOfKey: DeviceArray
    /// Blocks of the batch item of each query tile of the cell plan.
    let blocks: DeviceArray
    /// Blocks of a batch item at most.
    let most: Int

    init(_ layout: BlockLayout, _ plugin: DevicePlugin) {
        var queryTiles: [ssdf_device_tile] = []
        var keyTiles: [ssdf_device_tile] = []
        var blocks: [Int32] = []
        for item in layout.items {
            append(tilesOf: item.tokens, meeting: item.blocks, to: &queryTiles)
            blocks += [Int32](repeating: Int32(item.blocks.count), count: queryTiles.count - blocks.count)
            for (index, block) in item.blocks.enumerated() {
                let tokens = Int(layout.starts.pointer[block])..<Int(layout.starts.pointer[block + 1])
                append(tilesOf: tokens, meeting: item.tokens, block: index, to: &keyTiles)
            }
        }
        plan = DevicePlan(
            queryTiles, keyTiles, keys: layout.items.reduce(0) { $0 + $1.tokens.count },
            queryRows: Buffer(uninitialized: 0), keyRows: Buffer(uninitialized: 0), plugin)
        starts = DeviceArray(plugin, UnsafePointer(layout.starts.pointer), count: layout.starts.count)
        blockOfKey = DeviceArray(plugin, UnsafePointer(layout.blockOfKey.pointer), count: layout.blockOfKey.count)
        self.blocks = DeviceArray(plugin, blocks)
        most = layout.items.map(\.blocks.count).max() ?? 0
    }
}

extension DeviceBackend {
    private func form(_ plan: AttentionPlan) -> DevicePlan { plan.deviceForm.get { DevicePlan(plan, plugin) } }
    private func form(_ layout: BlockLayout) -> DeviceLayout { layout.deviceForm.get { DeviceLayout(layout, plugin) } }

    /// Whether the plug-in's attention takes heads of this size.
    private func takes(_ q: Tensor) -> Bool { q.shape[2] <= Int(device.pointee.attention_dimension) }

    private func operands(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, _ plan: DevicePlan, gate: AttentionGate? = nil, adds: Bool = false
    ) -> ssdf_device_attention {
        ssdf_device_attention(
            q: read(q), k: read(k), v: read(v), query_rows: plan.queryRows.map { UnsafePointer($0.pointer()) },
            key_rows: plan.keyRows.map { UnsafePointer($0.pointer()) },
            query_tiles: UnsafePointer(plan.queryTiles.pointer()), key_tiles: UnsafePointer(plan.keyTiles.pointer()),
            query_tile_count: plan.queryTileCount, key_tile_count: plan.keyTileCount, selected: nil,
            block_starts: nil, gate: gate.map { read($0.gates) + $0.column },
            gate_stride: Int32(gate?.gates.columns ?? 0), best: 0, tokens: Int32(q.shape[0]),
            heads: Int32(q.shape[1]), key_heads: Int32(k.shape[1]), dimension: Int32(q.shape[2]),
            segments: Int32(plan.equalSegments.count), segment_queries: Int32(plan.equalSegments.queries),
            segment_keys: Int32(plan.equalSegments.keys), scale: 1 / Float(q.shape[2]).squareRoot(), adds: adds ? 1 : 0)
    }

    package func attention(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, into y: Tensor, logSum: Tensor?
    ) {
        guard takes(q) else {
            processor.attention(q, k, v, plan: plan, into: y, logSum: logSum)
            return
        }
        var operands = operands(q, k, v, form(plan))
        device.pointee.attention(&operands, write(y), write(logSum))
    }

    package func attentionGradients(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, y: Tensor, logSum: Tensor, dy: Tensor,
        dq: Tensor, dk: Tensor, dv: Tensor
    ) {
        guard takes(q) else {
            processor.attentionGradients(q, k, v, plan: plan, y: y, logSum: logSum, dy: dy, dq: dq, dk: dk, dv: dv)
            return
        }
        let form = form(plan)
        if form.keys < k.rows {
            fill(dk, with: 0)
            fill(dv, with: 0)
        }
        let delta = Tensor(shape: logSum.shape, storage: pool.take(logSum.count))
        var operands = operands(q, k, v, form)
        device.pointee.attention_gradients(
            &operands, read(y), read(logSum), read(dy), write(delta), write(dq), write(dk), write(dv))
    }

    package func blockSparseAttention(
        _ operands: BlockSparseOperands, plan: BlockSparsePlan, into y: Tensor, trace: BlockSparseTrace,
        scores: Tensor?
    ) {
        guard takes(operands.q) else {
            processor.blockSparseAttention(operands, plan: plan, into: y, trace: trace, scores: scores)
            return
        }
        let (q, selection) = (operands.q, trace.selection)
        let (layout, best) = (form(selection.layout), selection.best)
        func gate(_ column: Int) -> AttentionGate { AttentionGate(gates: operands.gates, column: column) }
        // Windows hold every token once: they write the result, and the others add to it.
        var windows = self.operands(q, operands.k, operands.v, form(plan.windows), gate: gate(2))
        device.pointee.attention(&windows, write(y), write(trace.logSums[2]))

        var cells = self.operands(
            q, operands.cellKeys, operands.cellValues, form(selection.layout.cellPlan), gate: gate(0), adds: true)
        device.pointee.attention(&cells, change(y), write(trace.logSums[0]))
        let size = selection.heads * selection.tokens
        let chosen = DeviceArray(plugin, bytes: size * best * MemoryLayout<Int32>.stride)
        let most = scores?.shape[2] ?? layout.most
        let sums = scores ?? Tensor(shape: [size, most], storage: pool.take(size * most))
        cells.best = Int32(best)
        device.pointee.select_blocks(
            &cells, read(trace.logSums[0]), UnsafePointer(layout.blockOfKey.pointer()),
            UnsafePointer(layout.blocks.pointer()), most, change(sums), chosen.pointer())
        selection.noteChoice(on: chosen)

        var selected = selectedOperands(operands, chosen, selection)
        device.pointee.attention(&selected, change(y), write(trace.logSums[1]))
    }

    /// The operands of the selected branch: over all tokens of the item where all blocks are chosen.
    private func selectedOperands(
        _ operands: BlockSparseOperands, _ chosen: DeviceArray, _ selection: BlockSelection
    ) -> ssdf_device_attention {
        let gate = AttentionGate(gates: operands.gates, column: 1)
        let layout = selection.layout
        if layout.choosesAll(best: selection.best) {
            return self.operands(
                operands.q, operands.k, operands.v, form(layout.tokenPlan), gate: gate, adds: true)
        }
        var result = self.operands(
            operands.q, operands.k, operands.v, form(layout).plan, gate: gate, adds: true)
        result.selected = UnsafePointer(chosen.pointer())
        result.block_starts = UnsafePointer(form(layout).starts.pointer())
        result.best = Int32(selection.best)
        return result
    }

    /// δ of every branch takes a pass of its own over the branch's keys.
    package func blockSparseAttentionGradients(
        _ operands: BlockSparseOperands, plan: BlockSparsePlan, y: Tensor, trace: BlockSparseTrace, dy: Tensor,
        into gradients: BlockSparseOperands
    ) {
        guard takes(operands.q) else {
            processor.blockSparseAttentionGradients(
                operands, plan: plan, y: y, trace: trace, dy: dy, into: gradients)
            return
        }
        let (q, selection) = (operands.q, trace.selection)
        let count = q.shape[0] * q.shape[1]
        let deltas = Tensor(shape: [3, q.shape[0], q.shape[1]], storage: pool.take(3 * count))
        let delta = write(deltas)
        func gate(_ column: Int) -> AttentionGate { AttentionGate(gates: operands.gates, column: column) }

        var windows = self.operands(q, operands.k, operands.v, form(plan.windows), gate: gate(2))
        device.pointee.attention_gradients(
            &windows, nil, read(trace.logSums[2]), read(dy), delta + 2 * count, write(gradients.q),
            write(gradients.k), write(gradients.v))

        let chosen = selection.deviceForm.get {
            DeviceArray(plugin, UnsafePointer(selection.blocks.pointer), count: selection.blocks.count)
        }
        var selected = selectedOperands(operands, chosen, selection)
        device.pointee.attention_gradients(
            &selected, nil, read(trace.logSums[1]), read(dy), delta + count, change(gradients.q),
            change(gradients.k), change(gradients.v))

        fill(gradients.cellKeys, with: 0)
        fill(gradients.cellValues, with: 0)
        var cells = self.operands(
            q, operands.cellKeys, operands.cellValues, form(selection.layout.cellPlan), gate: gate(0), adds: true)
        device.pointee.attention_gradients(
            &cells, nil, read(trace.logSums[0]), read(dy), delta, change(gradients.q), change(gradients.cellKeys),
            change(gradients.cellValues))
        device.pointee.gate_gradients(delta, write(gradients.gates), q.shape[0], q.shape[1])
        withExtendedLifetime((deltas, chosen)) {}
    }
}
