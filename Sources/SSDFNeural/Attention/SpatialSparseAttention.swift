import SSDFCore
import SSDFTensor

/// Spatial sparse attention: every token attends to compressed keys of the whole object, to all tokens of the few
/// blocks that those point to, and to its window; gates mix the three.
///
///     q ──┬───────────── attention ── o_cmp ─┐
///         │   ck, cv ────────┘ lse           │ g₀
///         │      ├── scores ── top blocks    │
///         ├──────┴── attention ── o_sel ─────┤ g₁      y = proj_o(g₀·o_cmp + g₁·o_sel + g₂·o_win)
///         │   k, v of the blocks             │
///         └───────── attention ── o_win ─────┘ g₂
///             k, v of the window
///
/// Compressed keys are means over cells of side c of what a small network makes of keys with a position added; the
/// score of a block is the attention that all query heads of a group pay to its cells. One key/value head serves a
/// group of query heads, which share a selection. What each branch sees of a surface, ● the token itself:
///
///       compressed: every cell        selected: whole blocks,        window: the tokens
///       of the object, as one key     wherever the scores point      around the token
///     ┌───┬───┬───┬───┐             ┌───┬───┬───┬───┐              ┌───┬───┬───┬───┐
///     │   │ ◦ │ ◦ │   │             │   │:::│:::│   │              │   │   │   │   │
///     ├───┼───┼───┼───┤             ├───┼───┼───┼───┤              ├─╔═══╗─┼───┼───┤
///     │ ◦ │ ● │   │ ◦ │             │   │:●:│   │   │              │ ║ ● ║ │   │   │
///     ├───┼───┼───┼───┤             ├───┼───┼───┼───┤              ├─╚═══╝─┼───┼───┤
///     │ ◦ │   │   │ ◦ │             │:::│   │   │   │              │   │   │   │   │
///     └───┴───┴───┴───┘             └───┴───┴───┴───┘              └───┴───┴───┴───┘
///
/// | paper and SPEC | here |
/// |---|---|
/// | q, k, v | `query`, `key`, `value` of the tokens |
/// | φ, the compression of a block, with its position | `BlockCompression`, `position` |
/// | ck, cv | `BlockSparseOperands.cellKeys`, `cellValues` |
/// | s^cmp, lse; p summed over a group; top-k I_t | `compressed_forward` in neural/selection.h |
/// | o_sel over the tokens of I_t | `selected_forward` there, queries grouped by block |
/// | o_win | `attention_forward` in neural/attention.h over `WindowPartition.plan` |
/// | ω, the gates g₀ g₁ g₂ | `gate`, applied where each branch's softmax is divided by its sum |
///
/// One streaming kernel does all three: a chunk of queries waits in cache, transposed, with the running maximum and sum
/// of its softmax; keys come block by block; and the queries that want a block absorb it. The branches differ only in
/// who wants what. The compressed branch keeps the exponentials of four heads of sixteen tokens at a time, so that the
/// scores of blocks come from the product that the softmax needed anyway; nothing of size tokens × cells exists.
/// Going back, scores are computed again from the recorded logarithms of the sums. Of Σ o_b·dy, which the gradients of
/// branch and gate need, two take a pass over the few keys of window and blocks, and the third is what is left of
/// Σ y·dy: no branch's result is ever kept.
///
/// Source: Wu et al., "Direct3D-S2: Gigascale 3D Generation Made Easy with Spatial Sparse Attention", 2025, §3.2; the
/// branches follow Yuan et al., "Native Sparse Attention", 2025; the exact mathematics, with what released networks
/// depend on, is SPEC §5.
package struct SpatialSparseAttention: Sendable {
    /// The sizes of the layer, and which variant of it.
    package struct Options: Sendable, Equatable {
        /// Width of a token.
        package var channels: Int
        /// Heads of the queries: a multiple of `keyHeads`, whose keys a group of them shares.
        package var queryHeads: Int
        /// Heads of keys and values.
        package var keyHeads: Int
        /// Width of a head.
        package var headDimension: Int
        /// Side of a compression cell, c.
        package var compressionSize = 8
        /// Side of a selection block, S: a multiple of c.
        package var selectionSize = 8
        /// Blocks selected for each token.
        package var best = 8
        /// Side of a window, in tokens.
        package var windowSize = 8
        /// Tokens by which windows are moved along every axis.
        package var windowShift = 0
        /// How the keys and values of a cell become one.
        package var compression = BlockCompression.Version.pooled

        /// The sizes that are given, and those of the released networks.
        package init(channels: Int, queryHeads: Int, keyHeads: Int, headDimension: Int) {
            self.channels = channels
            self.queryHeads = queryHeads
            self.keyHeads = keyHeads
            self.headDimension = headDimension
        }
    }

    /// What a forward pass went through; for tests.
    package struct Trace {
        /// Where the tokens are.
        package var coordinates: CoordinateSet
        /// Queries, keys, values and gates.
        package var operands: BlockSparseOperands
        /// Which tokens and blocks were joined.
        package var plan: BlockSparsePlan
        /// Where the compression cells are.
        package var compressedCoordinates: CoordinateSet
        /// What the three branches made of them.
        package var core: BlockSparseTrace
    }

    /// The sizes of the layer.
    package let options: Options
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let gate: Linear
    let position: Parameter
    let compressedKey: BlockCompression
    let compressedValue: BlockCompression

    /// - Throws: `badData` when sizes do not fit each other, or from the source.
    package init(_ source: ParameterSource, _ options: Options) throws(Failure) {
        guard options.keyHeads > 0, options.queryHeads % options.keyHeads == 0 else {
            throw .badData(
                "\(options.queryHeads) query heads with \(options.keyHeads) key/value heads",
                expected: "a multiple of the key/value heads")
        }
        guard options.compressionSize > 0, options.selectionSize % options.compressionSize == 0, options.best > 0
        else {
            throw .badData(
                "selection blocks of \(options.selectionSize) over cells of \(options.compressionSize)",
                expected: "a multiple")
        }
        self.options = options
        let (queries, keys) = (options.queryHeads * options.headDimension, options.keyHeads * options.headDimension)
        let channels = options.channels
        query = try Linear(source.scoped("proj_q"), inputs: channels, outputs: queries, hasBias: false)
        key = try Linear(source.scoped("proj_k"), inputs: channels, outputs: keys, hasBias: false)
        value = try Linear(source.scoped("proj_v"), inputs: channels, outputs: keys, hasBias: false)
        output = try Linear(source.scoped("proj_o"), inputs: queries, outputs: channels, hasBias: false)
        gate = try Linear(source.scoped("gate.0"), inputs: channels, outputs: 3, hasBias: false)
        let c = options.compressionSize
        position = try source.parameter("intra_block_pe", [c, c, c, keys])
        compressedKey = try BlockCompression(
            source.scoped("compression_key"), channels: keys, size: c, version: options.compression)
        compressedValue = try BlockCompression(
            source.scoped("compression_value"), channels: keys, size: c, version: options.compression)
    }

    /// Features of the same tokens.
    /// - Throws: as `traced(_:_:)`.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) throws(Failure) -> SparseTensor {
        try traced(x, compute).output
    }

    /// The result and what led to it. Tokens that are not sorted by block are sorted, and the result put back.
    package func traced(
        _ x: SparseTensor, _ compute: Compute
    ) throws(Failure) -> (output: SparseTensor, trace: Trace) {
        let order = try x.coordinates.blockOrder(size: options.selectionSize)
        guard let permutation = order.permutation, let inverse = order.inverse else { return attend(x, compute) }
        let sorted = SparseTensor(
            features: compute.gather(x.features, permutation), coordinates: order.coordinates)
        let (y, trace) = attend(sorted, compute)
        return (x.with(compute.gather(y.features, inverse)), trace)
    }

    private func attend(_ x: SparseTensor, _ compute: Compute) -> (output: SparseTensor, trace: Trace) {
        let tokens = x.count
        let o = options
        let layout = x.coordinates.blockLayout(size: o.selectionSize, cell: o.compressionSize)
        let q = compute.reshape(query(x.features, compute), [tokens, o.queryHeads, o.headDimension])
        let flatKeys = key(x.features, compute)
        let flatValues = value(x.features, compute)
        let k = compute.reshape(flatKeys, [tokens, o.keyHeads, o.headDimension])
        let v = compute.reshape(flatValues, [tokens, o.keyHeads, o.headDimension])

        // Compression: keys know where in their cell they are, values do not.
        let c = o.compressionSize
        let table = compute.reshape(position.value, [c * c * c, o.keyHeads * o.headDimension])
        let placed = compute.add(flatKeys, compute.gather(table, x.coordinates.placesInCells(size: c)))
        let cells = compressedKey(x.with(placed), compute)
        let cellShape = [cells.count, o.keyHeads, o.headDimension]
        let ck = compute.reshape(cells.features, cellShape)
        let cv = compute.reshape(compressedValue(x.with(flatValues), compute).features, cellShape)

        let operands = BlockSparseOperands(
            q: q, k: k, v: v, cellKeys: ck, cellValues: cv, gates: compute.apply(.sigmoid, gate(x.features, compute)))
        let plan = BlockSparsePlan(
            layout: layout, windows: x.coordinates.windows(size: o.windowSize, shift: o.windowShift).plan,
            best: o.best)
        let (mixed, core) = compute.blockSparseAttention(operands, plan: plan)
        let y = output(compute.reshape(mixed, [tokens, o.queryHeads * o.headDimension]), compute)
        let trace = Trace(
            coordinates: x.coordinates, operands: operands, plan: plan, compressedCoordinates: cells.coordinates,
            core: core)
        return (x.with(y), trace)
    }
}
