import SSDFNeural

extension AutoencoderTrainer {
    /// About how much memory training takes: the state, a gradient a sample, the samples, and the tape of one on each
    /// thread.
    ///
    /// Nearly all of a tape is rows of the finest level, a row a voxel and as wide as the last step of either half, and
    /// the neighbours of the voxels.
    static func estimatedBytes(
        _ config: AutoencoderTrainingConfig, _ model: SparseSDFVAEConfig, _ shapes: any ShapeSource,
        _ resolutions: [Int], threads: Int
    ) -> Int {
        var tokens = resolutions.map(shapes.largestBand).max() ?? 1
        let typical = Double(resolutions.map(shapes.typicalBand).reduce(0, +)) / Double(max(resolutions.count, 1))
        if config.crop > 0, config.cropShare >= 1 { tokens = min(tokens, config.crop * config.crop * config.crop) }
        let voxels = Double(tokens) * 512
        let width = Double(max(model.decoderChannels, model.encoderChannels))
        let isRecomputed = config.optimization.checkpointing
        let blocks = tapeBytes(
            [(model.encoderBlocks + model.decoderBlocks, Double(tokens) * width * 4, 22)],
            rest: voxels * 4 * (21 + width / 16 * (isRecomputed ? 6 : 10)), samples: 1, isRecomputed: isRecomputed)
        // Samples of many sizes leave gaps behind in the memory that is kept.
        let gaps = typical < Double(tokens) ? 1.15 : 1
        return sampleBytes * Int(typical) * config.optimization.batch
            + trainingBytes(
                parameters: ComponentConfig.sparseVAE(model).parameterCount, groups: config.optimization.batch,
                tape: gaps * blocks, config.optimization, threads: threads)
    }

    /// Bytes of a sample for each of its bricks: truth and weights of the brick's voxels, rows of the active ones.
    private static var sampleBytes: Int { 512 * 25 }

    /// About how many bytes an encoder takes on a band of so many bricks, without a tape.
    static func encodingBytes(_ model: SparseSDFVAEConfig, bricks: Int) -> Double {
        512 * Double(bricks) * (70 + 10 * Double(model.encoderChannels) / 16)
    }
}
