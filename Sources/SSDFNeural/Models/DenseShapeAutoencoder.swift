import SSDFCore
import SSDFTensor

/// Norm over the channels of every voxel, ε 1e-5, then SiLU. Parameters `weight`, `bias`.
struct ChannelNormSiLU: Sendable {
    let weight: Parameter
    let bias: Parameter

    init(_ source: ParameterSource, channels: Int) throws(Failure) {
        weight = try source.parameter("weight", [channels])
        bias = try source.parameter("bias", [channels])
    }

    func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        compute.apply(.silu, compute.layerNorm(x, weight: weight.value, bias: bias.value, epsilon: 1e-5))
    }
}

/// conv2(SiLU(norm2(conv1(SiLU(norm1 x))))) + x (SPEC §9).
struct VolumeResidualBlock: Sendable {
    let norm1: ChannelNormSiLU
    let conv1: VolumeConvolution
    let norm2: ChannelNormSiLU
    let conv2: VolumeConvolution

    init(_ source: ParameterSource, channels: Int) throws(Failure) {
        let window = VolumeWindow(side: 3, padding: 1)
        norm1 = try ChannelNormSiLU(source.scoped("norm1"), channels: channels)
        conv1 = try VolumeConvolution(source.scoped("conv1"), inputs: channels, outputs: channels, window: window)
        norm2 = try ChannelNormSiLU(source.scoped("norm2"), channels: channels)
        conv2 = try VolumeConvolution(source.scoped("conv2"), inputs: channels, outputs: channels, window: window)
    }

    func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        let h = conv1(norm1(x, compute), compute)
        return compute.add(x, conv2(norm2(h, compute), compute))
    }
}

/// One half of the dense shape autoencoder: volumes go down to latents, or latents up to volumes (SPEC §9). Volumes are
/// channels last, `[B, X, Y, Z, C]`.
package struct DenseShapeNetwork: Sendable {
    /// Which half it is.
    package enum Direction: Sendable { case encoder, decoder }

    private enum Step: Sendable {
        case residual(VolumeResidualBlock)
        case reduce(VolumeConvolution)
        case expand(VolumeConvolution)
    }

    private let entry: VolumeConvolution
    private let steps: [Step]
    private let norm: ChannelNormSiLU
    private let output: VolumeConvolution

    /// - Parameter widths: channels of the levels, in the order the data passes them.
    package init(
        _ source: ParameterSource, _ direction: Direction, inputs: Int, outputs: Int, widths: [Int], blocks: Int,
        middleBlocks: Int
    ) throws(Failure) {
        guard let first = widths.first, let last = widths.last else {
            throw .badData("a dense network without levels", expected: "at least one width")
        }
        let window = VolumeWindow(side: 3, padding: 1)
        entry = try VolumeConvolution(
            source.scoped("input_layer"), inputs: inputs, outputs: first, window: window)
        var middle: [Step] = []
        for index in 0..<middleBlocks {
            middle.append(
                .residual(
                    try VolumeResidualBlock(
                        source.scoped("middle_block.\(index)"), channels: direction == .encoder ? last : first)))
        }
        // Residual blocks and resamplers are numbered together.
        var levels: [Step] = []
        for (level, width) in widths.enumerated() {
            for _ in 0..<blocks {
                levels.append(
                    .residual(try VolumeResidualBlock(source.scoped("blocks.\(levels.count)"), channels: width)))
            }
            guard level + 1 < widths.count else { break }
            let place = source.scoped("blocks.\(levels.count).conv")
            let next = widths[level + 1]
            switch direction {
            case .encoder:
                let half = VolumeWindow(side: 2, stride: 2)
                levels.append(.reduce(try VolumeConvolution(place, inputs: width, outputs: next, window: half)))
            case .decoder:
                levels.append(
                    .expand(try VolumeConvolution(place, inputs: width, outputs: 8 * next, window: window)))
            }
        }
        steps = direction == .encoder ? levels + middle : middle + levels
        norm = try ChannelNormSiLU(source.scoped("out_layer.0"), channels: last)
        output = try VolumeConvolution(source.scoped("out_layer.2"), inputs: last, outputs: outputs, window: window)
    }

    /// Volumes `[B, X, Y, Z, C]` to latents or back.
    package func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        var h = entry(x, compute)
        for step in steps {
            switch step {
            case .residual(let block): h = compute.segment([h]) { block($0[0], compute) }
            case .reduce(let convolution): h = convolution(h, compute)
            case .expand(let convolution):
                h = compute.segment([h]) { compute.pixelShuffle(convolution($0[0], compute)) }
            }
        }
        return compute.segment([h]) { output(norm($0[0], compute), compute) }
    }
}

extension Compute {
    /// `[B, C, X, Y, Z]`, the order of files, to `[B, X, Y, Z, C]`.
    package func channelsLast(_ x: Tensor) -> Tensor {
        let s = x.shape
        return reshape(transpose(reshape(x, [s[0], s[1], s[2] * s[3] * s[4]])), [s[0], s[2], s[3], s[4], s[1]])
    }

    /// `[B, X, Y, Z, C]` to `[B, C, X, Y, Z]`.
    package func channelsFirst(_ x: Tensor) -> Tensor {
        let s = x.shape
        return reshape(transpose(reshape(x, [s[0], s[1] * s[2] * s[3], s[4]])), [s[0], s[4], s[1], s[2], s[3]])
    }
}
