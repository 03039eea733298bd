import SSDFCore
import SSDFTensor

extension CoordinateSet {
    /// Builds what a transformer derives from the set, so that it is there when the transformer runs: on another thread,
    /// while a device works.
    package func prepare(for options: SparseDiffusionTransformer.Options) throws(Failure) {
        let attention = options.attention
        let sorted = try blockOrder(size: attention.selectionSize).coordinates
        _ = sorted.blockLayout(size: attention.selectionSize, cell: attention.compressionSize)
        _ = sorted.placesInCells(size: attention.compressionSize)
        for shift in [0, attention.windowSize / 2] { _ = sorted.windows(size: attention.windowSize, shift: shift) }
    }
}
