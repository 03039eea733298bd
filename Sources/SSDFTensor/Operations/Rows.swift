import CSSDFKernels
import SSDFCore
import Synchronization

/// A map from `count` rows to `targets` rows: row i belongs to row `index[i]`. Children and parents of a subdivision,
/// voxels and their cells, a permutation.
///
/// Going up the map gathers (y[i] = x[index[i]]), going down it sums or averages members; each is the other's gradient.
package final class RowMap: Sendable {
    /// `[count]`, in 0 ..< targets.
    package let index: Buffer<Int32>
    /// Rows that are mapped to.
    package let targets: Int

    /// The rows of each target, in ascending order: `rows[starts[t] ..< starts[t + 1]]`.
    final class Members: Sendable {
        let starts: Buffer<Int32>
        let rows: Buffer<Int32>

        init(_ index: borrowing Buffer<Int32>, targets: Int) {
            let starts = Buffer<Int32>(zeros: targets + 1)
            for row in 0..<index.count { starts.pointer[Int(index.pointer[row]) + 1] += 1 }
            for target in 0..<targets { starts.pointer[target + 1] += starts.pointer[target] }
            let next = Buffer<Int32>(uninitialized: targets)
            next.pointer.update(from: starts.pointer, count: targets)
            let rows = Buffer<Int32>(uninitialized: index.count)
            for row in 0..<index.count {
                let target = Int(index.pointer[row])
                rows.pointer[Int(next.pointer[target])] = Int32(row)
                next.pointer[target] += 1
            }
            self.starts = starts
            self.rows = rows
        }
    }

    private let cached = Mutex<Members?>(nil)
    let deviceForm = DeviceForm()
    let deviceMembers = DeviceForm()

    /// - Precondition: every index is in 0 ..< targets.
    package init(_ index: consuming Buffer<Int32>, targets: Int) {
        for row in 0..<index.count {
            precondition(index.pointer[row] >= 0 && Int(index.pointer[row]) < targets, "row index out of range")
        }
        self.index = index
        self.targets = targets
    }

    /// Rows that are mapped.
    package var count: Int { index.count }

    /// Built when first asked for.
    var members: Members {
        cached.withLock {
            if let members = $0 { return members }
            let members = Members(index, targets: targets)
            $0 = members
            return members
        }
    }

    /// 1/(members + extra) of each target; extra is what else the divisor counts.
    package func inverseCounts(extra: Int) -> Tensor {
        let weights = Tensor(repeating: 0, shape: [targets])
        let (starts, written) = (members.starts.pointer, weights.pointer)
        for target in 0..<targets {
            written[target] = 1 / Float(Int(starts[target + 1] - starts[target]) + extra)
        }
        return weights
    }
}

extension Compute {
    /// y[i] = x[index[i]].
    /// - Parameter x: `[targets, ...]`
    /// - Returns: `[count, ...]`
    package func gather(_ x: Tensor, _ map: RowMap) -> Tensor {
        precondition(x.rows == map.targets, "\(x.shape) has not \(map.targets) rows")
        let y = empty([map.count] + x.shape.dropFirst())
        backend.gather(x, map, into: y)
        return record(y, [x]) { [self, shape = x.shape] dy, _ in
            let dx = empty(shape)
            backend.reduce(dy, map, weights: nil, into: dx)
            return [dx]
        }
    }

    /// y[t] = Σ x[i] over the rows i with index[i] = t: scatter with addition.
    /// - Parameter x: `[count, ...]`
    /// - Returns: `[targets, ...]`
    package func scatterAdd(_ x: Tensor, _ map: RowMap) -> Tensor {
        precondition(x.rows == map.count, "\(x.shape) has not \(map.count) rows")
        let y = empty([map.targets] + x.shape.dropFirst())
        backend.reduce(x, map, weights: nil, into: y)
        return record(y, [x]) { [self, shape = x.shape] dy, _ in
            let dx = empty(shape)
            backend.gather(dy, map, into: dx)
            return [dx]
        }
    }

    /// y[t] = Σ x[i] / (n + extra) over the n rows i with index[i] = t, summed in double.
    ///
    /// With `extra` 1 this is the mean of the sparse down-sampling that the released networks were trained with, whose
    /// divisor counts the zero that the sum starts from.
    package func gatherMean(_ x: Tensor, _ map: RowMap, extra: Int) -> Tensor {
        precondition(x.rows == map.count, "\(x.shape) has not \(map.count) rows")
        let y = empty([map.targets] + x.shape.dropFirst())
        backend.reduce(x, map, weights: map.inverseCounts(extra: extra), into: y)
        return record(y, [x]) { [self, shape = x.shape] dy, _ in
            let weights = map.inverseCounts(extra: extra)
            let scaled = empty(dy.shape)
            backend.multiply(
                dy.viewed(as: [map.targets, dy.columns]), weights, broadcast: .column,
                into: scaled.viewed(as: [map.targets, dy.columns]))
            let dx = empty(shape)
            backend.gather(scaled, map, into: dx)
            return [dx]
        }
    }
}

extension CPUBackend {
    package func gather(_ x: Tensor, _ map: RowMap, into y: Tensor) {
        let columns = x.columns
        parallelRows(map.count, columns: columns) { range in
            let first = range.lowerBound
            kernels.gather(x.pointer, map.index.pointer + first, y.pointer + first * columns, range.count, columns)
        }
    }

    /// y[t] = weights[t]·Σ x[i] over the members i of t, in ascending order.
    package func reduce(_ x: Tensor, _ map: RowMap, weights: Tensor?, into y: Tensor) {
        let columns = x.columns
        let members = map.members
        let factors = weights ?? Tensor(repeating: 1, shape: [map.targets])
        parallelRows(map.targets, columns: columns) { range in
            let first = range.lowerBound
            kernels.gather_mean(
                x.pointer, members.rows.pointer, members.starts.pointer + first, factors.pointer + first,
                y.pointer + first * columns, range.count, columns)
        }
    }
}
