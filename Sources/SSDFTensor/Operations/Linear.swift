import CSSDFKernels
import SSDFCore

extension Compute {
    /// y = x·Wᵀ + b.
    /// - Parameters:
    ///   - x: `[..., I]`
    ///   - weight: `[O, I]`
    ///   - bias: `[O]`
    /// - Returns: `[..., O]`
    package func linear(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil) -> Tensor {
        let inputs = weight.shape[1]
        precondition(x.shape.last == inputs, "a layer of \(weight.shape) cannot take \(x.shape)")
        let y = empty(x.shape.dropLast() + [weight.shape[0]])
        backend.linear(x, weight: weight, bias: bias, into: y)
        return record(y, [x, weight, bias]) { [self] dy, wanted in
            let dx = wanted[0] ? gradientRoom(of: x) : nil
            let dWeight = wanted[1] ? empty(weight.shape) : nil
            let dBias = wanted[2] ? empty([weight.shape[0]]) : nil
            backend.linearGradients(
                x, weight: weight, dy: dy, dx: dx?.tensor, adds: dx?.adds ?? false, dWeight: dWeight, dBias: dBias)
            return [dx?.tensor, dWeight, dBias]
        }
    }
}

/// How a product [m, k]·[k, n] is cut into tiles of the result, and its sum into parts: by its size alone.
struct ProductTiles {
    let rowTile: Int, columnTile: Int
    let rowTiles: Int, columnTiles: Int
    /// Parts that the sum over k is cut into, added up in order; 1 unless the result is too small to share out.
    let parts: Int
    let partDepth: Int

    init(m: Int, n: Int, k: Int) {
        // A tile packs both operands anew, so tiles are as large as still leaves some for every processor.
        let wanted = 24
        var row = min(m, 1024)
        var column = min(n, 2048)
        while (m + row - 1) / row * ((n + column - 1) / column) < wanted {
            if row > 256, row >= column {
                row = (row + 1) / 2
            } else if column > 256 {
                column = (column + 1) / 2
            } else if row > 256 {
                row = (row + 1) / 2
            } else {
                break
            }
        }
        rowTile = max((row + 15) / 16 * 16, 16)
        columnTile = max((column + 15) / 16 * 16, 16)
        rowTiles = (m + rowTile - 1) / rowTile
        columnTiles = (n + columnTile - 1) / columnTile
        let tiles = max(rowTiles * columnTiles, 1)
        parts = tiles >= 16 ? 1 : max(1, min(16 / tiles, k / 4096))
        partDepth = (k + parts - 1) / parts
    }
}

extension CPUBackend {
    package func linear(_ x: Tensor, weight: Tensor, bias: Tensor?, into y: Tensor) {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let rows = x.count / inputs
        if usesBrainFloat { return linearBrainFloat(x, weight: weight, bias: bias, rows: rows, into: y) }
        if hasWideKernels {
            multiplyPacked(x.pointer, rows: rows, weight, transposed: true, start: bias, into: y.pointer)
            return
        }
        if let bias { fillRows(y, rows: rows, with: bias) }
        multiply(
            m: rows, n: outputs, k: inputs, x.pointer, stride: inputs, weight.pointer, stride: inputs,
            transposeB: true, into: y.pointer, stride: outputs, accumulating: bias != nil)
    }

    /// The forward product in bf16. Gradients are f32 at every precision.
    private func linearBrainFloat(_ x: Tensor, weight: Tensor, bias: Tensor?, rows: Int, into y: Tensor) {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let layer = weight.storage.derived { BrainFloatLayer(weight, threads: threads) }
        // Few rows: smaller tiles, so that processors finish together.
        let tile = rows >= 16 * BrainFloatLayer.tileRows ? BrainFloatLayer.tileRows : BrainFloatLayer.tileRows / 2
        let tiles = (rows + tile - 1) / tile
        // Two bf16 numbers in the room of a float; sums of the parts after the first.
        let depth = layer.parts.map(\.inputs).max() ?? 0
        let narrow = (tile * depth / 2 + 63) / 64 * 64
        let size = narrow + (layer.parts.count > 1 ? tile * outputs : 0)
        let memory = scratch(min(threads, max(tiles, 1)) * size)
        parallel(tiles) { worker, range in
            let own = memory.pointer + worker * size
            let rounded = UnsafeMutableRawPointer(own).assumingMemoryBound(to: UInt16.self)
            for index in range {
                let first = index * tile
                let count = min(tile, rows - first)
                let target = y.pointer + first * outputs
                var column = 0
                for part in layer.parts {
                    let from = x.pointer + first * inputs + column
                    if part.inputs == inputs {
                        ssdf_f32_to_bf16(from, rounded, count * inputs)
                    } else {
                        for row in 0..<count {
                            ssdf_f32_to_bf16(from + row * inputs, rounded + row * part.inputs, part.inputs)
                        }
                    }
                    let isFirst = column == 0
                    part.multiply(
                        rows: count, rounded, bias: isFirst ? bias.map { UnsafePointer($0.pointer) } : nil,
                        into: UnsafeMutableRawPointer(isFirst ? target : own + narrow))
                    if !isFirst {
                        kernels.add(
                            target, own + narrow, 1, Int32(SSDF_SAME.rawValue), target, 1, count * outputs)
                    }
                    column += part.inputs
                }
            }
        }
    }

    /// dx = dy·W, or dx += that, dW = dyᵀ·x, db = Σ rows of dy.
    package func linearGradients(
        _ x: Tensor, weight: Tensor, dy: Tensor, dx: Tensor?, adds: Bool, dWeight: Tensor?, dBias: Tensor?
    ) {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let rows = x.count / inputs
        if let dx, hasWideKernels {
            multiplyPacked(
                dy.pointer, rows: rows, weight, transposed: false, start: nil, adds: adds, into: dx.pointer)
        } else if let dx {
            multiply(
                m: rows, n: inputs, k: outputs, dy.pointer, stride: outputs, weight.pointer, stride: inputs,
                into: dx.pointer, stride: inputs, accumulating: adds)
        }
        if let dWeight, hasWideKernels, max(outputs, inputs) <= Self.mostOuterSide, inputs % Self.widePanel == 0 {
            multiplyOuter(dy, x, rows: rows, into: dWeight)
        } else if let dWeight {
            multiply(
                m: outputs, n: inputs, k: rows, dy.pointer, stride: outputs, transposeA: true, x.pointer,
                stride: inputs, into: dWeight.pointer, stride: inputs)
        }
        if let dBias { sum(dy.viewed(as: [rows, outputs]), times: nil, kept: .row, into: dBias) }
    }

    /// Sides of the largest weight whose gradient the engine's own kernel makes faster than the library, which packs both
    /// operands: by a tenth at 128 × 512 and 841 rows on Zen 5.
    private static let mostOuterSide = 512

    /// dW [outputs, inputs] = dyᵀ·x, rows read where they lie: some rows of dW for each unit of work, and as many rows of
    /// the operands at a time as the second cache level holds.
    private func multiplyOuter(_ dy: Tensor, _ x: Tensor, rows: Int, into dWeight: Tensor) {
        let (outputs, inputs) = (dWeight.shape[0], dWeight.shape[1])
        let (slice, block) = (48, 256)
        let (left, right, target) = (dy.pointer, x.pointer, dWeight.pointer)
        parallel((outputs + slice - 1) / slice) { _, range in
            for unit in range {
                let (first, last) = (unit * slice, min((unit + 1) * slice, outputs))
                (target + first * inputs).update(repeating: 0, count: (last - first) * inputs)
                for start in stride(from: 0, to: rows, by: block) {
                    kernels.outer_rows(
                        left + start * outputs, nil, outputs, right + start * inputs, nil, inputs, first, last, inputs,
                        target, min(block, rows - start))
                }
            }
        }
    }

    /// y = x·Wᵀ (`transposed`) or x·W, plus `start` in every row, or y += that product, by the product kernel: the weight
    /// is packed once, the rows are read where they lie, and row tiles share nothing.
    private func multiplyPacked(
        _ x: UnsafePointer<Float>, rows: Int, _ weight: Tensor, transposed: Bool, start: Tensor?, adds: Bool = false,
        into y: UnsafeMutablePointer<Float>
    ) {
        let matrix = packed(weight, transposed: transposed)
        let (depth, columns, panel) = (matrix.depth, matrix.columns, kernels.panel)
        let strips = (columns + panel - 1) / panel
        let tile = rows >= 4096 ? 192 : 96
        let tiles = (rows + tile - 1) / tile
        // Few rows: strips are shared out as well.
        let parts = tiles >= 24 ? 1 : min(strips, max(1, 24 / max(tiles, 1)))
        // Reading a tensor's address counts a reference to memory that all threads share: never in a loop over rows.
        let bias = start?.pointer
        parallel(tiles * parts) { _, range in
            for unit in range {
                let (first, part) = (unit / parts * tile, unit % parts)
                let count = min(tile, rows - first)
                let range = strips * part / parts * panel..<min(strips * (part + 1) / parts * panel, columns)
                let target = y + first * columns + range.lowerBound
                if !adds { fill(target, stride: columns, rows: count, columns: range, with: bias) }
                matrix.multiply(
                    x + first * depth, stride: depth, rows: count, columns: range, depth: 0..<depth, into: target,
                    stride: columns)
            }
        }
        withExtendedLifetime(start) {}
    }

    /// Columns `range` of a row, or zeros, in every row of a tile that begins at the first of these columns.
    func fill(
        _ target: UnsafeMutablePointer<Float>, stride: Int, rows: Int, columns range: Range<Int>,
        with row: UnsafePointer<Float>?
    ) {
        for index in 0..<rows {
            if let row {
                (target + index * stride).update(from: row + range.lowerBound, count: range.count)
            } else {
                (target + index * stride).update(repeating: 0, count: range.count)
            }
        }
    }

    /// A weight laid out for the product kernel: x·Wᵀ (`transposed`) or x·W.
    func packed(_ weight: Tensor, transposed: Bool) -> PackedMatrix {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let (depth, columns) = transposed ? (inputs, outputs) : (outputs, inputs)
        let kernels = kernels
        let panel = kernels.panel
        // Panels are packed and multiplied one by one: a range of columns is a matrix of its own.
        let strips = (columns + panel - 1) / panel
        let memory = scratch(strips * kernels.packed_count(depth, panel))
        let matrix = PackedMatrix(kernels: kernels, depth: depth, columns: columns, memory: memory)
        let (values, target, stripSize) = (weight.pointer, memory.pointer, matrix.stripSize)
        parallel(strips) { _, range in
            for strip in range {
                let first = strip * panel
                kernels.pack(
                    values + (transposed ? first * inputs : first), transposed ? 1 : inputs,
                    transposed ? inputs : 1, depth, min(panel, columns - first), target + strip * stripSize)
            }
        }
        return matrix
    }

    /// c = a·b or c += a·b over tiles, in parallel.
    func multiply(
        m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, stride lda: Int, transposeA: Bool = false,
        _ b: UnsafePointer<Float>, stride ldb: Int, transposeB: Bool = false,
        into c: UnsafeMutablePointer<Float>, stride ldc: Int, accumulating: Bool = false
    ) {
        let tiles = ProductTiles(m: m, n: n, k: k)
        let count = tiles.rowTiles * tiles.columnTiles
        let storage = tiles.parts > 1 ? scratch((tiles.parts - 1) * m * n) : nil
        let partials = storage?.pointer
        parallel(count * tiles.parts) { _, range in
            for unit in range {
                let (part, tile) = (unit / count, unit % count)
                let row = tile / tiles.columnTiles * tiles.rowTile
                let column = tile % tiles.columnTiles * tiles.columnTile
                let first = part * tiles.partDepth
                // Part 0 goes straight to the result; the others wait to be added in order.
                let target = part == 0 ? c : partials! + (part - 1) * m * n
                let stride = part == 0 ? ldc : n
                product.multiply(
                    m: min(tiles.rowTile, m - row), n: min(tiles.columnTile, n - column),
                    k: min(tiles.partDepth, k - first),
                    transposeA ? a + first * lda + row : a + row * lda + first, stride: lda, transposeA: transposeA,
                    transposeB ? b + column * ldb + first : b + first * ldb + column, stride: ldb,
                    transposeB: transposeB, into: target + row * stride + column, stride: stride,
                    accumulating: accumulating && part == 0)
            }
        }
        guard let partials else { return }
        parallelRows(m, columns: n * tiles.parts) { range in
            for part in 0..<tiles.parts - 1 {
                for row in range {
                    let from = partials + (part * m + row) * n
                    kernels.add(c + row * ldc, from, 1, Int32(SSDF_SAME.rawValue), c + row * ldc, 1, n)
                }
            }
        }
        withExtendedLifetime(storage) {}
    }

    /// Every row of y becomes a copy of `row`.
    func fillRows(_ y: Tensor, rows: Int, with row: Tensor) {
        let columns = row.count
        let (target, from) = (y.pointer, row.pointer)
        parallelRows(rows, columns: columns) { range in
            for index in range { (target + index * columns).update(from: from, count: columns) }
        }
    }
}

/// A matrix `[depth, columns]` in the layout of the product kernel, panel by panel.
struct PackedMatrix: @unchecked Sendable {
    let kernels: ssdf_neural_kernels
    let depth: Int
    let columns: Int
    let memory: Storage

    /// Floats of a panel.
    var stripSize: Int { kernels.packed_count(depth, kernels.panel) }

    /// y += x·B over a range of columns and of the depth, for rows of x that begin at the first of that depth.
    /// - Parameters:
    ///   - range: begins at a panel's first column, and ends there or with the matrix.
    ///   - y: the first column of the range.
    func multiply(
        _ x: UnsafePointer<Float>, stride: Int, rows: Int, columns range: Range<Int>, depth part: Range<Int>,
        into y: UnsafeMutablePointer<Float>, stride target: Int
    ) {
        let panel = kernels.panel
        let (memory, stripSize) = (memory.pointer, stripSize)
        assert(range.lowerBound % panel == 0)
        for column in Swift.stride(from: range.lowerBound, to: range.upperBound, by: panel) {
            let width = min(panel, columns - column)
            // The last panel may have fewer vectors of columns.
            let vectors = kernels.packed_count(1, width)
            kernels.product_rows(
                x, nil, stride, memory + column / panel * stripSize + part.lowerBound * vectors, part.count,
                width,
                y + column - range.lowerBound, nil, target, rows)
        }
    }
}
