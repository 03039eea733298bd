import CSSDFKernels
import SSDFCore

extension Compute {
    /// (x − μ)/√(σ² + ε) over the last axis, times `weight`, plus `bias`.
    /// - Parameters:
    ///   - x: `[..., C]`
    ///   - weight: `[C]`, or `[S, C]`, one row for each of `segments`
    ///   - bias: as `weight`
    ///   - segments: row ranges that together hold all rows, when weights differ by batch item.
    package func layerNorm(
        _ x: Tensor, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float, segments: [Range<Int>]? = nil
    ) -> Tensor {
        let columns = x.shape.last ?? 1
        let rows = x.count / max(columns, 1)
        let ranges = segments ?? [0..<rows]
        for parameter in [weight, bias] {
            precondition(
                parameter == nil || parameter!.count == ranges.count * columns,
                "a norm of \(columns) channels with \(ranges.count) segments cannot take \(parameter!.shape)")
        }
        let flat = x.detached.viewed(as: [rows, columns])
        let y = empty(x.shape)
        backend.layerNorm(
            flat, weight: weight, bias: bias, epsilon: epsilon, segments: ranges, into: y.viewed(as: [rows, columns]))
        return record(y, [x, weight, bias]) { [self] dy, wanted in
            let (dx, adds) = wanted[0] ? gradientRoom(of: x) : (empty(x.shape), false)
            let dWeight = wanted[1] ? zeros(weight!.shape) : nil
            let dBias = wanted[2] ? zeros(bias!.shape) : nil
            backend.layerNormGradients(
                flat, weight: weight, dy: dy.viewed(as: [rows, columns]), epsilon: epsilon, segments: ranges,
                dx: dx.viewed(as: [rows, columns]), adds: adds, dWeight: dWeight, dBias: dBias)
            return [dx, dWeight, dBias]
        }
    }
}

extension CPUBackend {
    /// Row `index` of a parameter that has one for each of `count` segments.
    private func row(_ parameter: Tensor?, _ index: Int, of count: Int) -> Tensor? {
        parameter.map { $0.viewed(as: [count, $0.count / count]).viewedRows(index..<index + 1) }
    }

    package func layerNorm(
        _ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float, segments: [Range<Int>], into y: Tensor
    ) {
        for (index, range) in segments.enumerated() {
            layerNorm(
                x.viewedRows(range), weight: row(weight, index, of: segments.count),
                bias: row(bias, index, of: segments.count), epsilon: epsilon, into: y.viewedRows(range))
        }
    }

    package func layerNormGradients(
        _ x: Tensor, weight: Tensor?, dy: Tensor, epsilon: Float, segments: [Range<Int>], dx: Tensor, adds: Bool,
        dWeight: Tensor?, dBias: Tensor?
    ) {
        for (index, range) in segments.enumerated() {
            layerNormGradients(
                x.viewedRows(range), weight: row(weight, index, of: segments.count), dy: dy.viewedRows(range),
                epsilon: epsilon, dx: dx.viewedRows(range), adds: adds,
                dWeight: row(dWeight, index, of: segments.count),
                dBias: row(dBias, index, of: segments.count))
        }
    }

    private func layerNorm(_ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float, into y: Tensor) {
        let columns = x.columns
        parallelRows(x.rows, columns: columns) { range in
            let first = range.lowerBound * columns
            kernels.layer_norm(
                x.pointer + first, weight?.pointer, bias?.pointer, epsilon, y.pointer + first, range.count, columns)
        }
    }

    /// With g = dy·weight and x̂ the normalised row: dx = (g − mean g − x̂·mean(g·x̂))/√(σ² + ε),
    /// dWeight = Σ dy·x̂, dBias = Σ dy.
    private func layerNormGradients(
        _ x: Tensor, weight: Tensor?, dy: Tensor, epsilon: Float, dx: Tensor, adds: Bool, dWeight: Tensor?,
        dBias: Tensor?
    ) {
        let columns = x.columns
        let size = max(Self.rowGrain(columns: columns), (x.rows + 63) / 64)
        let blocks = (x.rows + size - 1) / size
        let wantsParameters = dWeight != nil || dBias != nil
        let partial = scratch(wantsParameters ? blocks * 2 * columns : 1)
        parallel(blocks) { _, range in
            for block in range {
                let first = block * size * columns
                let sums = partial.pointer + (wantsParameters ? block * 2 * columns : 0)
                if wantsParameters { sums.update(repeating: 0, count: 2 * columns) }
                kernels.layer_norm_gradient(
                    x.pointer + first, weight?.pointer, dy.pointer + first, epsilon, dx.pointer + first,
                    adds ? 1 : 0, dWeight == nil ? nil : sums, dBias == nil ? nil : sums + columns,
                    min(size, x.rows - block * size), columns)
            }
        }
        let parts = partial.pointer
        for (target, shift) in [(dWeight?.pointer, 0), (dBias?.pointer, columns)] {
            guard let target else { continue }
            for column in 0..<columns {
                var total = 0.0
                for block in 0..<blocks { total += Double(parts[block * 2 * columns + shift + column]) }
                target[column] = Float(total)
            }
        }
    }
}
