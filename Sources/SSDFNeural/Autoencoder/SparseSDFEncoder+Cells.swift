import SSDFCore
import SSDFTensor

extension SparseSDFEncoder {
    /// As `callAsFunction`, from values by cell: the rows of C/16 numbers a voxel, which would be most of the memory and
    /// of the traffic, are never made.
    ///
    /// The first layer makes aₖ·s + bₖ of a value s, so the norm's statistics follow from the mean and the mean square of
    /// the values alone, and layer, norm and activation are SiLU(pₖ·s + qₖ).
    /// - Parameter finished: told each of the `steps` as it is done.
    func callAsFunction(
        _ cells: borrowing VoxelCells, _ compute: Compute, finished: (_ step: Int) -> Void
    ) -> SparseTensor {
        let block = downsample[0]
        let layer = (scale: entry.weight.value, shift: entry.bias!.value)
        let pooled = compute.pooledActivation(
            UnsafeBufferPointer(cells.values.unsafeElements), starts: UnsafeBufferPointer(cells.starts.unsafeElements),
            layer: layer, normed: block.entryNorm.folded(layer, mean: cells.mean, meanSquare: cells.meanSquare),
            function: .silu, extra: 1)
        finished(0)
        var h = block.refined(
            active: SparseTensor(features: pooled.active, coordinates: cells.coordinates),
            plain: SparseTensor(features: pooled.mean, coordinates: cells.coordinates), compute)
        finished(1)
        for (index, block) in downsample.dropFirst().enumerated() {
            h = block(h, compute)
            finished(2 + index)
        }
        h = transformer(h, compute) { finished(4 + $0) }
        return h.with(output(compute.layerNorm(h.features, epsilon: 1e-5), compute))
    }
}

extension SparseGroupNorm {
    /// Scale and shift of each channel that layer and norm come to together.
    /// - Parameters:
    ///   - layer: aₖ and bₖ of the channels aₖ·s + bₖ.
    ///   - mean: of s over all voxels.
    ///   - meanSquare: of s².
    func folded(
        _ layer: (scale: Tensor, shift: Tensor), mean: Double, meanSquare: Double
    ) -> (scale: [Float], shift: [Float]) {
        let channels = layer.scale.count
        let width = channels / groups
        var (scale, shift) = ([Float](repeating: 0, count: channels), [Float](repeating: 0, count: channels))
        for group in 0..<groups {
            let range = group * width..<(group + 1) * width
            var (first, second) = (0.0, 0.0)
            for channel in range {
                let (a, b) = (Double(layer.scale.pointer[channel]), Double(layer.shift.pointer[channel]))
                first += a * mean + b
                second += a * a * meanSquare + 2 * a * b * mean + b * b
            }
            first /= Double(width)
            let deviation = max(second / Double(width) - first * first, 0)
            let inverse = 1 / (deviation + Double(epsilon)).squareRoot()
            for channel in range {
                let gain = inverse * Double(weight.value.pointer[channel])
                scale[channel] = Float(Double(layer.scale.pointer[channel]) * gain)
                shift[channel] = Float(
                    (Double(layer.shift.pointer[channel]) - first) * gain + Double(bias.value.pointer[channel]))
            }
        }
        return (scale, shift)
    }
}
