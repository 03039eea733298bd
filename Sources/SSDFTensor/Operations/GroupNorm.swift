import CSSDFKernels
import SSDFCore

/// Mean and 1/√(σ² + ε) of each group of channels, over all rows.
package struct GroupStatistics: Sendable {
    var mean: [Float]
    var scale: [Float]
}

extension Compute {
    /// Group norm: statistics over all rows of a segment and the consecutive channels of a group, biased variance.
    /// - Parameters:
    ///   - x: `[N, C]`
    ///   - groups: divides C
    ///   - weight: `[C]`
    ///   - bias: `[C]`
    ///   - segments: the row ranges of the batch items, which together hold all rows.
    package func groupNorm(
        _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float = 1e-5, segments: [Range<Int>]
    ) -> Tensor {
        precondition(x.shape.count == 2 && x.columns % groups == 0, "\(groups) groups do not divide \(x.shape)")
        let flat = x.detached
        let y = empty(x.shape)
        let statistics = segments.map { range in
            backend.groupNorm(
                flat.viewedRows(range), groups: groups, weight: weight, bias: bias, epsilon: epsilon,
                into: y.viewedRows(range))
        }
        return record(y, [x, weight, bias]) { [self] dy, _ in
            let dx = empty(x.shape)
            let dWeight = zeros(weight.shape)
            let dBias = zeros(bias.shape)
            let (partWeight, partBias) = (empty(weight.shape), empty(bias.shape))
            for (range, statistics) in zip(segments, statistics) {
                backend.groupNormGradients(
                    flat.viewedRows(range), groups: groups, statistics: statistics, weight: weight,
                    dy: dy.viewedRows(range), dx: dx.viewedRows(range), dWeight: partWeight, dBias: partBias)
                backend.add(dWeight, partWeight, scale: 1, broadcast: .same, into: dWeight)
                backend.add(dBias, partBias, scale: 1, broadcast: .same, into: dBias)
            }
            return [dx, dWeight, dBias]
        }
    }
}

extension CPUBackend {
    package func groupNorm(
        _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, into y: Tensor
    ) -> GroupStatistics {
        let (rows, columns) = (x.rows, x.columns)
        guard rows > 0 else { return GroupStatistics(mean: [], scale: []) }
        let width = columns / groups
        let count = Double(rows * width)
        let sums = columnTotals(rows: rows, columns: columns) { first, count, sums in
            kernels.column_sums(x.pointer + first * columns, nil, sums, count, columns)
        }
        let mean = (0..<groups).map { group in
            Float(sums[group * width..<(group + 1) * width].reduce(0, +) / count)
        }
        // A second pass around the mean: the difference of two large sums would lose the variance.
        let means = (0..<columns).map { mean[$0 / width] }
        let squares = means.withUnsafeBufferPointer { means in
            columnTotals(rows: rows, columns: columns) { first, count, sums in
                kernels.column_sums(x.pointer + first * columns, means.baseAddress!, sums, count, columns)
            }
        }
        let scale = (0..<groups).map { group in
            let variance = squares[group * width..<(group + 1) * width].reduce(0, +) / count
            return Float(1 / (variance + Double(epsilon)).squareRoot())
        }
        var factors = [Float](repeating: 0, count: columns)
        var shifts = factors
        for column in 0..<columns {
            factors[column] = scale[column / width] * weight.pointer[column]
            shifts[column] = bias.pointer[column] - mean[column / width] * factors[column]
        }
        factors.withUnsafeBufferPointer { factors in
            shifts.withUnsafeBufferPointer { shifts in
                parallelRows(rows, columns: columns) { range in
                    let first = range.lowerBound * columns
                    kernels.column_affine(
                        x.pointer + first, factors.baseAddress!, shifts.baseAddress!, y.pointer + first, range.count,
                        columns)
                }
            }
        }
        return GroupStatistics(mean: mean, scale: scale)
    }

    /// With x̂ normalised and g = dy·weight: dx = scale·(g − mean g − x̂·mean(g·x̂)), the means over the group;
    /// dWeight = Σ dy·x̂, dBias = Σ dy. Both sums come first, by column; then dx = a·dy + b·x + c by column.
    package func groupNormGradients(
        _ x: Tensor, groups: Int, statistics: GroupStatistics, weight: Tensor, dy: Tensor, dx: Tensor,
        dWeight: Tensor, dBias: Tensor
    ) {
        let (rows, columns) = (x.rows, x.columns)
        let width = columns / groups
        let count = Double(rows * width)
        dWeight.pointer.update(repeating: 0, count: columns)
        dBias.pointer.update(repeating: 0, count: columns)
        guard rows > 0 else { return }
        let means = (0..<columns).map { statistics.mean[$0 / width] }
        let sums = columnTotals(rows: rows, columns: columns) { first, count, sums in
            kernels.column_sums(dy.pointer + first * columns, nil, sums, count, columns)
        }
        let products = means.withUnsafeBufferPointer { means in
            columnTotals(rows: rows, columns: columns) { first, count, sums in
                kernels.column_products(
                    dy.pointer + first * columns, x.pointer + first * columns, means.baseAddress!, sums, count,
                    columns)
            }
        }
        var a = [Float](repeating: 0, count: columns)
        var (b, c) = (a, a)
        for group in 0..<groups {
            let scale = Double(statistics.scale[group])
            var (meanG, meanGX) = (0.0, 0.0)
            for column in group * width..<(group + 1) * width {
                dBias.pointer[column] = Float(sums[column])
                dWeight.pointer[column] = Float(products[column] * scale)
                meanG += sums[column] * Double(weight.pointer[column])
                meanGX += products[column] * scale * Double(weight.pointer[column])
            }
            meanG /= count
            meanGX /= count
            for column in group * width..<(group + 1) * width {
                a[column] = Float(scale * Double(weight.pointer[column]))
                b[column] = Float(-scale * scale * meanGX)
                c[column] = Float(-scale * meanG + scale * scale * meanGX * Double(statistics.mean[group]))
            }
        }
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                c.withUnsafeBufferPointer { c in
                    parallelRows(rows, columns: columns) { range in
                        let first = range.lowerBound * columns
                        kernels.column_blend(
                            dy.pointer + first, a.baseAddress!, x.pointer + first, b.baseAddress!, c.baseAddress!,
                            dx.pointer + first, range.count, columns)
                    }
                }
            }
        }
    }
}
