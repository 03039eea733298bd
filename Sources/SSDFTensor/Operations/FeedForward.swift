import CSSDFKernels
import SSDFCore

/// A weight `[O, I]` and its bias `[O]`.
package struct LayerWeights: Sendable {
    /// `[O, I]`
    package var weight: Tensor
    /// `[O]`; nil in a layer without.
    package var bias: Tensor?

    /// A layer's parameters.
    package init(weight: Tensor, bias: Tensor?) {
        self.weight = weight
        self.bias = bias
    }
}

extension Compute {
    /// Two linear layers with a function between them.
    ///
    /// Unless something is recorded, rows go through both layers tile by tile, and nothing of the hidden width, which is
    /// usually four times the channels, is ever stored: it stays in the second cache level. A tape keeps what the first
    /// layer gives, and the function is applied again when the gradient comes: memory is read slower than it is computed.
    /// - Parameters:
    ///   - x: `[..., I]`
    ///   - expand: `[H, I]`, `[H]`
    ///   - contract: `[O, H]`, `[O]`
    /// - Returns: `[..., O]`
    package func feedForward(
        _ x: Tensor, expand: LayerWeights, _ function: PointwiseFunction, contract: LayerWeights
    ) -> Tensor {
        let (hidden, inputs) = (expand.weight.shape[0], expand.weight.shape[1])
        precondition(
            x.shape.last == inputs && contract.weight.shape[1] == hidden,
            "layers of \(expand.weight.shape) and \(contract.weight.shape) cannot take \(x.shape)")
        if !isRecording {
            let y = empty(x.shape.dropLast() + [contract.weight.shape[0]])
            if backend.feedForward(x, expand: expand, function, contract: contract, into: y) { return y }
        }
        return applied(function, linear(x, expand.weight, bias: expand.bias), contract)
    }

    /// A linear layer of f(x), of which only x is kept.
    private func applied(_ function: PointwiseFunction, _ x: Tensor, _ layer: LayerWeights) -> Tensor {
        func activated() -> Tensor {
            let activated = empty(x.shape)
            backend.apply(function, x, into: activated)
            return activated
        }
        let (weight, bias) = (layer.weight, layer.bias)
        let y = empty(x.shape.dropLast() + [weight.shape[0]])
        backend.linear(activated(), weight: weight, bias: bias, into: y)
        return record(y, [x, weight, bias]) { [self] dy, wanted in
            let dx = wanted[0] ? empty(x.shape) : nil
            let dWeight = wanted[1] ? empty(weight.shape) : nil
            let dBias = wanted[2] ? empty([weight.shape[0]]) : nil
            backend.linearGradients(
                activated(), weight: weight, dy: dy, dx: dx, adds: false, dWeight: dWeight, dBias: dBias)
            if let dx { backend.applyGradient(function, x, dy: dx, into: dx) }
            return [dx, dWeight, dBias]
        }
    }
}

extension Backend {
    /// A back end without this operation: the layers are called one by one.
    package func feedForward(
        _ x: Tensor, expand: LayerWeights, _ function: PointwiseFunction, contract: LayerWeights, into y: Tensor
    ) -> Bool {
        false
    }
}

extension CPUBackend {
    /// Hidden channels at a time.
    private static let hiddenStep = 1024

    package func feedForward(
        _ x: Tensor, expand: LayerWeights, _ function: PointwiseFunction, contract: LayerWeights, into y: Tensor
    ) -> Bool {
        let rows = x.count / expand.weight.shape[1]
        guard precision.tilesFeedForward(rows: rows, wide: hasWideKernels) else { return false }
        if usesBrainFloat {
            guard function == .geluTanh else { return false }
            feedForwardBrainFloat(x, rows: rows, expand: expand, contract: contract, into: y)
            return true
        }
        feedForwardPacked(x, rows: rows, expand: expand, function, contract: contract, into: y)
        return true
    }

    private func feedForwardPacked(
        _ x: Tensor, rows: Int, expand: LayerWeights, _ function: PointwiseFunction, contract: LayerWeights,
        into y: Tensor
    ) {
        let (hidden, inputs, outputs) = (expand.weight.shape[0], expand.weight.shape[1], contract.weight.shape[0])
        let first = packed(expand.weight, transposed: true), second = packed(contract.weight, transposed: true)
        let tile = 96
        let step = min(Self.hiddenStep, hidden)
        let memory = scratch(threads * tile * step)
        let (expandBias, contractBias) = (expand.bias?.pointer, contract.bias?.pointer)
        parallel((rows + tile - 1) / tile) { worker, range in
            let middle = memory.pointer + worker * tile * step
            for unit in range {
                let start = unit * tile
                let count = min(tile, rows - start)
                let target = y.pointer + start * outputs
                fill(target, stride: outputs, rows: count, columns: 0..<outputs, with: contractBias)
                for channel in stride(from: 0, to: hidden, by: step) {
                    let width = min(step, hidden - channel)
                    fill(middle, stride: width, rows: count, columns: channel..<channel + width, with: expandBias)
                    first.multiply(
                        x.pointer + start * inputs, stride: inputs, rows: count, columns: channel..<channel + width,
                        depth: 0..<inputs, into: middle, stride: width)
                    kernels.apply(function.rawValue, middle, middle, count * width)
                    second.multiply(
                        middle, stride: width, rows: count, columns: 0..<outputs, depth: channel..<channel + width,
                        into: target, stride: outputs)
                }
            }
        }
    }

    private func feedForwardBrainFloat(
        _ x: Tensor, rows: Int, expand: LayerWeights, contract: LayerWeights, into y: Tensor
    ) {
        let (hidden, inputs, outputs) = (expand.weight.shape[0], expand.weight.shape[1], contract.weight.shape[0])
        let step = min(Self.hiddenStep, hidden)
        let second = contract.weight.storage.derived {
            BrainFloatLayer(contract.weight, depth: step, threads: threads)
        }
        let first = expand.weight.storage.derived {
            let starts = Array(stride(from: 0, to: hidden, by: step))
            let weight = Unchecked(expand.weight.pointer)
            return BrainFloatRows(
                products: parallelMap(starts.count, threads: threads) {
                    BrainFloatProduct(
                        weight.value + starts[$0] * inputs, stride: inputs, outputs: min(step, hidden - starts[$0]),
                        inputs: inputs, threads: threads)
                })
        }
        let tile = 128
        // Two bf16 numbers in the room of a float: the rows, their hidden channels, and sums in f32.
        let (rounded, spread) = (tile * inputs / 2 + 32, tile * step / 2 + 32)
        let size = rounded + spread + tile * outputs
        let memory = scratch(threads * size)
        parallel((rows + tile - 1) / tile) { worker, range in
            let own = memory.pointer + worker * size
            let narrow = UnsafeMutableRawPointer(own).assumingMemoryBound(to: UInt16.self)
            let middle = UnsafeMutableRawPointer(own + rounded).assumingMemoryBound(to: UInt16.self)
            let sums = own + rounded + spread
            for unit in range {
                let start = unit * tile
                let count = min(tile, rows - start)
                let target = y.pointer + start * outputs
                ssdf_f32_to_bf16(x.pointer + start * inputs, narrow, count * inputs)
                for (index, product) in first.products.enumerated() {
                    product.multiply(
                        rows: count, narrow, bias: expand.bias.map { UnsafePointer($0.pointer + index * step) }, .gelu,
                        into: UnsafeMutableRawPointer(middle))
                    second.parts[index].multiply(
                        rows: count, middle, bias: index == 0 ? contract.bias.map { UnsafePointer($0.pointer) } : nil,
                        into: UnsafeMutableRawPointer(index == 0 ? target : sums))
                    if index > 0 {
                        kernels.add(
                            target, sums, 1, Int32(SSDF_SAME.rawValue), target, 1, count * outputs)
                    }
                }
            }
        }
    }
}

extension Precision {
    /// Whether a feed-forward of so many rows runs tile by tile, without ever storing its hidden channels.
    /// - Parameter wide: whether the product kernels are; by default those of this processor.
    package func tilesFeedForward(
        rows: Int, wide: Bool = ssdf_neural_kernels(ssdf_isa()).pointee.panel >= CPUBackend.widePanel
    ) -> Bool {
        // With few rows the layers are cut along their columns too, which keeps all processors busy.
        rows >= 1024 && (usesBrainFloat || wide)
    }
}

/// Products side by side along the outputs.
private final class BrainFloatRows: Sendable {
    let products: [BrainFloatProduct]
    init(products: [BrainFloatProduct]) { self.products = products }
}
