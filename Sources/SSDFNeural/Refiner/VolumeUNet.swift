import SSDFCore
import SSDFTensor

/// The refiners' network: down to an eighth of the size and up again, each level on the way up with what the way down
/// left there (SPEC §13). Volumes are channels last; their sides must be multiples of 2^(levels − 1).
package struct VolumeUNet: Sendable {
    private let entry: VolumeConvolution
    private let down: [(blocks: [RefinerBlock], reduce: VolumeConvolution?)]
    private let middle: [RefinerBlock]
    private let up: [(blocks: [RefinerBlock], expand: VolumeConvolution?)]
    private let norm: VolumeGroupNorm

    /// - Parameters:
    ///   - widths: channels of the levels, from fine to coarse.
    ///   - layers: residual blocks of a level on the way down; one more on the way up.
    ///   - middleLayers: one more residual block than this in the middle.
    package init(
        _ source: ParameterSource, inputs: Int, widths: [Int], layers: Int, middleLayers: Int, groups: Int = 4
    ) throws(Failure) {
        entry = try VolumeConvolution(source.scoped("conv_in"), inputs: inputs, outputs: widths[0], window: .three)
        var skips = [widths[0]]
        var channels = widths[0]
        var down: [(blocks: [RefinerBlock], reduce: VolumeConvolution?)] = []
        for (level, width) in widths.enumerated() {
            let place = source.scoped("down_blocks.\(level)")
            var blocks: [RefinerBlock] = []
            for layer in 0..<layers {
                blocks.append(
                    try RefinerBlock(
                        place.scoped("resnets.\(layer)"), inputs: channels, outputs: width, groups: groups))
                channels = width
                skips.append(width)
            }
            var reduce: VolumeConvolution?
            if level + 1 < widths.count {
                reduce = try VolumeConvolution(
                    place.scoped("downsamplers.0.conv"), inputs: width, outputs: width, window: .half)
                skips.append(width)
            }
            down.append((blocks, reduce))
        }
        var middle: [RefinerBlock] = []
        for layer in 0...middleLayers {
            middle.append(
                try RefinerBlock(
                    source.scoped("mid_block.resnets.\(layer)"), inputs: channels, outputs: channels, groups: groups))
        }
        var up: [(blocks: [RefinerBlock], expand: VolumeConvolution?)] = []
        for (level, width) in widths.reversed().enumerated() {
            let place = source.scoped("up_blocks.\(level)")
            var blocks: [RefinerBlock] = []
            for layer in 0...layers {
                blocks.append(
                    try RefinerBlock(
                        place.scoped("resnets.\(layer)"), inputs: channels + skips.removeLast(), outputs: width,
                        groups: groups))
                channels = width
            }
            let expand =
                level + 1 < widths.count
                ? try VolumeConvolution(
                    place.scoped("upsamplers.0.conv"), inputs: width, outputs: width, window: .half,
                    isTransposed: true) : nil
            up.append((blocks, expand))
        }
        (self.down, self.middle, self.up) = (down, middle, up)
        norm = try VolumeGroupNorm(source.scoped("conv_norm_out"), channels: widths[0], groups: groups)
    }

    /// `[B, X, Y, Z, inputs]` → `[B, X, Y, Z, widths[0]]`
    package func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        var h = entry(x, compute)
        var skips = [h]
        for level in down {
            for block in level.blocks {
                h = block(h, compute)
                skips.append(h)
            }
            if let reduce = level.reduce {
                h = reduce(h, compute)
                skips.append(h)
            }
        }
        for block in middle { h = block(h, compute) }
        for level in up {
            for block in level.blocks { h = block(compute.besides(h, skips.removeLast()), compute) }
            if let expand = level.expand { h = expand(h, compute) }
        }
        return norm.activated(h, compute)
    }
}

extension Compute {
    /// Two volumes with their channels one after the other.
    func besides(_ a: Tensor, _ b: Tensor) -> Tensor {
        let (m, n) = (a.shape[4], b.shape[4])
        let rows = a.count / m
        let joined = concatenate([reshape(a, [rows, m]), reshape(b, [rows, n])])
        return reshape(joined, a.shape.dropLast() + [m + n])
    }
}
