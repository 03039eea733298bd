import CSSDFKernels
import SSDFCore

extension Compute {
    /// The tensors side by side along the last axis.
    /// - Parameter parts: `[N, C₀]`, `[N, C₁]`, …
    /// - Returns: `[N, C₀ + C₁ + …]`
    package func concatenate(_ parts: [Tensor]) -> Tensor {
        let rows = parts[0].rows
        precondition(parts.allSatisfy { $0.shape.count == 2 && $0.rows == rows }, "parts differ in rows")
        let widths = parts.map(\.columns)
        let y = empty([rows, widths.reduce(0, +)])
        var at = 0
        for part in parts {
            backend.copyColumns(from: part, at: 0, to: y, at: at, count: part.columns)
            at += part.columns
        }
        return record(y, parts) { [self] dy, wanted in
            var at = 0
            return widths.indices.map { index in
                defer { at += widths[index] }
                guard wanted[index] else { return nil }
                let dx = empty([rows, widths[index]])
                backend.copyColumns(from: dy, at: at, to: dx, at: 0, count: widths[index])
                return dx
            }
        }
    }

    /// The columns `range` of the last axis.
    /// - Parameter x: `[N, C]`
    /// - Returns: `[N, range.count]`
    package func columns(_ x: Tensor, _ range: Range<Int>) -> Tensor {
        precondition(x.shape.count == 2 && range.lowerBound >= 0 && range.upperBound <= x.columns)
        let y = empty([x.rows, range.count])
        backend.copyColumns(from: x, at: range.lowerBound, to: y, at: 0, count: range.count)
        return record(y, [x]) { [self, shape = x.shape] dy, _ in
            let dx = zeros(shape)
            backend.copyColumns(from: dy, at: 0, to: dx, at: range.lowerBound, count: range.count)
            return [dx]
        }
    }

    /// The tensor cut along the last axis into parts of the given widths, which add up to it.
    ///
    /// The parts' gradients are put side by side when all of them have come.
    package func split(_ x: Tensor, widths: [Int]) -> [Tensor] {
        precondition(widths.reduce(0, +) == x.columns, "\(widths) do not add up to \(x.shape)")
        let arrived = SplitGradients(count: widths.count)
        // Unwound after its parts, each of which leaves its gradient there and lets this one know.
        let whole = record(x.detached, [x]) { [self, shape = x.shape] _, _ in
            let dx = empty(shape)
            var at = 0
            for (width, gradient) in zip(widths, arrived.parts) {
                let part = gradient ?? zeros([shape[0], width])
                backend.copyColumns(from: part, at: 0, to: dx, at: at, count: width)
                at += width
            }
            arrived.parts = []
            return [dx]
        }
        var at = 0
        return widths.enumerated().map { index, width in
            defer { at += width }
            let part = empty([x.rows, width])
            backend.copyColumns(from: x, at: at, to: part, at: 0, count: width)
            return record(part, [whole]) { [self] dy, _ in
                arrived.parts[index] = dy
                return [empty([0])]
            }
        }
    }

    /// The same elements under another shape.
    package func reshape(_ x: Tensor, _ shape: [Int]) -> Tensor {
        record(x.viewed(as: shape), [x]) { [old = x.shape] dy, _ in [dy.viewed(as: old)] }
    }

    /// Rows `range` of the first axis, sharing memory.
    package func rows(_ x: Tensor, _ range: Range<Int>) -> Tensor {
        record(x.viewedRows(range), [x]) { [self, shape = x.shape] dy, _ in
            let dx = zeros(shape)
            backend.copy(dy, into: dx.viewedRows(range))
            return [dx]
        }
    }

    /// The tensors one below the other.
    /// - Parameter parts: `[N₀, ...]`, `[N₁, ...]`, …
    package func stack(_ parts: [Tensor]) -> Tensor {
        let y = empty([parts.reduce(0) { $0 + $1.rows }] + parts[0].shape.dropFirst())
        var at = 0
        for part in parts {
            precondition(part.columns == y.columns, "parts differ in columns")
            backend.copy(part, into: y.viewedRows(at..<at + part.rows))
            at += part.rows
        }
        return record(y, parts) { [counts = parts.map(\.rows)] dy, _ in
            var at = 0
            return counts.map { count in
                defer { at += count }
                return dy.viewedRows(at..<at + count)
            }
        }
    }

    /// Swaps the last two axes: `[B, R, C]` → `[B, C, R]`.
    package func transpose(_ x: Tensor) -> Tensor {
        precondition(x.shape.count >= 2)
        let (rows, columns) = (x.shape[x.shape.count - 2], x.shape[x.shape.count - 1])
        let batches = x.count / max(rows * columns, 1)
        let y = empty(x.shape.dropLast(2) + [columns, rows])
        backend.transpose(x, batches: batches, rows: rows, columns: columns, into: y)
        return record(y, [x]) { [self, shape = x.shape] dy, _ in
            let dx = empty(shape)
            backend.transpose(dy, batches: batches, rows: columns, columns: rows, into: dx)
            return [dx]
        }
    }
}

/// The gradients of the parts of a split tensor, until all are there.
private final class SplitGradients {
    var parts: [Tensor?]

    init(count: Int) { parts = [Tensor?](repeating: nil, count: count) }
}

extension CPUBackend {
    package func copyColumns(from x: Tensor, at source: Int, to y: Tensor, at target: Int, count: Int) {
        let (from, to) = (x.columns, y.columns)
        let (read, written) = (x.pointer, y.pointer)
        parallelRows(x.rows, columns: count) { range in
            for row in range {
                (written + row * to + target).update(from: read + row * from + source, count: count)
            }
        }
    }

    /// In blocks of 32 × 32, which the first cache level holds twice.
    package func transpose(_ x: Tensor, batches: Int, rows: Int, columns: Int, into y: Tensor) {
        let side = 32
        let blocks = (rows + side - 1) / side
        parallel(batches * blocks) { _, range in
            for unit in range {
                let (batch, block) = (unit / blocks, unit % blocks)
                let from = x.pointer + batch * rows * columns
                let to = y.pointer + batch * rows * columns
                let last = min((block + 1) * side, rows)
                for start in stride(from: 0, to: columns, by: side) {
                    for row in block * side..<last {
                        for column in start..<min(start + side, columns) {
                            to[column &* rows &+ row] = from[row &* columns &+ column]
                        }
                    }
                }
            }
        }
    }
}
