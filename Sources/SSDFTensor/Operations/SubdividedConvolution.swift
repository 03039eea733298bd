import CSSDFKernels
import SSDFCore

/// A layer that reads each row of a convolution's result, which is then not kept: f(row·Wᵀ + b).
package struct ConvolutionHead: Sendable {
    /// `[O, Cout]`
    package var weight: Tensor
    /// `[O]`
    package var bias: Tensor
    /// f.
    package var function: PointwiseFunction

    /// A layer of these parameters.
    package init(weight: Tensor, bias: Tensor, function: PointwiseFunction) {
        self.weight = weight
        self.bias = bias
        self.function = function
    }
}

extension Compute {
    /// A submanifold convolution over rows that were just subdivided: f(bias + Σ_t x[parent of neighbour t]·kernel[t])
    /// for the children 8i … 8i+7 of each row i, the last axis fastest.
    ///
    /// The children start as copies of their parent, so the taps of a child that fall into one parent multiply the same
    /// numbers: their matrices are added first, and 27 taps become 8. The parents' kernel map serves; the children's
    /// features and map are never made. Equal to subdividing and convolving but for rounding.
    /// - Parameters:
    ///   - x: `[N, Cin]`
    ///   - kernel: `[27, Cin, Cout]`, x varying fastest over the taps.
    ///   - bias: `[Cout]`
    ///   - map: the parents' 3×3×3 submanifold map.
    ///   - head: reads the result instead of it being kept.
    /// - Returns: `[8N, Cout]`, or `[8N, O]` with a head.
    /// - Precondition: nothing is being recorded.
    package func convolveSubdivided(
        _ x: Tensor, _ kernel: Tensor, bias: Tensor, map: KernelMap, function: PointwiseFunction,
        head: ConvolutionHead? = nil
    ) -> Tensor {
        precondition(!isRecording, "this convolution has no gradient")
        precondition(
            x.rows == map.inputRows && map.inputRows == map.outputRows && map.taps == 27
                && kernel.shape.count == 3 && kernel.shape[0] == 27 && kernel.shape[1] == x.columns,
            "a kernel of \(kernel.shape) over \(map.inputRows) rows cannot take \(x.shape)")
        precondition(head == nil || head!.weight.shape[1] == kernel.shape[2], "the head does not fit \(kernel.shape)")
        let y = empty([8 * map.outputRows, head?.weight.shape[0] ?? kernel.shape[2]])
        backend.convolveSubdivided(x, kernel: kernel, bias: bias, map: map, function: function, head: head, into: y)
        return y
    }
}

extension KernelMap {
    /// Pairs of one tap.
    package func pairCount(ofTap tap: Int) -> Int { (0..<tiles).reduce(0) { $0 + pairs(tile: $1, tap: tap).count } }
}

/// Offset of a tap along the axes, −1 … 1: x varies fastest.
private func offset(ofTap tap: Int) -> (Int, Int, Int) { (tap % 3 - 1, tap / 3 % 3 - 1, tap / 9 - 1) }

/// The parent that a child's neighbour lies in, on one axis: −1, 0 or 1 away.
private func parentStep(side: Int, step: Int) -> Int { (side + step + 2) / 2 - 1 }

/// Whether a child has a neighbour in the parent at a tap's offset.
private func reaches(child: Int, tap: Int) -> Bool {
    let (x, y, z) = offset(ofTap: tap)
    func reaches(_ side: Int, _ step: Int) -> Bool { step == 0 || (step == 1) == (side == 1) }
    return reaches(child >> 2, x) && reaches(child >> 1 & 1, y) && reaches(child & 1, z)
}

extension CPUBackend {
    package func convolveSubdivided(
        _ x: Tensor, kernel: Tensor, bias: Tensor, map: KernelMap, function: PointwiseFunction,
        head: ConvolutionHead?, into y: Tensor
    ) {
        let (depth, columns) = (kernel.shape[1], kernel.shape[2])
        let product = rowProduct(columns: columns)
        let (size, words) = (product.kernels.packed_count(depth, columns), product.words(depth))
        let packed = packChildren(kernel, product, size: size)
        let rows = operand(x.pointer, rows: x.rows, depth: depth, of: product)
        // Parents of a pass: their children's rows stay in the second cache level.
        let width = 8 * columns
        let memory = head.map { _ in scratch(threads * KernelMap.tileRows * width) }
        let (work, from, start, matrices, written) = (
            memory?.pointer, rows.pointer, bias.pointer, packed.pointer, y.pointer
        )
        let (stride, multiply) = (rows.stride, product.kernels.product_rows)
        parallel(map.tiles) { worker, range in
            for tile in range {
                let rows = map.rows(ofTile: tile)
                let target =
                    work.map { $0 + worker * KernelMap.tileRows * width } ?? written + rows.lowerBound * width
                for row in 0..<8 * rows.count { (target + row * columns).update(from: start, count: columns) }
                for tap in 0..<map.taps {
                    let pairs = map.pairs(tile: tile, tap: tap)
                    guard !pairs.isEmpty else { continue }
                    for child in 0..<8 where reaches(child: child, tap: tap) {
                        multiply(
                            from, map.inputs.pointer + pairs.lowerBound, stride,
                            matrices + (tap * 8 + child) * size, words, columns, target + child * columns,
                            map.outputs.pointer + pairs.lowerBound, width, pairs.count)
                    }
                }
                kernels.apply(function.rawValue, target, target, rows.count * width)
                if let head { apply(head, to: target, rows: 8 * rows.count, first: 8 * rows.lowerBound, into: y) }
            }
        }
        withExtendedLifetime((memory, packed, rows)) {}
    }

    private func apply(
        _ head: ConvolutionHead, to rows: UnsafePointer<Float>, rows count: Int, first: Int, into y: Tensor
    ) {
        let (outputs, columns) = (head.weight.shape[0], head.weight.shape[1])
        let target = y.pointer + first * outputs
        let (bias, weight) = (head.bias.pointer, head.weight.pointer)
        for row in 0..<count {
            for output in 0..<outputs {
                target[row * outputs + output] =
                    bias[output] + laneDot(rows + row * columns, weight + output * columns, columns)
            }
        }
        kernels.apply(head.function.rawValue, target, target, count * outputs)
    }

    /// `[tap, child]`: the sum of the matrices of those taps of the child that fall into the parent at the tap's offset.
    private func packChildren(_ kernel: Tensor, _ product: RowProduct, size: Int) -> Storage {
        let (depth, columns) = (kernel.shape[1], kernel.shape[2])
        let packed = scratch(27 * 8 * size)
        let sums = scratch(threads * depth * columns)
        parallel(27 * 8) { worker, range in
            for unit in range {
                let (tap, child) = (unit / 8, unit % 8)
                guard reaches(child: child, tap: tap) else { continue }
                let place = offset(ofTap: tap)
                let sum = sums.pointer + worker * depth * columns
                sum.update(repeating: 0, count: depth * columns)
                for fine in 0..<27 {
                    let step = offset(ofTap: fine)
                    guard parentStep(side: child >> 2, step: step.0) == place.0,
                        parentStep(side: child >> 1 & 1, step: step.1) == place.1,
                        parentStep(side: child & 1, step: step.2) == place.2
                    else { continue }
                    kernels.add(
                        sum, kernel.pointer + fine * depth * columns, 1, Int32(SSDF_SAME.rawValue), sum, depth, columns)
                }
                product.kernels.pack(sum, columns, 1, depth, columns, packed.pointer + unit * size)
            }
        }
        return packed
    }
}

/// Σ a·b in lanes of sixteen.
private func laneDot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = SIMD16<Float>()
    var index = 0
    while index + 16 <= count {
        sum +=
            UnsafeRawPointer(a + index).loadUnaligned(as: SIMD16<Float>.self)
            * UnsafeRawPointer(b + index).loadUnaligned(as: SIMD16<Float>.self)
        index += 16
    }
    var total = sum.sum()
    while index < count {
        total += a[index] * b[index]
        index += 1
    }
    return total
}
