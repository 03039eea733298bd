import SSDFCore
import SSDFTensor

/// Signed distances at voxels to the parameters of latents at an eighth of the resolution (SPEC §7).
///
/// Parameters `input_layer1.*`, `downsample.i.*`, those of the transformer, `out_layer.*`.
package struct SparseSDFEncoder: Sendable {
    let entry: Linear
    let downsample: [SparseDownBlock]
    let transformer: SparseTransformerBase
    let output: Linear

    /// - Parameters:
    ///   - channels: width of the transformer, C; the convolutions have C/16, C/8, C/4.
    ///   - groups: of the group norms, where the width is a multiple of it; else their greatest common divisor.
    package init(
        _ source: ParameterSource, inputs: Int = 1, channels: Int, latentChannels: Int, blocks: Int, heads: Int,
        ratio: Double = 4, groups: Int = 32
    ) throws(Failure) {
        let widths = [channels / 16, channels / 8, channels / 4, channels]
        entry = try Linear(source.scoped("input_layer1"), inputs: inputs, outputs: widths[0])
        var downsample: [SparseDownBlock] = []
        for index in 0..<3 {
            downsample.append(
                try SparseDownBlock(
                    source.scoped("downsample.\(index)"), inputs: widths[index], outputs: widths[index + 1],
                    groups: groups))
        }
        self.downsample = downsample
        transformer = try SparseTransformerBase(
            source, inputs: channels, channels: channels, blocks: blocks, heads: heads, ratio: ratio)
        output = try Linear(source.scoped("out_layer"), inputs: channels, outputs: 2 * latentChannels)
    }

    /// `[N, 1]` at fine voxels → `[M, 2·latent]`, mean and logarithm of the variance.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        var h = x
        for (index, block) in downsample.enumerated() {
            h = compute.segment(h) { x in
                block(index == 0 ? x.with(entry(x.features, compute)) : x, compute)
            }
        }
        h = transformer(h, compute)
        return h.with(output(compute.layerNorm(h.features, epsilon: 1e-5), compute))
    }
}

/// A Gaussian with independent components. The logarithm of the variance is kept within −30 … 20.
package struct DiagonalGaussian: Sendable {
    /// `[N, C]`
    package let mean: Tensor
    /// `[N, C]`
    package let logVariance: Tensor

    /// - Parameter parameters: `[N, 2C]`: means, then logarithms of variances.
    package init(_ parameters: Tensor, _ compute: Compute) {
        let parts = compute.split(parameters, widths: [parameters.columns / 2, parameters.columns / 2])
        mean = parts[0]
        // max(x, −30), then min(·, 20), by ReLU, which has a gradient.
        let low = compute.affine(
            compute.apply(.relu, compute.affine(parts[1], scale: 1, shift: 30)), scale: 1, shift: -30)
        logVariance = compute.affine(
            compute.apply(.relu, compute.affine(low, scale: -1, shift: 20)), scale: -1, shift: 20)
    }

    /// √variance, `[N, C]`.
    package func deviation(_ compute: Compute) -> Tensor {
        compute.apply(.exp, compute.affine(logVariance, scale: 0.5))
    }

    /// mean + deviation·noise.
    /// - Parameter noise: `[N, C]`
    package func sample(noise: Tensor, _ compute: Compute) -> Tensor {
        compute.add(mean, compute.multiply(deviation(compute), noise))
    }
}
