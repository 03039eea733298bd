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
/// group of query heads, which share a selection.
///
/// Source: Wu et al., "Direct3D-S2: Gigascale 3D Generation Made Easy with Spatial Sparse Attention", 2025, §3.2;
/// the exact mathematics, with what released networks depend on, is SPEC §5.
package struct SpatialSparseAttention: Sendable {
    package struct Options: Sendable, Equatable {
        package var channels: Int
        package var queryHeads: Int
        package var keyHeads: Int
        package var headDimension: Int
        /// Side of a compression cell, c.
        package var compressionSize = 8
        /// Side of a selection block, S: a multiple of c.
        package var selectionSize = 8
        /// Blocks selected for each token.
        package var best = 8
        package var windowSize = 8
        package var windowShift = 0
        package var compression = BlockCompression.Version.pooled

        package init(channels: Int, queryHeads: Int, keyHeads: Int, headDimension: Int) {
            self.channels = channels
            self.queryHeads = queryHeads
            self.keyHeads = keyHeads
            self.headDimension = headDimension
        }
    }

    /// What a forward pass went through; for tests.
    package struct Trace {
        package var compressedKeys: Tensor
        package var compressedValues: Tensor
        package var compressedCoordinates: CoordinateSet
        package var logSum: Tensor
        package var selection: BlockSelection
        package var gates: Tensor
        /// Compressed, selected, window.
        package var branches: [Tensor]
    }

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

        let toCells = AttentionPlan(queries: x.coordinates.layout, keys: cells.coordinates.layout)
        let (compressed, logSum) = compute.attentionWithLogSum(q, ck, cv, plan: toCells)
        let selection = compute.selectBlocks(q, keys: ck, logSum: logSum, layout: layout, best: o.best)
        let selected = compute.attention(q, k, v, selection: selection)
        let windows = x.coordinates.windows(size: o.windowSize, shift: o.windowShift)
        let local = compute.attention(q, k, v, plan: windows.plan)

        let gates = compute.apply(.sigmoid, gate(x.features, compute))
        let branches = [compressed, selected, local]
        var mixed: Tensor?
        for (index, branch) in branches.enumerated() {
            let flat = compute.reshape(branch, [tokens, o.queryHeads * o.headDimension])
            let weight = compute.reshape(compute.columns(gates, index..<index + 1), [tokens])
            let part = compute.multiply(flat, weight, broadcast: .column)
            mixed = mixed.map { compute.add($0, part) } ?? part
        }
        let y = x.with(output(mixed!, compute))
        let trace = Trace(
            compressedKeys: ck, compressedValues: cv, compressedCoordinates: cells.coordinates, logSum: logSum,
            selection: selection, gates: gates, branches: branches)
        return (y, trace)
    }
}
