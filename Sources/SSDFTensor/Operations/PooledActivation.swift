import CSSDFKernels
import SSDFCore

extension Compute {
    /// Mean, and mean of the activated, of numbers spread over channels: for the cell t with values s,
    /// mean[t, c] = Σ (a_c·s + b_c)/(n + extra) and active[t, c] = Σ f(p_c·s + q_c)/(n + extra).
    ///
    /// What a layer from one number to C channels, a norm, an activation and a down-sampling come to, without the rows
    /// of C channels in between, which would be many times as large as everything else. Nothing is recorded.
    /// - Parameters:
    ///   - values: `[N]`, those of a cell together.
    ///   - starts: `[cells + 1]`: the values of cell t are `starts[t] ..< starts[t + 1]`.
    ///   - layer: a and b, `[C]`.
    ///   - normed: p and q, `[C]`.
    /// - Returns: two tensors `[cells, C]`.
    /// - Precondition: nothing is being recorded.
    package func pooledActivation(
        _ values: UnsafeBufferPointer<Float>, starts: UnsafeBufferPointer<Int32>,
        layer: (scale: Tensor, shift: Tensor), normed: (scale: [Float], shift: [Float]), function: PointwiseFunction,
        extra: Int
    ) -> (mean: Tensor, active: Tensor) {
        precondition(!isRecording, "pooled activation has no gradient")
        let columns = layer.scale.count
        let cells = starts.count - 1
        let (mean, active) = (empty([cells, columns]), empty([cells, columns]))
        backend.pooledActivation(
            values, starts: starts, layer: layer, normed: normed, function: function, extra: extra, mean: mean,
            active: active)
        return (mean, active)
    }
}

extension CPUBackend {
    package func pooledActivation(
        _ values: UnsafeBufferPointer<Float>, starts: UnsafeBufferPointer<Int32>,
        layer: (scale: Tensor, shift: Tensor), normed: (scale: [Float], shift: [Float]), function: PointwiseFunction,
        extra: Int, mean: Tensor, active: Tensor
    ) {
        let columns = layer.scale.count
        let cells = starts.count - 1
        // Values that are spread out at a time: they stay in the first cache level.
        let run = max(1, min(256, (8 << 10) / columns))
        let memory = scratch(threads * run * columns)
        let grain = 256
        let (work, sums, plainMeans) = (memory.pointer, active.pointer, mean.pointer)
        let (layerScale, layerShift) = (layer.scale.pointer, layer.shift.pointer)
        normed.scale.withUnsafeBufferPointer { scale in
            normed.shift.withUnsafeBufferPointer { shift in
                parallel((cells + grain - 1) / grain) { worker, range in
                    let rows = work + worker * run * columns
                    for cell in range.lowerBound * grain..<min(range.upperBound * grain, cells) {
                        let (first, last) = (Int(starts[cell]), Int(starts[cell + 1]))
                        let target = sums + cell * columns
                        target.update(repeating: 0, count: columns)
                        var total: Float = 0
                        for start in stride(from: first, to: last, by: run) {
                            let count = min(run, last - start)
                            for index in 0..<count {
                                let value = values[start + index]
                                total += value
                                let row = rows + index * columns
                                for column in 0..<columns { row[column] = scale[column] * value + shift[column] }
                            }
                            kernels.apply(function.rawValue, rows, rows, count * columns)
                            for index in 0..<count {
                                let row = rows + index * columns
                                for column in 0..<columns { target[column] += row[column] }
                            }
                        }
                        let members = Float(last - first)
                        let factor = 1 / (members + Float(extra))
                        let plain = plainMeans + cell * columns
                        for column in 0..<columns {
                            target[column] *= factor
                            plain[column] =
                                (layerScale[column] * total + layerShift[column] * members) * factor
                        }
                    }
                }
            }
        }
        withExtendedLifetime(memory) {}
    }
}
