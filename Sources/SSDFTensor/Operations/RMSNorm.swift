import CSSDFKernels
import SSDFCore

extension Compute {
    /// x / max(‖x‖₂, 1e-12) · gamma · √D over the last axis.
    /// - Parameters:
    ///   - x: `[..., H, D]`
    ///   - gamma: `[H, D]`
    package func rmsNorm(_ x: Tensor, gamma: Tensor) -> Tensor {
        precondition(Array(x.shape.suffix(2)) == gamma.shape, "\(x.shape) does not end in \(gamma.shape)")
        let y = empty(x.shape)
        backend.rmsNorm(x, gamma: gamma, into: y)
        return record(y, [x, gamma]) { [self] dy, _ in
            let dx = empty(x.shape)
            let dGamma = empty(gamma.shape)
            backend.rmsNormGradients(x, gamma: gamma, dy: dy, dx: dx, dGamma: dGamma)
            return [dx, dGamma]
        }
    }
}

extension CPUBackend {
    package func rmsNorm(_ x: Tensor, gamma: Tensor, into y: Tensor) {
        let (heads, dimension) = (gamma.shape[0], gamma.shape[1])
        let width = heads * dimension
        parallelRows(x.count / width, columns: width) { range in
            let first = range.lowerBound * width
            kernels.rms_norm(
                x.pointer + first, gamma.pointer, y.pointer + first, range.count * heads, heads, dimension)
        }
    }

    /// With u = x/‖x‖ and g = dy·gamma: dx = √D/‖x‖·(g − u·(g·u)), dGamma = Σ dy·u·√D.
    package func rmsNormGradients(_ x: Tensor, gamma: Tensor, dy: Tensor, dx: Tensor, dGamma: Tensor) {
        let (heads, dimension) = (gamma.shape[0], gamma.shape[1])
        let width = heads * dimension
        let tokens = x.count / width
        let size = max(Self.rowGrain(columns: width), (tokens + 63) / 64)
        let blocks = (tokens + size - 1) / size
        let partial = scratch(max(blocks * width, 1))
        parallel(blocks) { _, range in
            for block in range {
                let first = block * size * width
                let sums = partial.pointer + block * width
                sums.update(repeating: 0, count: width)
                kernels.rms_norm_gradient(
                    x.pointer + first, gamma.pointer, dy.pointer + first, dx.pointer + first, sums,
                    min(size, tokens - block * size) * heads, heads, dimension)
            }
        }
        let (sums, target) = (partial.pointer, dGamma.pointer)
        for index in 0..<width {
            var total = 0.0
            for block in 0..<blocks { total += Double(sums[block * width + index]) }
            target[index] = Float(total)
        }
    }
}
