import CSSDFKernels
import SSDFCore

extension Compute {
    /// Sparse submanifold convolution: out[o] = bias + Σ_t x[i]·kernel[t] over the pairs (i, o) of each tap t.
    /// - Parameters:
    ///   - x: `[inputs, Cin]`
    ///   - kernel: `[taps, Cin, Cout]`
    ///   - bias: `[Cout]`
    /// - Returns: `[outputs, Cout]`
    package func convolve(_ x: Tensor, _ kernel: Tensor, bias: Tensor?, map: KernelMap) -> Tensor {
        precondition(
            x.rows == map.inputRows && kernel.shape.count == 3 && kernel.shape[0] == map.taps
                && kernel.shape[1] == x.columns,
            "a kernel of \(kernel.shape) over \(map.inputRows) rows cannot take \(x.shape)")
        let y = empty([map.outputRows, kernel.shape[2]])
        backend.convolve(x, kernel: kernel, bias: bias, map: map, into: y)
        return record(y, [x, kernel, bias]) { [self] dy, wanted in
            let dx = wanted[0] ? empty(x.shape) : nil
            let dKernel = wanted[1] ? empty(kernel.shape) : nil
            let dBias = wanted[2] ? empty([kernel.shape[2]]) : nil
            backend.convolveGradients(x, kernel: kernel, dy: dy, map: map, dx: dx, dKernel: dKernel, dBias: dBias)
            return [dx, dKernel, dBias]
        }
    }
}

/// The convolution multiplies rows where they lie: the product kernel reads input rows through the pair list, one
/// broadcast number at a time, and keeps output rows in registers over the depth of a tap. Nothing is gathered or
/// scattered, and taps without a neighbour cost nothing.
extension CPUBackend {
    package func convolve(_ x: Tensor, kernel: Tensor, bias: Tensor?, map: KernelMap, into y: Tensor) {
        let (depth, columns) = (kernel.shape[1], kernel.shape[2])
        let product = rowProduct(columns: columns)
        let packed = packTaps(kernel, transposed: false, product)
        let rows = operand(x.pointer, rows: x.rows, depth: depth, of: product)
        let (first, start) = (y.pointer, bias?.pointer)
        convolve(
            rows, depth: depth, packed: packed.pointer, columns: columns, map: map, reversed: false, product,
            into: first
        ) { rows in
            for row in rows {
                let target = first + row * columns
                if let start {
                    target.update(from: start, count: columns)
                } else {
                    target.update(repeating: 0, count: columns)
                }
            }
        }
        withExtendedLifetime((packed, rows)) {}
    }

    /// dx[i] = Σ_t dy[o]·kernel[t]ᵀ, dKernel[t] = Σ x[i]ᵀ·dy[o], dBias = Σ dy.
    ///
    /// dx is the convolution of dy with the transposed taps in reverse order over the same map, which is its own
    /// transpose.
    package func convolveGradients(
        _ x: Tensor, kernel: Tensor, dy: Tensor, map: KernelMap, dx: Tensor?, dKernel: Tensor?, dBias: Tensor?
    ) {
        let (depth, columns) = (kernel.shape[1], kernel.shape[2])
        if let dx {
            precondition(map.isSymmetric, "only submanifold maps are their own transpose")
            let product = exactRowProduct(columns: depth)
            let packed = packTaps(kernel, transposed: true, product)
            let rows = operand(dy.pointer, rows: dy.rows, depth: columns, of: product)
            convolve(
                rows, depth: columns, packed: packed.pointer, columns: depth, map: map, reversed: true, product,
                into: dx.pointer
            ) { rows in
                (dx.pointer + rows.lowerBound * depth).update(repeating: 0, count: rows.count * depth)
            }
            withExtendedLifetime((packed, rows)) {}
        }
        if let dKernel { kernelGradient(x, dy: dy, map: map, into: dKernel) }
        if let dBias { sum(dy, times: nil, kept: .row, into: dBias) }
    }

    private func convolve(
        _ x: ProductRows, depth: Int, packed: UnsafePointer<Float>, columns: Int, map: KernelMap, reversed: Bool,
        _ product: RowProduct, into y: UnsafeMutablePointer<Float>, start: (Range<Int>) -> Void
    ) {
        let (kernels, words) = (product.kernels, product.words(depth))
        let tapSize = kernels.packed_count(depth, columns)
        let (from, stride) = (x.pointer, x.stride)
        parallel(map.tiles) { _, range in
            for tile in range {
                let rows = map.rows(ofTile: tile)
                start(rows)
                for tap in 0..<map.taps {
                    let pairs = map.pairs(tile: tile, tap: tap)
                    let weights = packed + (reversed ? map.taps - 1 - tap : tap) * tapSize
                    kernels.product_rows(
                        from, map.inputs.pointer + pairs.lowerBound, stride, weights, words, columns,
                        y + rows.lowerBound * columns, map.outputs.pointer + pairs.lowerBound, columns, pairs.count)
                }
            }
        }
    }

    /// Each tap's matrix, or its transpose, in the layout of the product kernel.
    private func packTaps(_ kernel: Tensor, transposed: Bool, _ product: RowProduct) -> Storage {
        let (taps, depth, columns) = (kernel.shape[0], kernel.shape[1], kernel.shape[2])
        let kernels = product.kernels
        let size = transposed ? kernels.packed_count(columns, depth) : kernels.packed_count(depth, columns)
        let packed = scratch(taps * size)
        parallel(taps) { _, range in
            for tap in range {
                let matrix = kernel.pointer + tap * depth * columns
                if transposed {
                    kernels.pack(matrix, 1, columns, columns, depth, packed.pointer + tap * size)
                } else {
                    kernels.pack(matrix, columns, 1, depth, columns, packed.pointer + tap * size)
                }
            }
        }
        return packed
    }

    /// Work is shared out by tap, by blocks of the kernel's rows, and by runs of tiles; the runs' sums are added in
    /// order. Short runs keep their rows in cache between taps, but each needs a kernel of its own.
    private func kernelGradient(_ x: Tensor, dy: Tensor, map: KernelMap, into dKernel: Tensor) {
        let (taps, depth, columns) = (dKernel.shape[0], dKernel.shape[1], dKernel.shape[2])
        let size = taps * depth * columns
        let runs = max(1, min(32, map.tiles, (16 << 20) / max(size, 1)))
        let runTiles = max((map.tiles + runs - 1) / runs, 1)
        let blocks = runs >= 8 ? 1 : max(1, min(depth / 64, 8))
        let kernels = kernels(columns: columns)
        let storage = scratch(max(runs * size, 1))
        let (partial, from, slopes, to) = (storage.pointer, x.pointer, dy.pointer, dKernel.pointer)
        partial.update(repeating: 0, count: runs * size)
        parallel(runs * taps * blocks) { _, range in
            for unit in range {
                let (run, rest) = (unit / (taps * blocks), unit % (taps * blocks))
                let (tap, block) = (rest / blocks, rest % blocks)
                let target = partial + run * size + tap * depth * columns
                for tile in run * runTiles..<max(min((run + 1) * runTiles, map.tiles), run * runTiles) {
                    let pairs = map.pairs(tile: tile, tap: tap)
                    guard !pairs.isEmpty else { continue }
                    let first = map.rows(ofTile: tile).lowerBound
                    kernels.outer_rows(
                        from, map.inputs.pointer + pairs.lowerBound, depth, slopes + first * columns,
                        map.outputs.pointer + pairs.lowerBound, columns, depth * block / blocks,
                        depth * (block + 1) / blocks, columns, target, pairs.count)
                }
            }
        }
        parallelRows(size, columns: runs) { range in
            for index in range {
                var total = 0.0
                for run in 0..<runs { total += Double(partial[run * size + index]) }
                to[index] = Float(total)
            }
        }
        withExtendedLifetime(storage) {}
    }
}
