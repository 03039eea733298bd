import SSDFCore

/// For every tap of a sparse convolution, which input row meets which output row.
///
/// Output rows are cut into tiles of `tileRows` consecutive rows; the pairs of one tile and tap lie together, in
/// ascending output row, so that a tile of results stays in cache while all taps add to it. About 6 bytes a pair.
package final class KernelMap: Sendable {
    /// Output rows of a tile.
    package static let tileRows = 512

    /// Rows that are read.
    package let inputRows: Int
    /// Rows that are written.
    package let outputRows: Int
    /// Taps of the kernel, 27 for a side of 3.
    package let taps: Int
    /// Tap t of output o reads input i exactly when tap taps−1−t of output i reads input o: a submanifold convolution.
    package let isSymmetric: Bool

    /// Pairs of (tile, tap) are `starts[tile·taps + tap] ..< starts[tile·taps + tap + 1]`.
    let starts: Buffer<Int>
    /// Input row of each pair.
    let inputs: Buffer<Int32>
    /// Output row of each pair, counted from the tile's first.
    let outputs: Buffer<UInt16>

    /// Takes ownership of pairs that satisfy the invariants.
    package init(
        inputRows: Int, outputRows: Int, taps: Int, isSymmetric: Bool, starts: consuming Buffer<Int>,
        inputs: consuming Buffer<Int32>, outputs: consuming Buffer<UInt16>
    ) {
        let tiles = (outputRows + Self.tileRows - 1) / Self.tileRows
        precondition(starts.count == tiles * taps + 1 && starts.pointer[tiles * taps] == inputs.count)
        precondition(inputs.count == outputs.count)
        self.inputRows = inputRows
        self.outputRows = outputRows
        self.taps = taps
        self.isSymmetric = isSymmetric
        self.starts = starts
        self.inputs = inputs
        self.outputs = outputs
    }

    /// Tiles of output rows.
    package var tiles: Int { (outputRows + Self.tileRows - 1) / Self.tileRows }

    /// Pairs of all taps: a convolution does `2 · pairs · Cin · Cout` floating-point operations.
    package var pairCount: Int { inputs.count }

    /// Output rows of a tile.
    func rows(ofTile tile: Int) -> Range<Int> {
        tile * Self.tileRows..<min((tile + 1) * Self.tileRows, outputRows)
    }

    /// Pairs of a tile and tap, as positions in `inputs` and `outputs`.
    func pairs(tile: Int, tap: Int) -> Range<Int> {
        starts.pointer[tile * taps + tap]..<starts.pointer[tile * taps + tap + 1]
    }
}
