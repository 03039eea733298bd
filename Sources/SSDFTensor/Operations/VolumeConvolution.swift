import CSSDFKernels
import SSDFCore

/// A dense convolution over volumes: side of the kernel, stride, and zeros added around the input.
package struct VolumeWindow: Sendable, Equatable {
    /// Voxels along a side of the kernel.
    package var side: Int
    /// Voxels of the input from one result to the next.
    package var stride: Int
    /// Zeros added at either end of every axis: fewer than `side`.
    package var padding: Int

    /// A window of this size.
    package init(side: Int, stride: Int = 1, padding: Int = 0) {
        precondition(side > 0 && stride > 0 && padding >= 0 && padding < side)
        self.side = side
        self.stride = stride
        self.padding = padding
    }

    var taps: Int { side * side * side }

    /// Extent of the result for an input of extent `size`.
    package func reduced(_ size: Int) -> Int { max((size + 2 * padding - side) / stride + 1, 0) }

    /// Extent of the transposed convolution's result.
    package func expanded(_ size: Int) -> Int { (size - 1) * stride + side - 2 * padding }
}

extension Compute {
    /// Dense convolution, a correlation with zero padding.
    /// - Parameters:
    ///   - x: `[B, X, Y, Z, I]`, channels last
    ///   - weight: `[O, I, k, k, k]`
    ///   - bias: `[O]`
    /// - Returns: `[B, X', Y', Z', O]`
    package func convolveVolume(_ x: Tensor, _ weight: Tensor, bias: Tensor?, window: VolumeWindow) -> Tensor {
        checkVolume(x, weight, inputs: weight.shape[1], window)
        let y = empty([x.shape[0]] + x.shape[1...3].map(window.reduced) + [weight.shape[0]])
        backend.convolveVolume(x, weight: weight, bias: bias, window: window, transposed: false, into: y)
        return recordVolume(y, x, weight, bias, window, transposed: false)
    }

    /// Transposed convolution: the gradient of `convolveVolume` by its input, as an operation of its own.
    /// - Parameters:
    ///   - x: `[B, X, Y, Z, I]`
    ///   - weight: `[I, O, k, k, k]`
    ///   - bias: `[O]`
    /// - Returns: `[B, X', Y', Z', O]`
    package func convolveVolumeTransposed(
        _ x: Tensor, _ weight: Tensor, bias: Tensor?, window: VolumeWindow
    ) -> Tensor {
        checkVolume(x, weight, inputs: weight.shape[0], window)
        let y = empty([x.shape[0]] + x.shape[1...3].map(window.expanded) + [weight.shape[1]])
        backend.convolveVolume(x, weight: weight, bias: bias, window: window, transposed: true, into: y)
        return recordVolume(y, x, weight, bias, window, transposed: true)
    }

    /// Moves channels into space: channel 8c + 4a + 2b + e of voxel (x, y, z) becomes channel c of voxel
    /// (2x + a, 2y + b, 2z + e).
    /// - Parameter x: `[B, X, Y, Z, 8C]`
    /// - Returns: `[B, 2X, 2Y, 2Z, C]`
    package func pixelShuffle(_ x: Tensor) -> Tensor {
        precondition(x.shape.count == 5 && x.shape[4] % 8 == 0, "\(x.shape) has not eight channels a channel")
        let s = x.shape
        let y = empty([s[0], 2 * s[1], 2 * s[2], 2 * s[3], s[4] / 8])
        backend.pixelShuffle(x, into: y, inverse: false)
        return record(y, [x]) { [self] dy, _ in
            let dx = empty(x.shape)
            backend.pixelShuffle(dy, into: dx, inverse: true)
            return [dx]
        }
    }

    private func checkVolume(_ x: Tensor, _ weight: Tensor, inputs: Int, _ window: VolumeWindow) {
        precondition(
            x.shape.count == 5 && weight.shape.count == 5 && x.shape[4] == inputs
                && weight.shape[2...].allSatisfy { $0 == window.side },
            "a kernel of \(weight.shape) cannot take a volume of \(x.shape)")
    }

    private func recordVolume(
        _ y: Tensor, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ window: VolumeWindow, transposed: Bool
    ) -> Tensor {
        record(y, [x, weight, bias]) { [self] dy, wanted in
            var dx: Tensor?
            if wanted[0] {
                dx = empty(x.shape)
                backend.convolveVolume(
                    dy, weight: weight, bias: nil, window: window, transposed: !transposed, into: dx!)
            }
            var dWeight: Tensor?
            if wanted[1] {
                dWeight = empty(weight.shape)
                // The fine volume is the one that windows slide over.
                backend.volumeKernelGradient(
                    fine: transposed ? dy : x, coarse: transposed ? x : dy, window: window, into: dWeight!)
            }
            var dBias: Tensor?
            if wanted[2] {
                dBias = empty(bias!.shape)
                backend.sum(dy, times: nil, kept: .row, into: dBias!)
            }
            return [dx, dWeight, dBias]
        }
    }
}

/// Lines along z are contiguous rows of channels, so every tap of every line is one product of consecutive rows.
extension CPUBackend {
    /// Both directions. The weight is `[coarse channels, fine channels, k, k, k]`: a convolution reads the fine volume
    /// and writes the coarse one, a transposed convolution the other way round.
    package func convolveVolume(
        _ x: Tensor, weight: Tensor, bias: Tensor?, window: VolumeWindow, transposed: Bool, into y: Tensor
    ) {
        let taps = window.taps
        let (depth, columns) = (x.shape[4], y.shape[4])
        let fineChannels = weight.shape[1]
        let product = rowProduct(columns: columns)
        let kernels = product.kernels
        let (tapSize, words) = (kernels.packed_count(depth, columns), product.words(depth))
        let packed = scratch(taps * tapSize)
        parallel(taps) { _, range in
            for tap in range {
                kernels.pack(
                    weight.pointer + tap, transposed ? fineChannels * taps : taps,
                    transposed ? taps : fineChannels * taps, depth, columns, packed.pointer + tap * tapSize)
            }
        }
        let (fine, coarse) = transposed ? (y.shape, x.shape) : (x.shape, y.shape)
        let (lineX, lineY) = (y.shape[1], y.shape[2])
        let lines = y.shape[0] * lineX * lineY
        let length = y.shape[3] * columns
        let voxels = operand(x.pointer, rows: x.count / max(depth, 1), depth: depth, of: product)
        let (from, step) = (voxels.pointer, voxels.stride)
        let (start, matrices, written) = (bias?.pointer, packed.pointer, y.pointer)
        parallel(lines, grain: max(1, (32 << 10) / max(length, 1))) { _, range in
            for line in range {
                let (batch, rest) = (line / (lineX * lineY), line % (lineX * lineY))
                let (px, py) = (rest / lineY, rest % lineY)
                let target = written + line * length
                for voxel in 0..<y.shape[3] {
                    let row = target + voxel * columns
                    if let start {
                        row.update(from: start, count: columns)
                    } else {
                        row.update(repeating: 0, count: columns)
                    }
                }
                for tap in 0..<taps {
                    let (i, j, l) = (
                        tap / (window.side * window.side), tap / window.side % window.side, tap % window.side
                    )
                    guard let qx = partner(px, i, window, transposed, limit: x.shape[1]),
                        let qy = partner(py, j, window, transposed, limit: x.shape[2])
                    else { continue }
                    let run = coarseRun(l, window, fine: fine[3], coarse: coarse[3])
                    guard !run.isEmpty else { continue }
                    let source = from + ((batch * x.shape[1] + qx) * x.shape[2] + qy) * x.shape[3] * step
                    let first = run.lowerBound
                    let fineFirst = first * window.stride + l - window.padding
                    kernels.product_rows(
                        source + (transposed ? first : fineFirst) * step, nil,
                        transposed ? step : window.stride * step, matrices + tap * tapSize, words, columns,
                        target + (transposed ? fineFirst : first) * columns, nil,
                        transposed ? window.stride * columns : columns, run.count)
                }
            }
        }
        withExtendedLifetime((packed, voxels)) {}
    }

    /// dW[o, i, tap] = Σ coarse[p, o]·fine[p·stride + tap − padding, i] over all places p.
    package func volumeKernelGradient(fine: Tensor, coarse: Tensor, window: VolumeWindow, into dWeight: Tensor) {
        let taps = window.taps
        let (depth, columns) = (fine.shape[4], coarse.shape[4])
        let (lineX, lineY) = (coarse.shape[1], coarse.shape[2])
        let lines = coarse.shape[0] * lineX * lineY
        let size = taps * depth * columns
        let runs = max(1, min(32, lines, (16 << 20) / max(size, 1)))
        let runLines = (lines + runs - 1) / runs
        let storage = scratch(max(runs * size, 1))
        let (partial, finer, coarser, to) = (storage.pointer, fine.pointer, coarse.pointer, dWeight.pointer)
        partial.update(repeating: 0, count: runs * size)
        parallel(runs * taps) { _, range in
            for unit in range {
                let (run, tap) = (unit / taps, unit % taps)
                let (i, j, l) = (tap / (window.side * window.side), tap / window.side % window.side, tap % window.side)
                let places = coarseRun(l, window, fine: fine.shape[3], coarse: coarse.shape[3])
                let target = partial + run * size + tap * depth * columns
                guard !places.isEmpty, run * runLines < lines else { continue }
                for line in run * runLines..<min((run + 1) * runLines, lines) {
                    let (batch, rest) = (line / (lineX * lineY), line % (lineX * lineY))
                    guard let qx = partner(rest / lineY, i, window, false, limit: fine.shape[1]),
                        let qy = partner(rest % lineY, j, window, false, limit: fine.shape[2])
                    else { continue }
                    let source = ((batch * fine.shape[1] + qx) * fine.shape[2] + qy) * fine.shape[3]
                    let first = places.lowerBound
                    kernels.outer_rows(
                        finer + (source + first * window.stride + l - window.padding) * depth, nil,
                        window.stride * depth, coarser + (line * coarse.shape[3] + first) * columns, nil,
                        columns, 0, depth, columns, target, places.count)
                }
            }
        }
        parallelRows(columns, columns: depth * taps * runs) { range in
            for o in range {
                for i in 0..<depth {
                    for tap in 0..<taps {
                        var total = 0.0
                        let at = (tap * depth + i) * columns + o
                        for run in 0..<runs { total += Double(partial[run * size + at]) }
                        to[(o * depth + i) * taps + tap] = Float(total)
                    }
                }
            }
        }
        withExtendedLifetime(storage) {}
    }

    /// The place on one axis that tap `tap` joins to `place`: fine from coarse, or, transposed, coarse from fine.
    private func partner(
        _ place: Int, _ tap: Int, _ window: VolumeWindow, _ transposed: Bool, limit: Int
    ) -> Int? {
        if transposed {
            let shifted = place + window.padding - tap
            guard shifted >= 0, shifted % window.stride == 0, shifted / window.stride < limit else { return nil }
            return shifted / window.stride
        }
        let fine = place * window.stride + tap - window.padding
        return fine >= 0 && fine < limit ? fine : nil
    }

    /// The coarse places p for which p·stride + tap − padding is inside the fine axis.
    private func coarseRun(_ tap: Int, _ window: VolumeWindow, fine: Int, coarse: Int) -> Range<Int> {
        let shift = tap - window.padding
        let first = shift >= 0 ? 0 : (-shift + window.stride - 1) / window.stride
        let last = fine - 1 - shift
        let end = last < 0 ? 0 : min(coarse, last / window.stride + 1)
        return first..<max(first, end)
    }

    /// With `inverse`, x is the shuffled volume and y the one with eight times the channels.
    package func pixelShuffle(_ x: Tensor, into y: Tensor, inverse: Bool) {
        let (many, wide) = inverse ? (x, y) : (y, x)
        let (sx, sy, sz) = (wide.shape[1], wide.shape[2], wide.shape[3])
        let channels = many.shape[4]
        parallel(wide.shape[0] * sx * sy) { _, range in
            for line in range {
                let (batch, rest) = (line / (sx * sy), line % (sx * sy))
                let (px, py) = (rest / sy, rest % sy)
                for pz in 0..<sz {
                    let narrow = wide.pointer + (line * sz + pz) * 8 * channels
                    for child in 0..<8 {
                        let row = (batch * 2 * sx + 2 * px + (child >> 2)) * 2 * sy + 2 * py + (child >> 1 & 1)
                        let spread = many.pointer + (row * 2 * sz + 2 * pz + (child & 1)) * channels
                        for channel in 0..<channels {
                            if inverse {
                                narrow[channel * 8 + child] = spread[channel]
                            } else {
                                spread[channel] = narrow[channel * 8 + child]
                            }
                        }
                    }
                }
            }
        }
    }
}
