import CSSDFKernels
import SSDFCore

/// What block-sparse attention reads. Columns of the gates: compressed, selected, window.
package struct BlockSparseOperands: Sendable {
    /// `[T, Hq, D]`
    package var q: Tensor
    /// `[T, Hkv, D]`
    package var k: Tensor
    /// `[T, Hkv, D]`
    package var v: Tensor
    /// `[M, Hkv, D]`: one key for each cell.
    package var cellKeys: Tensor
    /// `[M, Hkv, D]`
    package var cellValues: Tensor
    /// `[T, 3]`: the weights of the three branches in a token's result.
    package var gates: Tensor

    /// Operands of these shapes.
    package init(q: Tensor, k: Tensor, v: Tensor, cellKeys: Tensor, cellValues: Tensor, gates: Tensor) {
        (self.q, self.k, self.v, self.gates) = (q, k, v, gates)
        (self.cellKeys, self.cellValues) = (cellKeys, cellValues)
    }

    var all: [Tensor] { [q, k, v, cellKeys, cellValues, gates] }
}

/// Which keys the branches of block-sparse attention look at.
package struct BlockSparsePlan: Sendable {
    /// Blocks to select from, and the cells of each.
    package var layout: BlockLayout
    /// Every token with every token of its window.
    package var windows: AttentionPlan
    /// Blocks selected for each token.
    package var best: Int

    /// A plan of these parts.
    package init(layout: BlockLayout, windows: AttentionPlan, best: Int) {
        self.layout = layout
        self.windows = windows
        self.best = best
    }
}

/// What block-sparse attention leaves for its gradient and for tests, besides its result.
package struct BlockSparseTrace: Sendable {
    /// `[T, Hq]` each: ln Σ exp(score) of the compressed, selected and window branch.
    package let logSums: [Tensor]
    /// The blocks that were chosen.
    package let selection: BlockSelection
}

extension Compute {
    /// g₀·o_cmp + g₁·o_sel + g₂·o_win of every token and query head, with scale 1/√D and grouped queries (SPEC §5,
    /// steps 3 to 8): attention to the keys of all cells of the batch item; to the tokens of the few blocks whose cells
    /// got the most of that attention, added over the heads that share a key/value head; and to the token's window.
    ///
    /// The branches are added up as they finish and nothing of size `[T, Hq, D]` is kept besides operands and result:
    /// the gradient computes again what it needs. The selection is a constant for the gradient.
    /// - Parameter scores: `[Hkv, T, blocks]` takes the scores of the blocks, for tests; `blocks` is the largest number
    ///   of a batch item, and places beyond an item's own are left alone.
    /// - Returns: `[T, Hq, D]`
    package func blockSparseAttention(
        _ operands: BlockSparseOperands, plan: BlockSparsePlan, scores: Tensor? = nil
    ) -> (output: Tensor, trace: BlockSparseTrace) {
        let (q, k, v) = (operands.q, operands.k, operands.v)
        precondition(
            q.shape.count == 3 && k.shape.count == 3 && k.shape == v.shape && q.shape[2] == k.shape[2]
                && k.shape[1] > 0 && q.shape[1] % k.shape[1] == 0 && q.rows == k.rows,
            "block-sparse attention cannot take queries \(q.shape) with keys \(k.shape) and values \(v.shape)")
        precondition(
            operands.cellKeys.shape == operands.cellValues.shape
                && operands.cellKeys.shape.dropFirst() == k.shape.dropFirst()
                && operands.cellKeys.rows == plan.layout.blockOfKey.count && operands.gates.shape == [q.rows, 3],
            "cells \(operands.cellKeys.shape), \(operands.cellValues.shape), gates \(operands.gates.shape)")
        precondition(plan.best > 0 && plan.windows.queryCount == q.rows)
        let y = empty(q.shape)
        let trace = BlockSparseTrace(
            logSums: (0..<3).map { _ in empty([q.shape[0], q.shape[1]]) },
            selection: BlockSelection(layout: plan.layout, heads: k.shape[1], tokens: q.rows, best: plan.best))
        backend.blockSparseAttention(operands, plan: plan, into: y, trace: trace, scores: scores)
        let output = record(y, operands.all) { [self] dy, _ in
            let gradients = operands.all.map { empty($0.shape) }
            backend.blockSparseAttentionGradients(
                operands, plan: plan, y: y, trace: trace, dy: dy,
                into: BlockSparseOperands(
                    q: gradients[0], k: gradients[1], v: gradients[2], cellKeys: gradients[3],
                    cellValues: gradients[4], gates: gradients[5]))
            return gradients
        }
        return (output, trace)
    }
}

extension CPUBackend {
    package func blockSparseAttention(
        _ operands: BlockSparseOperands, plan: BlockSparsePlan, into y: Tensor, trace: BlockSparseTrace,
        scores: Tensor?
    ) {
        func gate(_ column: Int) -> AttentionGate { AttentionGate(gates: operands.gates, column: column) }
        // Windows hold every token once: they write the result, and the others add to it.
        attention(
            operands.q, operands.k, operands.v, plan: plan.windows, gate: gate(2), adds: false, into: y,
            logSum: trace.logSums[2])
        compressedAttention(operands, gate: gate(0), into: y, trace: trace, scores: scores)
        if plan.layout.choosesAll(best: plan.best) {
            // Then the lanes need not hold one token each, which is a waste where few heads share keys.
            attention(
                operands.q, operands.k, operands.v, plan: plan.layout.tokenPlan, gate: gate(1), adds: true, into: y,
                logSum: trace.logSums[1])
        } else {
            selectedAttention(operands, gate: gate(1), into: y, trace: trace)
        }
    }

    /// The gradients of the operands. With δ_b = Σ o_b·dy of a row: dg_b is the sum of δ_b over the heads, and a
    /// branch's gradient is that of attention with P and dS times the gate. δ of two branches takes a pass of its own over
    /// their keys, and that of the third is what is left of Σ y·dy: of the compressed branch, or where all blocks are
    /// chosen of the selected one, which then has the most keys.
    package func blockSparseAttentionGradients(
        _ operands: BlockSparseOperands, plan: BlockSparsePlan, y: Tensor, trace: BlockSparseTrace, dy: Tensor,
        into gradients: BlockSparseOperands
    ) {
        let (q, k, v) = (operands.q, operands.k, operands.v)
        let (tokens, heads) = (q.shape[0], q.shape[1])
        func gate(_ column: Int) -> AttentionGate { AttentionGate(gates: operands.gates, column: column) }
        clear([gradients.k, gradients.v, gradients.cellKeys, gradients.cellValues])
        let memory = scratch(3 * tokens * heads)
        let delta = (0..<3).map {
            Tensor(shape: [tokens, heads], storage: memory, offset: $0 * tokens * heads)
        }
        func compressed(_ delta: AttentionDelta) {
            attentionGradients(
                q, operands.cellKeys, operands.cellValues, plan: trace.selection.layout.cellPlan, gate: gate(0),
                adds: true, delta: delta, logSum: trace.logSums[0], dy: dy, dq: gradients.q, dk: gradients.cellKeys,
                dv: gradients.cellValues)
        }
        attentionGradients(
            q, k, v, plan: plan.windows, gate: gate(2), adds: false, delta: .computed(delta[2]),
            logSum: trace.logSums[2], dy: dy, dq: gradients.q, dk: gradients.k, dv: gradients.v)
        if plan.layout.choosesAll(best: plan.best) {
            compressed(.computed(delta[0]))
            gateGradients(operands.gates, delta, rest: 1, y: y, dy: dy, into: gradients.gates)
            attentionGradients(
                q, k, v, plan: plan.layout.tokenPlan, gate: gate(1), adds: true, delta: .known(delta[1]),
                logSum: trace.logSums[1], dy: dy, dq: gradients.q, dk: gradients.k, dv: gradients.v)
        } else {
            selectedAttentionGradients(
                operands, gate: gate(1), delta: .computed(delta[1]), trace: trace, dy: dy, into: gradients)
            gateGradients(operands.gates, delta, rest: 0, y: y, dy: dy, into: gradients.gates)
            compressed(.known(delta[0]))
        }
    }

    /// Fills in δ of branch `rest` from Σ y·dy and the other two, and sums each over the heads.
    private func gateGradients(
        _ gates: Tensor, _ delta: [Tensor], rest: Int, y: Tensor, dy: Tensor, into gradients: Tensor
    ) {
        let (tokens, heads, dimension) = (y.shape[0], y.shape[1], y.shape[2])
        let (a, b) = (rest == 0 ? 1 : 0, rest == 2 ? 1 : 2)
        // Reading a tensor's address counts a reference: not in the loop.
        let (left, first, second) = (delta[rest].pointer, delta[a].pointer, delta[b].pointer)
        let (factors, results, slopes, targets) = (gates.pointer, y.pointer, dy.pointer, gradients.pointer)
        let dots = kernels.row_dots
        parallelRows(tokens, columns: heads * dimension) { range in
            for token in range {
                let (g, row) = (factors + 3 * token, token * heads)
                dots(results + row * dimension, slopes + row * dimension, left + row, heads, dimension)
                var sums: (Float, Float, Float) = (0, 0, 0)
                for head in row..<row + heads {
                    // A gate that is exactly 0 leaves no trace of its branch in y.
                    left[head] =
                        g[rest] != 0 ? (left[head] - g[a] * first[head] - g[b] * second[head]) / g[rest] : 0
                    sums = (sums.0 + left[head], sums.1 + first[head], sums.2 + second[head])
                }
                let target = targets + 3 * token
                (target[rest], target[a], target[b]) = sums
            }
        }
    }

    /// Adds the compressed branch to y and fills in its selection.
    private func compressedAttention(
        _ operands: BlockSparseOperands, gate: AttentionGate, into y: Tensor, trace: BlockSparseTrace,
        scores: Tensor?
    ) {
        let selection = trace.selection
        let (layout, tokens, best) = (selection.layout, selection.tokens, selection.best)
        let chunk = AttentionChunk(operands.q, operands.cellKeys, operands.cellValues, gate: gate, adds: true)
        let units = Self.units(layout, heads: chunk.keyHeads, most: 64)
        let most = layout.items.map(\.blocks.count).max() ?? 0
        var sample = chunk.tile(head: 0, start: 0, queries: 64)
        let size = AttentionChunk.aligned(
            attentionKernels.compressed_scratch(&sample, layout.items.map(\.keys.count).max() ?? 0, most, best))
        let memory = scratch(min(threads, max(units.count, 1)) * size)
        parallel(units.count) { worker, range in
            for unit in units[range] {
                let (item, first) = (layout.items[unit.item], unit.tokens.lowerBound)
                var tile = chunk.tile(head: unit.head, start: first, queries: unit.tokens.count)
                tile.k += item.keys.lowerBound * chunk.keyHeads * chunk.dimension
                tile.v += item.keys.lowerBound * chunk.keyHeads * chunk.dimension
                let own = scores.map { _ in scratch(unit.tokens.count * item.blocks.count) }
                attentionKernels.compressed_forward(
                    &tile, item.keys.count, layout.blockOfKey.pointer + item.keys.lowerBound, item.blocks.count, best,
                    chunk.rows(of: y, unit.head, first), chunk.numbers(of: trace.logSums[0], unit.head, first),
                    selection.blocks.pointer + (unit.head * tokens + first) * best, own?.pointer,
                    memory.pointer + worker * size)
                guard let scores, let own else { continue }
                // An item with fewer blocks than the largest has shorter rows.
                for row in 0..<unit.tokens.count {
                    (scores.pointer + (unit.head * tokens + first + row) * scores.shape[2]).update(
                        from: own.pointer + row * item.blocks.count, count: item.blocks.count)
                }
            }
        }
    }

    /// Adds the selected branch to y. Chunks are large, so that many of their tokens share a block.
    private func selectedAttention(
        _ operands: BlockSparseOperands, gate: AttentionGate, into y: Tensor, trace: BlockSparseTrace
    ) {
        let selection = trace.selection
        let chunk = AttentionChunk(operands.q, operands.k, operands.v, gate: gate, adds: true)
        let most = max(128, min(2048, (selection.tokens + 7) / 8))
        let units = Self.units(selection.layout, heads: chunk.keyHeads, most: most)
        let size = selectedScratch(chunk, selection, queries: most, gradient: false)
        let memory = scratch(min(threads, max(units.count, 1)) * size)
        parallel(units.count) { worker, range in
            for unit in units[range] {
                let first = unit.tokens.lowerBound
                var tile = chunk.tile(
                    head: unit.head, start: first, queries: unit.tokens.count, order: SSDF_LANES_OF_TOKEN)
                var choice = selection.choice(item: unit.item, head: unit.head, first: first)
                attentionKernels.selected_forward(
                    &tile, &choice, chunk.rows(of: y, unit.head, first),
                    chunk.numbers(of: trace.logSums[1], unit.head, first), memory.pointer + worker * size)
            }
        }
    }

    /// Tokens are cut into at most four runs a head, each but the first with dk and dv of its own, which are added up in
    /// order.
    private func selectedAttentionGradients(
        _ operands: BlockSparseOperands, gate: AttentionGate, delta: AttentionDelta, trace: BlockSparseTrace,
        dy: Tensor, into gradients: BlockSparseOperands
    ) {
        let selection = trace.selection
        let chunk = AttentionChunk(operands.q, operands.k, operands.v, gate: gate, adds: true)
        let (dimension, keyHeads) = (chunk.dimension, chunk.keyHeads)
        let most = max(64, min(1024, (selection.tokens + 15) / 16))
        let size = selectedScratch(chunk, selection, queries: most, gradient: true)
        let memory = scratch(threads * size)
        for (index, item) in selection.layout.items.enumerated() where !item.tokens.isEmpty {
            let count = item.tokens.count
            let runs = max(1, min(4, count / 512))
            let share = count * dimension
            let partial = scratch(max(2 * (runs - 1) * keyHeads * share, 1))
            parallel(runs * keyHeads) { worker, range in
                for unit in range {
                    let (run, head) = (unit / keyHeads, unit % keyHeads)
                    var (keyGradient, valueGradient, stride) = (
                        gradients.k.pointer + head * dimension, gradients.v.pointer + head * dimension,
                        keyHeads * dimension
                    )
                    if run > 0 {
                        let own = partial.pointer + 2 * (unit - keyHeads) * share
                        own.update(repeating: 0, count: 2 * share)
                        // Blocks name tokens of the whole tensor; the shares begin at the item's first.
                        let origin = item.tokens.lowerBound * dimension
                        (keyGradient, valueGradient, stride) = (own - origin, own + share - origin, dimension)
                    }
                    let last = item.tokens.lowerBound + count * (run + 1) / runs
                    for first in Swift.stride(
                        from: item.tokens.lowerBound + count * run / runs, to: last, by: most)
                    {
                        var tile = chunk.tile(
                            head: head, start: first, queries: min(most, last - first), order: SSDF_LANES_OF_TOKEN)
                        var choice = selection.choice(item: index, head: head, first: first)
                        var gradient = chunk.gradient(
                            head: head, first, delta: delta, logSum: trace.logSums[1], dy: dy, dq: gradients.q)
                        (gradient.dk, gradient.dv) = (keyGradient, valueGradient)
                        (gradient.dk_stride, gradient.dv_stride) = (stride, stride)
                        kernels.selected_backward(&tile, &gradient, &choice, memory.pointer + worker * size)
                    }
                }
            }
            for unit in 0..<(runs - 1) * keyHeads {
                let own = partial.pointer + 2 * unit * share
                addHead(own, to: gradients.k, head: unit % keyHeads, rows: item.tokens)
                addHead(own + share, to: gradients.v, head: unit % keyHeads, rows: item.tokens)
            }
        }
    }

    private func selectedScratch(
        _ chunk: AttentionChunk, _ selection: BlockSelection, queries: Int, gradient: Bool
    ) -> Int {
        var tile = chunk.tile(head: 0, start: 0, queries: queries, order: SSDF_LANES_OF_TOKEN)
        var choice = ssdf_block_choice(
            selected: UnsafePointer(selection.blocks.pointer), best: selection.best,
            starts: UnsafePointer(selection.layout.starts.pointer),
            blocks: selection.layout.items.map(\.blocks.count).max() ?? 0)
        let measure = gradient ? kernels.selected_scratch : attentionKernels.selected_scratch
        return AttentionChunk.aligned(measure(&tile, &choice, gradient ? 1 : 0))
    }

    /// At most `most` tokens of one batch item, with one key/value head.
    private static func units(
        _ layout: BlockLayout, heads: Int, most: Int
    ) -> [(item: Int, head: Int, tokens: Range<Int>)] {
        layout.items.enumerated().flatMap { index, item in
            (0..<heads).flatMap { head in
                stride(from: item.tokens.lowerBound, to: item.tokens.upperBound, by: most).map {
                    (item: index, head: head, tokens: $0..<min($0 + most, item.tokens.upperBound))
                }
            }
        }
    }
}

extension BlockSelection {
    /// The choices of tokens from `first` on, as the kernels take them.
    fileprivate func choice(item: Int, head: Int, first: Int) -> ssdf_block_choice {
        let range = layout.items[item].blocks
        return ssdf_block_choice(
            selected: UnsafePointer(blocks.pointer + (head * tokens + first) * best), best: best,
            starts: UnsafePointer(layout.starts.pointer + range.lowerBound), blocks: range.count)
    }
}
