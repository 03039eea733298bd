import CSSDFKernels
import SSDFCore

/// Tokens in blocks, and the compressed keys that stand for them: what block-sparse attention chooses from.
///
/// Tokens of a block are consecutive; blocks of a batch item are numbered from 0 in that order.
package final class BlockLayout: Sendable {
    /// One batch item.
    package struct Item: Sendable {
        package var tokens: Range<Int>
        /// Rows of the compressed keys.
        package var keys: Range<Int>
        /// Places in `starts`: block b of the item holds tokens `starts[blocks.lowerBound + b] ..< starts[… + 1]`.
        package var blocks: Range<Int>

        package init(tokens: Range<Int>, keys: Range<Int>, blocks: Range<Int>) {
            self.tokens = tokens
            self.keys = keys
            self.blocks = blocks
        }
    }

    package let items: [Item]
    /// `[blocks + 1]`: first token of each block, and the number of tokens.
    package let starts: Buffer<Int32>
    /// `[compressed keys]`: block of each, counted in its item.
    package let blockOfKey: Buffer<Int32>

    package init(items: [Item], starts: consuming Buffer<Int32>, blockOfKey: consuming Buffer<Int32>) {
        self.items = items
        self.starts = starts
        self.blockOfKey = blockOfKey
    }
}

/// The blocks that every token attends to, for each key/value head.
package final class BlockSelection: Sendable {
    package let layout: BlockLayout
    package let heads: Int
    package let tokens: Int
    /// Blocks chosen at most.
    package let best: Int
    /// `[heads, tokens, best]`: blocks of the token's item, ascending, −1 where there are no more.
    package let blocks: Buffer<Int32>

    init(layout: BlockLayout, heads: Int, tokens: Int, best: Int) {
        self.layout = layout
        self.heads = heads
        self.tokens = tokens
        self.best = best
        blocks = Buffer(uninitialized: heads * tokens * best)
    }

    /// Scores that the selection leads to, over all heads of `group` query heads: for counting flops.
    package func scoreCount(group: Int) -> Int {
        var total = 0
        for head in 0..<heads {
            for item in layout.items {
                for token in item.tokens {
                    for place in 0..<best {
                        let block = Int(blocks.pointer[(head * tokens + token) * best + place])
                        guard block >= 0 else { break }
                        let start = item.blocks.lowerBound + block
                        total += Int(layout.starts.pointer[start + 1] - layout.starts.pointer[start])
                    }
                }
            }
        }
        return total * group
    }
}

extension Compute {
    /// The `best` blocks of every token and key/value head, by the attention that the heads of its group together pay
    /// to the compressed keys of each block (SPEC §5, steps 4 and 5). A constant: nothing flows back through it.
    /// - Parameters:
    ///   - q: `[T, Hq, D]`
    ///   - keys: `[M, Hkv, D]`, compressed
    ///   - logSum: `[T, Hq]`, of attention to those keys.
    ///   - scores: `[Hkv, T, blocks]` takes the scores, for tests; one batch item only.
    package func selectBlocks(
        _ q: Tensor, keys: Tensor, logSum: Tensor, layout: BlockLayout, best: Int, scores: Tensor? = nil
    ) -> BlockSelection {
        precondition(best > 0 && q.shape.count == 3 && keys.shape.count == 3 && q.shape[2] == keys.shape[2])
        return backend.selectBlocks(q, keys: keys, logSum: logSum, layout: layout, best: best, scores: scores)
    }

    /// Attention of every token to exactly the tokens of its selected blocks.
    /// - Parameters:
    ///   - q: `[T, Hq, D]`
    ///   - k: `[T, Hkv, D]`
    ///   - v: `[T, Hkv, D]`
    /// - Returns: `[T, Hq, D]`
    package func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, selection: BlockSelection) -> Tensor {
        precondition(
            q.rows == selection.tokens && k.shape[1] == selection.heads && k.shape == v.shape,
            "a selection for \(selection.tokens) tokens and \(selection.heads) heads got \(q.shape) and \(k.shape)")
        let y = empty(q.shape)
        let logSum = empty([q.shape[0], q.shape[1]])
        backend.selectedAttention(q, k, v, selection: selection, into: y, logSum: logSum)
        return record(y, [q, k, v]) { [self] dy, _ in
            let (dq, dk, dv) = (empty(q.shape), empty(k.shape), empty(v.shape))
            backend.selectedAttentionGradients(
                q, k, v, selection: selection, y: y, logSum: logSum, dy: dy, dq: dq, dk: dk, dv: dv)
            return [dq, dk, dv]
        }
    }
}

extension CPUBackend {
    package func selectBlocks(
        _ q: Tensor, keys: Tensor, logSum: Tensor, layout: BlockLayout, best: Int, scores: Tensor?
    ) -> BlockSelection {
        let (tokens, heads, dimension) = (q.shape[0], q.shape[1], q.shape[2])
        let keyHeads = keys.shape[1]
        let group = heads / keyHeads
        let selection = BlockSelection(layout: layout, heads: keyHeads, tokens: tokens, best: best)
        let chunk = 256
        let units = layout.items.flatMap { item in
            (0..<keyHeads).flatMap { head in
                stride(from: item.tokens.lowerBound, to: item.tokens.upperBound, by: chunk).map {
                    (item: item, head: head, tokens: $0..<min($0 + chunk, item.tokens.upperBound))
                }
            }
        }
        let most = layout.items.map(\.blocks.count).max() ?? 0
        let scratchSize = kernels.select_scratch(dimension, most, best)
        let memory = scratch(min(threads, max(units.count, 1)) * scratchSize)
        parallel(units.count) { worker, range in
            for unit in units[range] {
                let first = unit.tokens.lowerBound
                var tile = ssdf_attention(
                    q: UnsafePointer(q.pointer + (first * heads + unit.head * group) * dimension),
                    k: UnsafePointer(keys.pointer + (unit.item.keys.lowerBound * keyHeads + unit.head) * dimension),
                    v: UnsafePointer(keys.pointer), q_stride: heads * dimension, k_stride: keyHeads * dimension,
                    v_stride: 0, out_stride: 0, lse_stride: heads, group: group, dimension: dimension,
                    scale: 1 / Float(dimension).squareRoot())
                kernels.block_select(
                    &tile, logSum.pointer + first * heads + unit.head * group, unit.tokens.count,
                    unit.item.keys.count, layout.blockOfKey.pointer + unit.item.keys.lowerBound,
                    unit.item.blocks.count, best,
                    selection.blocks.pointer + (unit.head * tokens + first) * best,
                    scores.map { $0.pointer + (unit.head * tokens + first) * unit.item.blocks.count },
                    memory.pointer + worker * scratchSize)
            }
        }
        return selection
    }

    /// Query heads of a group fill the lanes, so one token at a time keeps them busy; its keys are named by a list.
    package func selectedAttention(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, selection: BlockSelection, into y: Tensor, logSum: Tensor
    ) {
        let (heads, dimension) = (q.shape[1], q.shape[2])
        let keyHeads = k.shape[1]
        let group = heads / keyHeads
        let layout = selection.layout
        let size = kernels.attention_scratch(dimension)
        let memory = scratch(threads * size)
        for item in layout.items {
            let longest = longestList(item, selection)
            let lists = Buffer<Int32>(uninitialized: threads * max(longest, 1))
            let listPointer = lists.pointer
            parallel(item.tokens.count, grain: 64) { worker, range in
                let list = listPointer + worker * max(longest, 1)
                for head in 0..<keyHeads {
                    for place in range {
                        let token = item.tokens.lowerBound + place
                        let count = listKeys(token, head, item, selection, list)
                        var tile = selectionTile(q, k, v, head: head)
                        tile.q += token * heads * dimension
                        kernels.attention_forward(
                            &tile, nil, 1, list, count,
                            y.pointer + (token * heads + head * group) * dimension,
                            logSum.pointer + token * heads + head * group, memory.pointer + worker * size)
                    }
                }
            }
        }
    }

    /// As the gradient of attention. Tokens are cut into at most eight runs a head, each with dk and dv of its own,
    /// which are added up in order.
    package func selectedAttentionGradients(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, selection: BlockSelection, y: Tensor, logSum: Tensor, dy: Tensor,
        dq: Tensor, dk: Tensor, dv: Tensor
    ) {
        let (heads, dimension) = (q.shape[1], q.shape[2])
        let keyHeads = k.shape[1]
        let group = heads / keyHeads
        let layout = selection.layout
        let size = kernels.attention_scratch(dimension)
        let memory = scratch(threads * size)
        for tensor in [dk, dv] {
            parallelRows(tensor.count, columns: 1) { range in
                (tensor.pointer + range.lowerBound).update(repeating: 0, count: range.count)
            }
        }
        for item in layout.items where !item.tokens.isEmpty {
            let count = item.tokens.count
            let runs = max(1, min(8, count / 256))
            let longest = max(longestList(item, selection), 1)
            let lists = Buffer<Int32>(uninitialized: threads * longest)
            let listPointer = lists.pointer
            let share = count * dimension
            let partial = scratch(2 * runs * keyHeads * share)
            parallel(runs * keyHeads) { worker, range in
                let list = listPointer + worker * longest
                for unit in range {
                    let (run, head) = (unit / keyHeads, unit % keyHeads)
                    let own = partial.pointer + 2 * unit * share
                    own.update(repeating: 0, count: 2 * share)
                    // Lists name tokens of the whole tensor; the shares begin at the item's first.
                    let origin = item.tokens.lowerBound * dimension
                    for place in count * run / runs..<count * (run + 1) / runs {
                        let token = item.tokens.lowerBound + place
                        let keys = listKeys(token, head, item, selection, list)
                        var tile = selectionTile(q, k, v, head: head)
                        let shift = (token * heads + head * group) * dimension
                        tile.q += token * heads * dimension
                        var gradient = ssdf_attention_gradient(
                            out: UnsafePointer(y.pointer + shift), dout: UnsafePointer(dy.pointer + shift),
                            lse: UnsafePointer(logSum.pointer + token * heads + head * group),
                            dq: dq.pointer + shift, dk: own - origin, dv: own + share - origin,
                            dq_stride: heads * dimension, dk_stride: dimension, dv_stride: dimension)
                        kernels.attention_backward(
                            &tile, &gradient, nil, 1, list, keys, memory.pointer + worker * size)
                    }
                }
            }
            parallelRows(count, columns: 2 * runs * keyHeads * dimension) { range in
                for unit in 0..<runs * keyHeads {
                    let own = partial.pointer + 2 * unit * share
                    for row in range {
                        let target = ((item.tokens.lowerBound + row) * keyHeads + unit % keyHeads) * dimension
                        for d in 0..<dimension {
                            dk.pointer[target + d] += own[row * dimension + d]
                            dv.pointer[target + d] += own[share + row * dimension + d]
                        }
                    }
                }
            }
        }
    }

    /// Writes the tokens of a token's selected blocks to `list`, ascending, and returns their number.
    private func listKeys(
        _ token: Int, _ head: Int, _ item: BlockLayout.Item, _ selection: BlockSelection,
        _ list: UnsafeMutablePointer<Int32>
    ) -> Int {
        let chosen = selection.blocks.pointer + (head * selection.tokens + token) * selection.best
        let starts = selection.layout.starts.pointer + item.blocks.lowerBound
        var count = 0
        for place in 0..<selection.best {
            let block = Int(chosen[place])
            guard block >= 0 else { break }
            for key in starts[block]..<starts[block + 1] {
                list[count] = key
                count &+= 1
            }
        }
        return count
    }

    /// No list of the item is longer than this: its `best` largest blocks.
    private func longestList(_ item: BlockLayout.Item, _ selection: BlockSelection) -> Int {
        let starts = selection.layout.starts.pointer
        let lengths = item.blocks.map { Int(starts[$0 + 1] - starts[$0]) }.sorted(by: >)
        return lengths.prefix(selection.best).reduce(0, +)
    }

    private func selectionTile(_ q: Tensor, _ k: Tensor, _ v: Tensor, head: Int) -> ssdf_attention {
        let (heads, keyHeads, dimension) = (q.shape[1], k.shape[1], q.shape[2])
        return ssdf_attention(
            q: UnsafePointer(q.pointer + head * (heads / keyHeads) * dimension),
            k: UnsafePointer(k.pointer + head * dimension), v: UnsafePointer(v.pointer + head * dimension),
            q_stride: heads * dimension, k_stride: keyHeads * dimension, v_stride: keyHeads * dimension,
            out_stride: heads * dimension, lse_stride: heads, group: heads / keyHeads, dimension: dimension,
            scale: 1 / Float(dimension).squareRoot())
    }
}
