import SSDFCore

extension Compute {
    /// The kernel over parents that does what a 3×3×3 kernel does over their children, where the children of a row are
    /// copies of it.
    ///
    /// The taps of a child that fall into one parent multiply the same numbers, so their matrices are added. A
    /// convolution with the result over the parents' map gives the eight children of each row side by side, without the
    /// children's features or kernel map ever being made.
    /// - Parameter kernel: `[27, I, O]`, x varying fastest over the taps.
    /// - Returns: `[27, I, 8·O]`: children in the order of subdivision, the last axis fastest.
    package func childKernel(_ kernel: Tensor) -> Tensor {
        precondition(kernel.shape.count == 3 && kernel.shape[0] == 27, "a kernel of \(kernel.shape) has not 27 taps")
        let (inputs, outputs) = (kernel.shape[1], kernel.shape[2])
        let wide = zeros([27, inputs, 8 * outputs])
        Self.forEachChildTap { child, tap, parentTap in
            for input in 0..<inputs {
                let from = kernel.pointer + (tap * inputs + input) * outputs
                let to = wide.pointer + (parentTap * inputs + input) * 8 * outputs + child * outputs
                for output in 0..<outputs { to[output] += from[output] }
            }
        }
        return record(wide, [kernel]) { [self] dy, _ in
            let dKernel = zeros(kernel.shape)
            Self.forEachChildTap { child, tap, parentTap in
                for input in 0..<inputs {
                    let to = dKernel.pointer + (tap * inputs + input) * outputs
                    let from = dy.pointer + (parentTap * inputs + input) * 8 * outputs + child * outputs
                    for output in 0..<outputs { to[output] += from[output] }
                }
            }
            return [dKernel]
        }
    }

    /// Calls `body` with every child, every tap of it, and the tap of the parent that reads the same row.
    private static func forEachChildTap(_ body: (_ child: Int, _ tap: Int, _ parentTap: Int) -> Void) {
        // Half a step in the child's grid: a neighbour at −1 … 2 from the parent's first child lies in parent −1, 0 or 1.
        func parent(_ side: Int, _ step: Int) -> Int { (side + step + 1) >> 1 }
        for child in 0..<8 {
            for tap in 0..<27 {
                let x = parent(child >> 2, tap % 3)
                let y = parent(child >> 1 & 1, tap / 3 % 3)
                let z = parent(child & 1, tap / 9)
                body(child, tap, (z * 3 + y) * 3 + x)
            }
        }
    }
}
