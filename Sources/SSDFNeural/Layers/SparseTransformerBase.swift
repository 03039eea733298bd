import SSDFCore
import SSDFTensor

/// A linear layer, sines of the positions, and blocks with windows of 8 that are shifted by 4 in every second one
/// (SPEC §7). Parameters `input_layer.*`, `blocks.i.*`.
package struct SparseTransformerBase: Sendable {
    let input: Linear
    let embedding: PositionEmbedding
    let blocks: [SparseTransformerBlock]

    /// - Parameters:
    /// - ratio: width of the hidden layers over `channels`.
    /// - windowSize: side of a window, in tokens.
    /// - Throws: what the source throws.
    package init(
        _ source: ParameterSource, inputs: Int, channels: Int, blocks count: Int, heads: Int, ratio: Double = 4,
        windowSize: Int = 8
    ) throws(Failure) {
        input = try Linear(source.scoped("input_layer"), inputs: inputs, outputs: channels)
        embedding = PositionEmbedding(channels: channels)
        var blocks: [SparseTransformerBlock] = []
        for index in 0..<count {
            blocks.append(
                try SparseTransformerBlock(
                    source.scoped("blocks.\(index)"), channels: channels, heads: heads, ratio: ratio,
                    extent: .windowed(size: windowSize, shift: windowSize / 2 * (index % 2))))
        }
        self.blocks = blocks
    }

    /// - Parameter finished: told each block as it is done.
    package func callAsFunction(
        _ x: SparseTensor, _ compute: Compute, finished: (_ block: Int) -> Void = { _ in }
    ) -> SparseTensor {
        var h = x.with(compute.add(input(x.features, compute), embedding(x.coordinates, compute)))
        for (index, block) in blocks.enumerated() {
            h = compute.segment(h) { block($0, compute) }
            finished(index)
        }
        return h
    }
}
