import CSSDFKernels
import SSDFCore

extension Compute {
    /// exp(x)/Σ exp(x) over the last axis. Attention has its own, which keeps no scores.
    package func softmax(_ x: Tensor) -> Tensor {
        let y = empty(x.shape)
        backend.softmax(x, into: y)
        return record(y, [x]) { [self] dy, _ in
            let dx = empty(x.shape)
            backend.softmaxGradient(y, dy: dy, into: dx)
            return [dx]
        }
    }
}

extension CPUBackend {
    package func softmax(_ x: Tensor, into y: Tensor) {
        let columns = x.shape.last ?? 1
        parallelRows(x.count / max(columns, 1), columns: columns) { range in
            let first = range.lowerBound * columns
            kernels.softmax(x.pointer + first, y.pointer + first, range.count, columns)
        }
    }

    /// dx = y·(dy − Σ y·dy).
    package func softmaxGradient(_ y: Tensor, dy: Tensor, into dx: Tensor) {
        let columns = y.shape.last ?? 1
        parallelRows(y.count / max(columns, 1), columns: columns) { range in
            let first = range.lowerBound * columns
            kernels.softmax_gradient(y.pointer + first, dy.pointer + first, dx.pointer + first, range.count, columns)
        }
    }
}
