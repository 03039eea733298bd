import CSSDFKernels
import SSDFCore

/// How the second operand meets the first, `[N, C]`.
package enum Broadcast: Int32, Sendable {
    /// `[N, C]`: element by element.
    case same
    /// `[C]`: the same row for all rows.
    case row
    /// `[N]`: one number for all channels of a row.
    case column
}

extension Compute {
    /// a + s·b.
    package func add(_ a: Tensor, _ b: Tensor, scale: Float = 1, broadcast: Broadcast = .same) -> Tensor {
        check(a, b, broadcast)
        let y = empty(a.shape)
        backend.add(a, b, scale: scale, broadcast: broadcast, into: y)
        return record(y, [a, b]) { [self, shape = b.shape] dy, wanted in
            guard wanted[1] else { return [dy, nil] }
            var db = dy
            if broadcast != .same {
                db = empty(shape)
                backend.sum(dy, times: nil, kept: broadcast, into: db)
            }
            if scale != 1 {
                let scaled = empty(shape)
                backend.affine(db, scale: scale, shift: 0, into: scaled)
                db = scaled
            }
            return [dy, db]
        }
    }

    /// a·b, element by element.
    package func multiply(_ a: Tensor, _ b: Tensor, broadcast: Broadcast = .same) -> Tensor {
        check(a, b, broadcast)
        let y = empty(a.shape)
        backend.multiply(a, b, broadcast: broadcast, into: y)
        return record(y, [a, b]) { [self] dy, wanted in
            var da: Tensor?
            if wanted[0] {
                da = empty(a.shape)
                backend.multiply(dy, b, broadcast: broadcast, into: da!)
            }
            var db: Tensor?
            if wanted[1] {
                db = empty(b.shape)
                if broadcast == .same {
                    backend.multiply(dy, a, broadcast: .same, into: db!)
                } else {
                    backend.sum(dy, times: a, kept: broadcast, into: db!)
                }
            }
            return [da, db]
        }
    }

    /// a + b ⊙ factor, with a row of factors for each segment of rows.
    /// - Parameters:
    ///   - a: `[N, C]`, as b.
    ///   - factors: `[segments, C]`
    ///   - segments: row ranges that together hold all rows.
    package func add(_ a: Tensor, _ b: Tensor, times factors: Tensor, segments: [Range<Int>]) -> Tensor {
        precondition(
            a.shape.count == 2 && b.shape == a.shape && factors.shape == [segments.count, a.columns],
            "\(b.shape) times \(factors.shape) in \(segments.count) segments cannot be added to \(a.shape)")
        let y = empty(a.shape)
        backend.multiply(b, segments: segments, by: factors, adding: a, into: y)
        return record(y, [a, b, factors]) { [self] dy, wanted in
            let db = wanted[1] ? empty(b.shape) : nil
            if let db { backend.multiply(dy, segments: segments, by: factors, adding: nil, into: db) }
            let dFactors = wanted[2] ? empty(factors.shape) : nil
            if let dFactors { backend.sum(dy, times: b, segments: segments, into: dFactors) }
            return [dy, db, dFactors]
        }
    }

    /// s·x + t.
    package func affine(_ x: Tensor, scale: Float, shift: Float = 0) -> Tensor {
        let y = empty(x.shape)
        backend.affine(x, scale: scale, shift: shift, into: y)
        return record(y, [x]) { [self, shape = x.shape] dy, _ in
            let dx = empty(shape)
            backend.affine(dy, scale: scale, shift: 0, into: dx)
            return [dx]
        }
    }

    /// The sum of all elements times `scale`, a single number.
    package func sum(_ x: Tensor, scale: Float = 1) -> Tensor {
        let y = empty([1])
        backend.total(x, scale: scale, into: y)
        return record(y, [x]) { [self, shape = x.shape] dy, _ in
            let dx = empty(shape)
            backend.spread(dy, scale: scale, into: dx)
            return [dx]
        }
    }

    private func check(_ a: Tensor, _ b: Tensor, _ broadcast: Broadcast) {
        let expected =
            switch broadcast {
            case .same: a.count
            case .row: a.shape.last ?? 1
            case .column: a.count / max(a.shape.last ?? 1, 1)
            }
        precondition(b.count == expected, "\(b.shape) cannot be broadcast to \(a.shape) as \(broadcast)")
    }
}

extension CPUBackend {
    /// y = a + s·b; y may be a.
    package func add(_ a: Tensor, _ b: Tensor, scale: Float, broadcast: Broadcast, into y: Tensor) {
        forRows(a, b, broadcast) { a, b, first, rows, columns in
            kernels.add(a, b, scale, broadcast.rawValue, y.pointer + first * columns, rows, columns)
        }
    }

    /// y = a·b; y may be a.
    package func multiply(_ a: Tensor, _ b: Tensor, broadcast: Broadcast, into y: Tensor) {
        forRows(a, b, broadcast) { a, b, first, rows, columns in
            kernels.multiply(a, b, broadcast.rawValue, y.pointer + first * columns, rows, columns)
        }
    }

    /// y = x ⊙ the row of factors of each row's segment, plus a where there is one.
    package func multiply(
        _ x: Tensor, segments: [Range<Int>], by factors: Tensor, adding a: Tensor?, into y: Tensor
    ) {
        let columns = x.columns
        for (index, range) in segments.enumerated() {
            guard let a else {
                multiply(
                    x.viewedRows(range), factors.viewedRows(index..<index + 1), broadcast: .row,
                    into: y.viewedRows(range))
                continue
            }
            // In one pass over memory: a range of rows is copied, and gains its product while it is in cache.
            parallelRows(range.count, columns: 4 * columns) { part in
                let first = (range.lowerBound + part.lowerBound) * columns
                let target = y.pointer + first
                target.update(from: a.pointer + first, count: part.count * columns)
                kernels.multiply_add(
                    x.pointer + first, factors.pointer + index * columns, Int32(SSDF_ROW.rawValue), target,
                    part.count, columns)
            }
        }
    }

    /// y [segments, C] = Σ over the rows of a segment of x ⊙ other.
    package func sum(_ x: Tensor, times other: Tensor, segments: [Range<Int>], into y: Tensor) {
        for (index, range) in segments.enumerated() {
            sum(
                x.viewedRows(range), times: other.viewedRows(range), kept: .row, into: y.viewedRows(index..<index + 1))
        }
    }

    /// Calls `body` with the start of a range of rows in a and in b, the first row, and the extent of the range.
    private func forRows(
        _ a: Tensor, _ b: Tensor, _ broadcast: Broadcast,
        _ body: (UnsafePointer<Float>, UnsafePointer<Float>, _ first: Int, _ rows: Int, _ columns: Int) -> Void
    ) {
        let columns = max(a.shape.last ?? 1, 1)
        parallelRows(a.count / columns, columns: columns) { range in
            let first = range.lowerBound
            let shift =
                switch broadcast {
                case .same: first * columns
                case .row: 0
                case .column: first
                }
            body(a.pointer + first * columns, b.pointer + shift, first, range.count, columns)
        }
    }

    /// y = s·x + t; y may be x.
    package func affine(_ x: Tensor, scale: Float, shift: Float, into y: Tensor) {
        parallelRows(x.count, columns: 1) { range in
            kernels.affine(
                x.pointer + range.lowerBound, scale, shift, y.pointer + range.lowerBound, range.count)
        }
    }

    /// Sums x, or x·other, over what `broadcast` repeated: over rows to `[C]` for `.row`, over channels to `[N]` for
    /// `.column`.
    package func sum(_ x: Tensor, times other: Tensor?, kept broadcast: Broadcast, into y: Tensor) {
        let columns = x.shape.last ?? 1
        let rows = x.count / max(columns, 1)
        switch broadcast {
        case .same: preconditionFailure("nothing to sum")
        case .row:
            sumColumns(rows: rows, columns: columns, into: y) { first, count, sums in
                if let other {
                    kernels.column_products(
                        x.pointer + first * columns, other.pointer + first * columns, nil, sums, count, columns)
                } else {
                    kernels.column_sums(x.pointer + first * columns, nil, sums, count, columns)
                }
            }
        case .column:
            let ones = other == nil ? Tensor(repeating: 1, shape: [Self.rowGrain(columns: columns) * columns]) : nil
            parallelRows(rows, columns: columns) { range in
                let first = range.lowerBound
                let factor = other.map { $0.pointer + first * columns } ?? ones!.pointer
                kernels.row_dots(
                    x.pointer + first * columns, factor, y.pointer + first, range.count, columns)
            }
        }
    }

    /// Sums over rows in blocks, and over blocks in double and in order: precise, and equal on any number of threads.
    func sumColumns(
        rows: Int, columns: Int, into y: Tensor,
        _ block: (_ first: Int, _ count: Int, _ sums: UnsafeMutablePointer<Float>) -> Void
    ) {
        let sums = columnTotals(rows: rows, columns: columns, block)
        for column in 0..<columns { y.pointer[column] = Float(sums[column]) }
    }

    func columnTotals(
        rows: Int, columns: Int,
        _ block: (_ first: Int, _ count: Int, _ sums: UnsafeMutablePointer<Float>) -> Void
    ) -> [Double] {
        let size = 256
        let blocks = (rows + size - 1) / size
        let partial = scratch(max(blocks * columns, 1))
        parallel(blocks, grain: 4) { _, range in
            for index in range {
                block(index * size, min(size, rows - index * size), partial.pointer + index * columns)
            }
        }
        var totals = [Double](repeating: 0, count: columns)
        for index in 0..<blocks {
            let from = partial.pointer + index * columns
            for column in 0..<columns { totals[column] += Double(from[column]) }
        }
        return totals
    }

    /// y[0] = scale·Σ x, summed in double.
    package func total(_ x: Tensor, scale: Float, into y: Tensor) {
        let ones = Tensor(shape: [x.count], storage: scratch(x.count))
        fill(ones, with: 1)
        y.pointer[0] = Float(dot(x, ones) * Double(scale))
    }

    /// Every element of y becomes scale·x[0].
    package func spread(_ x: Tensor, scale: Float, into y: Tensor) { fill(y, with: x.pointer[0] * scale) }

    package func fill(_ y: Tensor, with value: Float) { y.pointer.update(repeating: value, count: y.count) }

    package func copy(_ x: Tensor, into y: Tensor) { y.pointer.update(from: x.elements.baseAddress!, count: x.count) }

    /// Σ a·b in double.
    package func dot(_ a: Tensor, _ b: Tensor) -> Double {
        let size = 1 << 16
        let count = a.count
        let blocks = (count + size - 1) / size
        let partial = Buffer<Double>(uninitialized: blocks)
        let sums = partial.pointer
        parallel(blocks) { _, range in
            for index in range {
                let first = index * size
                sums[index] = kernels.dot(a.pointer + first, b.pointer + first, min(size, count - first))
            }
        }
        var total = 0.0
        for index in 0..<blocks { total += sums[index] }
        return total
    }
}
