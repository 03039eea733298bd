import SSDFCore
import SSDFTensor

/// What a pass of a network takes, counted before its weights are read: floating-point operations of its layers as they
/// are defined, and the most bytes in use at one time.
///
/// Weights are f32 in memory, and beside that packed as bf16 where products are of that precision.
extension ComponentConfig {
    /// Bytes of the weights of all tensors.
    fileprivate func weightBytes(_ precision: Precision) -> Int {
        let (all, matrices) = expectedTensors.reduce((0, 0)) { sum, tensor in
            let count = tensor.shape.reduce(1, *)
            return (sum.0 + count, sum.1 + (tensor.shape.count > 1 ? count : 0))
        }
        return 4 * all + (precision.usesBrainFloat ? 2 * matrices : 0)
    }
}

extension NetworkCost {
    /// The same done over and over, in the same memory.
    func repeated(_ times: Int) -> NetworkCost {
        var copy = self
        copy.operations *= Double(times)
        copy.performed *= Double(times)
        return copy
    }
}

/// Bytes of a transformer block at its most, beside its weights: of rows, and of weights laid out for a product.
///
/// Rows: what came in, the stream, its norm, and queries, what attention made of them, and the result, with a half for
/// what is narrow; where the operands of attention are one product (`splits`), that before and after it is taken apart;
/// or twice the hidden layer where it is stored. The pool rounds sizes up by a sixteenth on average.
private func blockBytes(rows: Int, channels: Int, hidden: Int, splits: Bool, tiled: Bool) -> Int {
    let stored = tiled ? 0 : 3 * channels + 2 * hidden
    return 4 * rows * max(stored, (splits ? 20 : 15) * channels / 2) / 16 * 17
        + 4 * (tiled ? 2 : 1) * channels * hidden
}

extension DinoEncoderConfig {
    /// Of one picture.
    package func cost(_ precision: Precision) -> NetworkCost {
        let across = size / patchSize
        let tokens = 1 + registerTokens + across * across
        let (n, c) = (Double(tokens), Double(embedDim))
        var cost = NetworkCost()
        let layers = 2 * n * 12 * c * c + 4 * n * n * c
        cost.operations = Double(depth) * layers + 2 * n * c * Double(3 * patchSize * patchSize)
        cost.performed = cost.operations
        let picture = 4 * 3 * size * size
        cost.bytes =
            NetworkCost.program + ComponentConfig.imageEncoder(self).weightBytes(precision) + 3 * picture
            + blockBytes(rows: tokens, channels: embedDim, hidden: 4 * embedDim, splits: true, tiled: false)
        return cost
    }
}

extension DenseDiTConfig {
    /// Of one pass over `items` volumes, with `context` image tokens each.
    package func cost(items: Int, context: Int, _ precision: Precision) -> NetworkCost {
        let (n, c, l) = (Double(tokenCount), Double(modelChannels), Double(context))
        let own = 2 * n * 4 * c * c + 4 * n * n * c
        let cross = 2 * n * 2 * c * c + 2 * l * 2 * c * Double(condChannels) + 4 * n * l * c
        let block = own + cross + 4 * n * c * Double(hiddenChannels) + (shareMod ? 0 : 12 * c * c)
        var cost = NetworkCost()
        let ends = 2 * n * c * Double((inChannels + outChannels) * patchVolume)
        cost.operations = Double(items) * (Double(numBlocks) * block + ends)
        cost.performed = cost.operations
        let rows = items * tokenCount
        cost.bytes =
            NetworkCost.program + ComponentConfig.denseDiT(self).weightBytes(precision)
            + blockBytes(
                rows: rows, channels: modelChannels, hidden: hiddenChannels, splits: true,
                tiled: precision.tilesFeedForward(rows: rows))
            + 4 * items * context * (condChannels + 4 * modelChannels)
        return cost
    }
}

extension DenseShapeVAEConfig {
    /// Of decoding one latent of `side` cells.
    package func cost(side: Int, _ precision: Precision) -> NetworkCost {
        var cost = NetworkCost()
        var most = 0
        var weights = 0
        for (level, width) in decoderChannels.enumerated() {
            let voxels = (side << level) * (side << level) * (side << level)
            let convolution = 2 * Double(voxels) * 27 * Double(width)
            let blocks = decoderResBlocks + (level == 0 ? decoderMiddleBlocks : 0)
            cost.operations += convolution * Double(2 * blocks * width)
            weights += 54 * blocks * width * width
            let next = level + 1 < decoderChannels.count ? 8 * decoderChannels[level + 1] : outChannels
            cost.operations += convolution * Double(next)
            weights += 27 * width * next
            // The stream, its norm, its activation and a convolution's result; or a level's end and what is made of it.
            let copied = precision.roundsRows ? 2 * voxels * width : 0
            most = max(most, 4 * voxels * max(4 * width, width + 2 * next) + copied)
        }
        cost.performed = cost.operations
        cost.bytes = NetworkCost.program + 4 * weights + most
        return cost
    }
}

extension SparseDiTConfig {
    /// Of one pass over the tokens at `coordinates`, with `context` image tokens an item.
    package func cost(_ coordinates: CoordinateSet, context: Int, _ precision: Precision) -> NetworkCost {
        let items = coordinates.layout.count
        let (n, c, kv, l) = (
            Double(coordinates.count), Double(modelChannels), Double(kvChannels), Double(items * context)
        )
        // Scores: of windows, of cells, and of the blocks that a token selects, taken to be of average size.
        let windows = Double(coordinates.windows(size: windowSize, shift: 0).plan.scoreCount)
        let cells = coordinates.coarser(by: compressionBlockSize).set
        let blocks = coordinates.coarser(by: selectionBlockSize).set
        var scores = windows
        for item in 0..<items {
            let tokens = Double(coordinates.layout[item].count)
            let own = Double(blocks.layout[item].count)
            scores += tokens * Double(cells.layout[item].count) + tokens * min(Double(topk), own) * tokens / own
        }
        let attention = 4 * n * c * c + 4 * n * c * kv + 6 * n * c + 4 * n * kv * kv + 4 * scores * c
        let cross = 4 * n * c * c + 4 * l * c * Double(condChannels) + 4 * n * (l / Double(items)) * c
        let modulation = shareMod ? 0 : 12 * Double(items) * c * c
        var cost = NetworkCost()
        cost.operations =
            Double(numBlocks) * (attention + cross + 4 * n * c * Double(hiddenChannels) + modulation)
            + 2 * n * c * Double(inChannels + outChannels)
        cost.performed = cost.operations
        let rows = coordinates.count
        cost.bytes =
            NetworkCost.program + ComponentConfig.sparseDiT(self).weightBytes(precision)
            + blockBytes(
                rows: rows, channels: modelChannels, hidden: hiddenChannels, splits: false,
                tiled: precision.tilesFeedForward(rows: rows))
            + 4 * rows * (4 * inChannels + 3 * numHeads + 32) + 4 * items * context * (condChannels + 4 * modelChannels)
        return cost
    }
}
