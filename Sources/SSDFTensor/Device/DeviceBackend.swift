import CSSDFKernels
import SSDFCore
import Synchronization

/// The operations on a device with memory of its own, through a plug-in; those that the plug-in has not run on the
/// processor, with the tensors fetched and sent back by the way.
///
/// One thread at a time uses it. Results agree with the processor's within rounding, not to the bit.
package final class DeviceBackend: Backend {
    /// The device.
    package let plugin: DevicePlugin
    let processor: CPUBackend
    /// Starts of the segments of recent operations.
    private let starts = Mutex<[[Range<Int>]: DeviceArray]>([:])

    /// - Parameter threads: of the operations that run on the processor.
    package init(_ plugin: DevicePlugin, threads: Int) {
        self.plugin = plugin
        processor = CPUBackend(threads: threads, precision: .f32, pool: MemoryPool(of: plugin))
    }

    package var threads: Int { processor.threads }
    var pool: MemoryPool { processor.pool }
    var device: UnsafePointer<ssdf_device> { plugin.table }

    func read(_ x: Tensor) -> UnsafePointer<Float> { x.read(by: plugin) }
    func read(_ x: Tensor?) -> UnsafePointer<Float>? { x?.read(by: plugin) }
    func write(_ x: Tensor) -> UnsafeMutablePointer<Float> { x.write(by: plugin) }
    func write(_ x: Tensor?) -> UnsafeMutablePointer<Float>? { x?.write(by: plugin) }
    func change(_ x: Tensor) -> UnsafeMutablePointer<Float> { x.write(by: plugin, keeping: true) }

    // MARK: Linear

    package func linear(_ x: Tensor, weight: Tensor, bias: Tensor?, into y: Tensor) {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        device.pointee.linear(read(x), read(weight), read(bias), write(y), x.count / inputs, inputs, outputs)
    }

    package func linearGradients(
        _ x: Tensor, weight: Tensor, dy: Tensor, dx: Tensor?, adds: Bool, dWeight: Tensor?, dBias: Tensor?
    ) {
        if adds, let dx {
            let own = room(like: dx)
            linearGradients(x, weight: weight, dy: dy, dx: own, adds: false, dWeight: dWeight, dBias: dBias)
            return add(dx, own, scale: 1, broadcast: .same, into: dx)
        }
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        device.pointee.linear_gradients(
            read(x), read(weight), read(dy), write(dx), write(dWeight), write(dBias), x.count / inputs, inputs, outputs)
    }

    // MARK: Pointwise and arithmetic

    package func apply(_ function: PointwiseFunction, _ x: Tensor, into y: Tensor) {
        device.pointee.apply(function.rawValue, read(x), write(y), x.count)
    }

    package func applyGradient(_ function: PointwiseFunction, _ x: Tensor, dy: Tensor, into dx: Tensor) {
        device.pointee.apply_gradient(function.rawValue, read(x), read(dy), write(dx), x.count)
    }

    private func room(like x: Tensor) -> Tensor { Tensor(shape: x.shape, storage: pool.take(x.count)) }

    private func extent(_ x: Tensor) -> (rows: Int, columns: Int) {
        let columns = max(x.shape.last ?? 1, 1)
        return (x.count / columns, columns)
    }

    package func add(_ a: Tensor, _ b: Tensor, scale: Float, broadcast: Broadcast, into y: Tensor) {
        let (rows, columns) = extent(a)
        device.pointee.add(read(a), read(b), scale, broadcast.rawValue, write(y), rows, columns)
    }

    package func multiply(_ a: Tensor, _ b: Tensor, broadcast: Broadcast, into y: Tensor) {
        let (rows, columns) = extent(a)
        device.pointee.multiply(read(a), read(b), broadcast.rawValue, write(y), rows, columns)
    }

    package func multiply(
        _ x: Tensor, segments: [Range<Int>], by factors: Tensor, adding a: Tensor?, into y: Tensor
    ) {
        guard isContiguous(segments, rows: x.rows) else {
            processor.multiply(x, segments: segments, by: factors, adding: a, into: y)
            return
        }
        device.pointee.multiply_segments(
            read(x), read(factors), segmentStarts(segments), segments.count, read(a), write(y), x.rows, x.columns)
    }

    package func sum(_ x: Tensor, times other: Tensor, segments: [Range<Int>], into y: Tensor) {
        guard isContiguous(segments, rows: x.rows) else {
            processor.sum(x, times: other, segments: segments, into: y)
            return
        }
        device.pointee.sum_segments(
            read(x), read(other), segmentStarts(segments), segments.count, segments.map(\.count).max() ?? 0, write(y),
            x.rows, x.columns)
    }

    package func affine(_ x: Tensor, scale: Float, shift: Float, into y: Tensor) {
        device.pointee.affine(read(x), scale, shift, write(y), x.count)
    }

    package func sum(_ x: Tensor, times other: Tensor?, kept broadcast: Broadcast, into y: Tensor) {
        precondition(broadcast != .same, "nothing to sum")
        let (rows, columns) = extent(x)
        device.pointee.sum(read(x), read(other), broadcast.rawValue, write(y), rows, columns)
    }

    package func dot(_ a: Tensor, _ b: Tensor) -> Double { device.pointee.dot(read(a), read(b), a.count) }

    package func total(_ x: Tensor, scale: Float, into y: Tensor) {
        device.pointee.total(read(x), scale, write(y), x.count)
    }

    package func spread(_ x: Tensor, scale: Float, into y: Tensor) {
        device.pointee.spread(read(x), scale, write(y), y.count)
    }

    package func fill(_ y: Tensor, with value: Float) { device.pointee.fill(write(y), value, y.count) }

    package func copy(_ x: Tensor, into y: Tensor) {
        device.pointee.copy(write(y), read(x), x.count * MemoryLayout<Float>.stride)
    }

    package func addUp(_ parts: [[Tensor?]], into totals: [Tensor]) {
        for (number, part) in parts.enumerated() {
            let copies = zip(part, totals).compactMap { tensor, total -> ssdf_device_copy? in
                if tensor == nil, number > 0 { return nil }
                return ssdf_device_copy(
                    from: tensor.map { read($0) }, to: number > 0 ? change(total) : write(total), count: total.count)
            }
            device.pointee.copy_all(copies, copies.count, number > 0 ? 1 : 0)
        }
        if parts.isEmpty { for total in totals { fill(total, with: 0) } }
    }

    package func elementLoss(_ loss: ElementLoss, _ x: Tensor, _ target: Tensor, values: Tensor, slopes: Tensor) {
        let (kind, delta): (ssdf_device_loss, Float) =
            switch loss {
            case .huber(let delta): (SSDF_LOSS_HUBER, delta)
            case .crossEntropy: (SSDF_LOSS_CROSS_ENTROPY, 0)
            }
        device.pointee.element_loss(
            Int32(kind.rawValue), delta, read(x), read(target), write(values), write(slopes), x.count)
    }

    // MARK: Norms and softmax

    /// Starts of segments that follow each other from row 0 to the last, or nil for one segment.
    private func segmentStarts(_ segments: [Range<Int>]) -> UnsafePointer<Int32>? {
        guard segments.count > 1 else { return nil }
        let array = starts.withLock {
            if let known = $0[segments] { return known }
            if $0.count >= 64 { $0 = [:] }
            let made = DeviceArray(plugin, segments.map { Int32($0.lowerBound) } + [Int32(segments.last!.upperBound)])
            $0[segments] = made
            return made
        }
        return UnsafePointer(array.pointer())
    }

    private func isContiguous(_ segments: [Range<Int>], rows: Int) -> Bool {
        var at = 0
        for segment in segments {
            guard segment.lowerBound == at else { return false }
            at = segment.upperBound
        }
        return at == rows
    }

    package func layerNorm(
        _ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float, segments: [Range<Int>], into y: Tensor
    ) {
        guard isContiguous(segments, rows: x.rows) else {
            processor.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon, segments: segments, into: y)
            return
        }
        device.pointee.layer_norm(
            read(x), read(weight), read(bias), segmentStarts(segments), segments.count, epsilon, write(y), x.rows,
            x.columns)
    }

    package func layerNormGradients(
        _ x: Tensor, weight: Tensor?, dy: Tensor, epsilon: Float, segments: [Range<Int>], dx: Tensor, adds: Bool,
        dWeight: Tensor?, dBias: Tensor?
    ) {
        guard isContiguous(segments, rows: x.rows) else {
            processor.layerNormGradients(
                x, weight: weight, dy: dy, epsilon: epsilon, segments: segments, dx: dx, adds: adds, dWeight: dWeight,
                dBias: dBias)
            return
        }
        if adds {
            let own = room(like: dx)
            layerNormGradients(
                x, weight: weight, dy: dy, epsilon: epsilon, segments: segments, dx: own, adds: false,
                dWeight: dWeight, dBias: dBias)
            return add(dx, own, scale: 1, broadcast: .same, into: dx)
        }
        device.pointee.layer_norm_gradients(
            read(x), read(weight), read(dy), segmentStarts(segments), segments.count,
            segments.map(\.count).max() ?? 0, epsilon, write(dx), write(dWeight), write(dBias), x.rows, x.columns)
    }

    package func rmsNorm(_ x: Tensor, gamma: Tensor, into y: Tensor) {
        let (heads, dimension) = (gamma.shape[0], gamma.shape[1])
        device.pointee.rms_norm(read(x), read(gamma), write(y), x.count / (heads * dimension), heads, dimension)
    }

    package func rmsNormGradients(_ x: Tensor, gamma: Tensor, dy: Tensor, dx: Tensor, dGamma: Tensor) {
        let (heads, dimension) = (gamma.shape[0], gamma.shape[1])
        device.pointee.rms_norm_gradients(
            read(x), read(gamma), read(dy), write(dx), write(dGamma), x.count / (heads * dimension), heads, dimension)
    }

    package func softmax(_ x: Tensor, into y: Tensor) {
        let (rows, columns) = extent(x)
        device.pointee.softmax(read(x), write(y), rows, columns)
    }

    package func softmaxGradient(_ y: Tensor, dy: Tensor, into dx: Tensor) {
        let (rows, columns) = extent(y)
        device.pointee.softmax_gradient(read(y), read(dy), write(dx), rows, columns)
    }

    // MARK: Rows and columns

    package func gather(_ x: Tensor, _ map: RowMap, into y: Tensor) {
        let index = map.deviceForm.get { DeviceArray(plugin, UnsafePointer(map.index.pointer), count: map.count) }
        device.pointee.gather(read(x), UnsafePointer(index.pointer()), write(y), map.count, x.columns)
    }

    private struct Members: Sendable {
        let starts: DeviceArray
        let rows: DeviceArray
        let longest: Int
    }

    package func reduce(_ x: Tensor, _ map: RowMap, weights: Tensor?, into y: Tensor) {
        let members = map.deviceMembers.get {
            let members = map.members
            var longest = 0
            for target in 0..<map.targets {
                longest = max(longest, Int(members.starts.pointer[target + 1] - members.starts.pointer[target]))
            }
            return Members(
                starts: DeviceArray(plugin, UnsafePointer(members.starts.pointer), count: map.targets + 1),
                rows: DeviceArray(plugin, UnsafePointer(members.rows.pointer), count: map.count), longest: longest)
        }
        device.pointee.reduce(
            read(x), UnsafePointer(members.starts.pointer()), UnsafePointer(members.rows.pointer()), read(weights),
            write(y), map.targets, x.columns, members.longest)
    }

    package func copyColumns(from x: Tensor, at source: Int, to y: Tensor, at target: Int, count: Int) {
        let to = count == y.columns ? write(y) : change(y)
        device.pointee.copy_columns(read(x), x.columns, source, to, y.columns, target, x.rows, count)
    }

    package func transpose(_ x: Tensor, batches: Int, rows: Int, columns: Int, into y: Tensor) {
        device.pointee.transpose(read(x), write(y), batches, rows, columns)
    }

    // MARK: Optimiser

    package func adamStep(_ step: AdamStep, weight: Tensor, gradient: Tensor, first: Tensor, second: Tensor) {
        let (correction1, correction2) = step.corrections
        var parameters = ssdf_device_adam(
            rate: step.rate, beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon, decay: step.decay,
            correction1: correction1, correction2: correction2, gradient_scale: step.gradientScale)
        device.pointee.adam_step(
            &parameters, change(weight), read(gradient), change(first), change(second), weight.count)
    }

    // MARK: On the processor

    package func groupNorm(
        _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, into y: Tensor
    ) -> GroupStatistics {
        processor.groupNorm(x, groups: groups, weight: weight, bias: bias, epsilon: epsilon, into: y)
    }

    package func groupNormGradients(
        _ x: Tensor, groups: Int, statistics: GroupStatistics, weight: Tensor, dy: Tensor, dx: Tensor,
        dWeight: Tensor, dBias: Tensor
    ) {
        processor.groupNormGradients(
            x, groups: groups, statistics: statistics, weight: weight, dy: dy, dx: dx, dWeight: dWeight, dBias: dBias)
    }

    package func convolve(_ x: Tensor, kernel: Tensor, bias: Tensor?, map: KernelMap, into y: Tensor) {
        processor.convolve(x, kernel: kernel, bias: bias, map: map, into: y)
    }

    package func convolveGradients(
        _ x: Tensor, kernel: Tensor, dy: Tensor, map: KernelMap, dx: Tensor?, dKernel: Tensor?, dBias: Tensor?
    ) {
        processor.convolveGradients(x, kernel: kernel, dy: dy, map: map, dx: dx, dKernel: dKernel, dBias: dBias)
    }

    package func convolveSubdivided(
        _ x: Tensor, kernel: Tensor, bias: Tensor, map: KernelMap, function: PointwiseFunction,
        head: ConvolutionHead?, into y: Tensor
    ) {
        processor.convolveSubdivided(x, kernel: kernel, bias: bias, map: map, function: function, head: head, into: y)
    }

    package func pooledActivation(
        _ values: UnsafeBufferPointer<Float>, starts: UnsafeBufferPointer<Int32>,
        layer: (scale: Tensor, shift: Tensor), normed: (scale: [Float], shift: [Float]), function: PointwiseFunction,
        extra: Int, mean: Tensor, active: Tensor
    ) {
        processor.pooledActivation(
            values, starts: starts, layer: layer, normed: normed, function: function, extra: extra, mean: mean,
            active: active)
    }

    package func convolveVolume(
        _ x: Tensor, weight: Tensor, bias: Tensor?, window: VolumeWindow, transposed: Bool, into y: Tensor
    ) {
        processor.convolveVolume(x, weight: weight, bias: bias, window: window, transposed: transposed, into: y)
    }

    package func volumeKernelGradient(fine: Tensor, coarse: Tensor, window: VolumeWindow, into dWeight: Tensor) {
        processor.volumeKernelGradient(fine: fine, coarse: coarse, window: window, into: dWeight)
    }

    package func pixelShuffle(_ x: Tensor, into y: Tensor, inverse: Bool) {
        processor.pixelShuffle(x, into: y, inverse: inverse)
    }
}
