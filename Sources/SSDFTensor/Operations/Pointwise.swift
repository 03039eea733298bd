import CSSDFKernels
import SSDFCore

/// Functions of one number. `geluTanh` is 0.5x(1 + tanh(√(2/π)(x + 0.044715x³))), `geluErf` is x·Φ(x).
package enum PointwiseFunction: Int32, Sendable, CaseIterable {
    case relu, silu, sigmoid, tanh, geluTanh, geluErf, exp
}

extension Compute {
    /// y = f(x), element by element.
    package func apply(_ function: PointwiseFunction, _ x: Tensor) -> Tensor {
        let y = empty(x.shape)
        backend.apply(function, x, into: y)
        return record(y, [x]) { [self] dy, _ in
            let dx = empty(x.shape)
            backend.applyGradient(function, x, dy: dy, into: dx)
            return [dx]
        }
    }
}

extension CPUBackend {
    package func apply(_ function: PointwiseFunction, _ x: Tensor, into y: Tensor) {
        parallelRows(x.count, columns: 1) { range in
            kernels.apply(
                function.rawValue, x.pointer + range.lowerBound, y.pointer + range.lowerBound, range.count)
        }
    }

    /// dx = dy·f'(x).
    package func applyGradient(_ function: PointwiseFunction, _ x: Tensor, dy: Tensor, into dx: Tensor) {
        parallelRows(x.count, columns: 1) { range in
            let first = range.lowerBound
            kernels.apply_gradient(
                function.rawValue, x.pointer + first, dy.pointer + first, dx.pointer + first, range.count)
        }
    }
}
