import SSDFCore
import Synchronization

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
    /// Every token with every compressed key of its item.
    package let cellPlan: AttentionPlan
    /// Every token with every token of its item.
    package let tokenPlan: AttentionPlan
    let deviceForm = DeviceForm()

    package init(items: [Item], starts: consuming Buffer<Int32>, blockOfKey: consuming Buffer<Int32>) {
        cellPlan = AttentionPlan(queries: items.map(\.tokens), keys: items.map(\.keys))
        tokenPlan = AttentionPlan(queries: items.map(\.tokens), keys: items.map(\.tokens))
        self.items = items
        self.starts = starts
        self.blockOfKey = blockOfKey
    }

    /// Whether each item has so few blocks that all are chosen, whatever their scores.
    func choosesAll(best: Int) -> Bool { items.allSatisfy { $0.blocks.count <= best } }
}

/// The blocks that every token attends to, for each key/value head.
package final class BlockSelection: Sendable {
    package let layout: BlockLayout
    package let heads: Int
    package let tokens: Int
    /// Blocks chosen at most.
    package let best: Int
    private let chosen: Buffer<Int32>
    /// The choice in a device's memory, when it was made there.
    let deviceForm = DeviceForm()
    private let isMissing = Mutex<Bool>(false)

    /// `[heads, tokens, best]`: blocks of the token's item, ascending, −1 where there are no more.
    package var blocks: Buffer<Int32> {
        _read {
            fetch()
            yield chosen
        }
    }

    init(layout: BlockLayout, heads: Int, tokens: Int, best: Int) {
        self.layout = layout
        self.heads = heads
        self.tokens = tokens
        self.best = best
        chosen = Buffer(uninitialized: heads * tokens * best)
    }

    /// Says that the choice lies on a device.
    func noteChoice(on array: DeviceArray) {
        _ = deviceForm.get { array }
        isMissing.withLock { $0 = true }
    }

    private func fetch() {
        isMissing.withLock {
            guard $0, let array: DeviceArray = deviceForm.known() else { return }
            array.read(into: chosen.pointer, count: chosen.count)
            $0 = false
        }
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
