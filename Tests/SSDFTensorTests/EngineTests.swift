import CSSDFKernels
import SSDFCore
import SSDFTensor
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct MemoryPoolTests {
    /// A long chain of operations lives in the buffers that two of them need.
    @Test func reusesBuffers() {
        let compute = Compute(threads: 1)
        var x = compute.zeros([1000, 100])
        let one = compute.pool.usedBytes
        for _ in 0..<50 { x = compute.affine(x, scale: 1, shift: 1) }
        #expect(x.elements[99_999] == 50)
        #expect(compute.pool.peakBytes == 2 * one)
        #expect(compute.pool.heldBytes <= 2 * one)
    }

    @Test func neverHoldsMoreThanWasInUse() {
        let compute = Compute(threads: 1)
        for size in [10, 1000, 30, 100_000, 5, 20_000, 99_000, 3] {
            _ = compute.empty([size])
            #expect(compute.pool.heldBytes <= compute.pool.peakBytes)
        }
        #expect(compute.pool.usedBytes == 0)
        compute.pool.trim()
        #expect(compute.pool.heldBytes == 0)
    }
}

/// Results on any number of threads have the same bytes.
@Suite struct DeterminismTests {
    static func run(threads: Int) -> [[Float]] {
        let compute = Compute(threads: threads)
        var x = randomTensor([3000, 40], seed: 1)
        var weight = randomTensor([40, 40], seed: 2)
        x.variable = Variable()
        weight.variable = Variable()
        let plan = AttentionPlan(queries: [0..<1000, 1000..<3000], keys: [0..<1000, 1000..<3000])
        let loss = compute.differentiate {
            let h = compute.apply(.geluTanh, compute.linear(x, weight))
            let normed = compute.groupNorm(
                compute.layerNorm(h, epsilon: 1e-6), groups: 8, weight: Tensor(repeating: 1, shape: [40]),
                bias: Tensor(repeating: 0, shape: [40]), segments: [0..<1000, 1000..<3000])
            let heads = compute.reshape(normed, [3000, 5, 8])
            let attended = compute.attention(heads, heads, heads, plan: plan)
            return compute.sum(compute.multiply(attended, attended), scale: 1e-3)
        }
        return [[loss], x.variable!.gradient!.array, weight.variable!.gradient!.array]
    }

    @Test func equalBytesOnAnyNumberOfThreads() {
        let one = Self.run(threads: 1)
        for threads in [2, 3, 7] { #expect(Self.run(threads: threads) == one, "\(threads) threads") }
    }
}

/// Every instruction set against the scalar bodies.
@Suite struct KernelTests {
    static let sets: [Int32] = (1...2).filter { $0 <= ssdf_processor_isa() }
    static let lengths = [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 65]

    private func near(_ a: [Float], _ b: [Float], _ tolerance: Float = 1e-5) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
    }

    @Test(arguments: sets) func pointwise(_ set: Int32) {
        let (scalar, vector) = (ssdf_neural_kernels(0).pointee, ssdf_neural_kernels(set).pointee)
        for function in PointwiseFunction.allCases {
            for length in Self.lengths {
                let x = (0..<length).map { Float($0 - 20) / 3 }
                let dy = (0..<length).map { Float($0 % 5) - 2 }
                var (a, b) = ([Float](repeating: 7, count: length + 1), [Float](repeating: 7, count: length + 1))
                scalar.apply(function.rawValue, x, &a, length)
                vector.apply(function.rawValue, x, &b, length)
                #expect(near(a, b), "\(function) of \(length)")
                #expect(b[length] == 7, "\(function) of \(length) writes past its end")
                scalar.apply_gradient(function.rawValue, x, dy, &a, length)
                vector.apply_gradient(function.rawValue, x, dy, &b, length)
                #expect(near(a, b), "gradient of \(function) of \(length)")
                #expect(b[length] == 7)
            }
        }
    }

    /// The stated bounds, against the C library.
    @Test(arguments: [0, 1, 2].filter { $0 <= ssdf_processor_isa() }) func exponentialAndErrorFunction(_ set: Int32) {
        let kernels = ssdf_neural_kernels(set).pointee
        let x = (0..<40_000).map { Float($0 - 20_000) / 230 }
        var y = x
        kernels.apply(PointwiseFunction.exp.rawValue, x, &y, x.count)
        var worst = 0.0
        for (x, y) in zip(x, y) where x >= -86.6 {
            let exact = exp(Double(x))
            worst = max(worst, abs(Double(y) - exact) / exact)
        }
        #expect(worst <= 1.5e-7)
        var special: [Float] = [-.infinity, -1000, 1000, .nan, 0]
        kernels.apply(PointwiseFunction.exp.rawValue, special, &special, 5)
        #expect(special[0] == 0 && special[1] == 0 && special[2] > 3e38 && special[3].isNaN && special[4] == 1)
    }

    @Test(arguments: sets) func products(_ set: Int32) {
        let (scalar, vector) = (ssdf_neural_kernels(0).pointee, ssdf_neural_kernels(set).pointee)
        for (count, depth, columns) in [
            (1, 1, 1), (7, 5, 16), (13, 130, 33), (40, 64, 64), (25, 8, 100), (12, 300, 48),
        ] {
            let a = randomTensor([50, depth], seed: 1).array
            let b = randomTensor([depth, columns], seed: 2).array
            let rows = (0..<count).map { Int32($0 * 7 % 50) }
            let places = (0..<count).map { UInt16(count - 1 - $0) }
            func product(_ kernels: ssdf_neural_kernels) -> [[Float]] {
                var packed = [Float](repeating: 0, count: kernels.packed_count(depth, columns))
                kernels.pack(b, columns, 1, depth, columns, &packed)
                var c = [Float](repeating: 0.5, count: count * columns)
                kernels.product_rows(a, rows, depth, packed, depth, columns, &c, places, columns, count)
                var outer = [Float](repeating: 0.25, count: depth * columns)
                kernels.outer_rows(a, rows, depth, c, places, columns, 0, depth, columns, &outer, count)
                return [c, outer]
            }
            let (x, y) = (product(scalar), product(vector))
            #expect(near(x[0], y[0], 1e-4) && near(x[1], y[1], 1e-3), "\(count) × \(depth) × \(columns)")
        }
    }

    /// A matrix packed from its columns is the same as one packed from its rows.
    @Test(arguments: [0, 1, 2].filter { $0 <= ssdf_processor_isa() }) func packing(_ set: Int32) {
        let kernels = ssdf_neural_kernels(set).pointee
        for (depth, columns) in [(1, 1), (5, 16), (130, 33), (64, 64), (17, 100), (300, 48), (16, 7)] {
            let b = randomTensor([depth, columns], seed: 2).array
            var transposed = b
            for row in 0..<depth {
                for column in 0..<columns { transposed[column * depth + row] = b[row * columns + column] }
            }
            let size = kernels.packed_count(depth, columns)
            var (rows, across) = ([Float](repeating: 7, count: size + 1), [Float](repeating: 7, count: size + 1))
            kernels.pack(b, columns, 1, depth, columns, &rows)
            kernels.pack(transposed, 1, depth, depth, columns, &across)
            #expect(rows == across && rows[size] == 7, "\(depth) × \(columns)")
            #expect(rows.reduce(0, +) != 0)
        }
    }

    @Test(arguments: sets) func norms(_ set: Int32) {
        let (scalar, vector) = (ssdf_neural_kernels(0).pointee, ssdf_neural_kernels(set).pointee)
        for (rows, columns) in [(1, 1), (3, 16), (4, 17), (9, 64), (6, 130)] {
            let (x, dy) = (randomTensor([rows, columns], seed: 1).array, randomTensor([rows, columns], seed: 2).array)
            let (weight, bias) = (randomTensor([columns], seed: 3).array, randomTensor([columns], seed: 4).array)
            func run(_ kernels: ssdf_neural_kernels) -> [[Float]] {
                var (y, dx, dRMS) = (x, x, x)
                var (dWeight, dBias, dGamma) = (bias, bias, weight)
                kernels.layer_norm(x, weight, bias, 1e-5, &y, rows, columns)
                kernels.layer_norm_gradient(x, weight, dy, 1e-5, &dx, 0, &dWeight, &dBias, rows, columns)
                var rms = x
                kernels.rms_norm(x, weight, &rms, rows, 1, columns)
                kernels.rms_norm_gradient(x, weight, dy, &dRMS, &dGamma, rows, 1, columns)
                return [y, dx, dWeight, dBias, rms, dRMS, dGamma]
            }
            for (a, b) in zip(run(scalar), run(vector)) { #expect(near(a, b, 2e-4), "\(rows) × \(columns)") }
        }
    }

    @Test(arguments: sets) func attention(_ set: Int32) {
        func run(_ set: Int32) -> [[Float]] {
            let backend = CPUBackend(threads: 1, precision: .f32, pool: MemoryPool(), instructionSet: set)
            let q = randomTensor([131, 4, 12], seed: 1)
            let (k, v) = (randomTensor([77, 2, 12], seed: 2), randomTensor([77, 2, 12], seed: 3))
            let plan = AttentionPlan(queries: [0..<131], keys: [0..<77])
            let (y, logSum) = (Tensor(repeating: 0, shape: q.shape), Tensor(repeating: 0, shape: [131, 4]))
            backend.attention(q, k, v, plan: plan, into: y, logSum: logSum)
            let gradients = [q, k, v].map { Tensor(repeating: 0, shape: $0.shape) }
            backend.attentionGradients(
                q, k, v, plan: plan, y: y, logSum: logSum, dy: q, dq: gradients[0], dk: gradients[1],
                dv: gradients[2])
            return [y.array, logSum.array] + gradients.map(\.array)
        }
        for (a, b) in zip(run(0), run(set)) { #expect(near(a, b, 2e-5)) }
    }
}

@Suite struct OptimizerTests {
    /// Three steps worked out from the paper's formulas in double.
    @Test func adamFollowsItsFormulas() {
        let compute = Compute(threads: 1)
        var weight = Tensor([1, -2], shape: [1, 2])
        weight.variable = Variable()
        let optimizer = AdamW([weight])
        var (w, m, v) = ([1.0, -2.0], [0.0, 0.0], [0.0, 0.0])
        for step in 1...3 {
            _ = compute.differentiate { compute.sum(compute.multiply(weight, weight)) }
            for i in 0..<2 {
                let g = 2 * w[i]
                m[i] = 0.9 * m[i] + 0.1 * g
                v[i] = 0.999 * v[i] + 0.001 * g * g
                let (mh, vh) = (m[i] / (1 - pow(0.9, step)), v[i] / (1 - pow(0.999, step)))
                w[i] = w[i] - 0.1 * 0.01 * w[i] - 0.1 * mh / (vh.squareRoot() + 1e-8)
            }
            optimizer.step(rate: 0.1, compute)
            for i in 0..<2 { #expect(abs(Double(weight.elements[i]) - w[i]) < 1e-5) }
        }
        #expect(weight.variable?.gradient == nil)
    }

    private func pow(_ x: Double, _ n: Int) -> Double { (0..<n).reduce(1) { y, _ in y * x } }

    @Test func clipping() {
        #expect(AdamW.clipScale(norm: 0.5, limit: 1) == 1)
        #expect(AdamW.clipScale(norm: 4, limit: 1) == 0.25)
        #expect(AdamW.clipScale(norm: .nan, limit: 1) == 0)
    }

    @Test func movingAverageFollowsWeights() {
        let compute = Compute(threads: 1)
        let weight = Tensor([1], shape: [1])
        let average = MovingAverage([weight], decay: 0.9)
        weight.pointer[0] = 3
        average.update(from: [weight], compute)
        // Decay of the first step: 2/11.
        #expect(abs(average.averages[0].elements[0] - Float(2.0 / 11 + 3 * 9.0 / 11)) < 1e-6)
    }

    @Test func schedule() {
        let schedule = LearningRateSchedule(peak: 1, warmup: 10, total: 110, last: 0.1)
        #expect(schedule.rate(at: 0) == 0.1 && schedule.rate(at: 9) == 1)
        #expect(abs(schedule.rate(at: 60) - 0.55) < 1e-9)
        #expect(abs(schedule.rate(at: 500) - 0.1) < 1e-9)
        #expect(LearningRateSchedule(peak: 2).rate(at: 1_000_000) == 2)
    }
}

/// Layers that run tile by tile when nothing is recorded.
@Suite struct FeedForwardTests {
    private func layers(_ rows: Int, _ inputs: Int, _ hidden: Int) -> (Tensor, LayerWeights, LayerWeights) {
        (
            randomTensor([rows, inputs], seed: 1),
            LayerWeights(weight: randomTensor([hidden, inputs], seed: 2), bias: randomTensor([hidden], seed: 3)),
            LayerWeights(weight: randomTensor([inputs, hidden], seed: 4), bias: randomTensor([inputs], seed: 5))
        )
    }

    private func error(_ a: Tensor, _ b: Tensor) -> Double {
        var (difference, norm) = (0.0, 0.0)
        for (a, b) in zip(a.elements, b.elements) {
            difference += Double((a - b) * (a - b))
            norm += Double(b * b)
        }
        return (difference / norm).squareRoot()
    }

    private func oneByOne(_ x: Tensor, _ expand: LayerWeights, _ contract: LayerWeights, _ compute: Compute) -> Tensor {
        let hidden = compute.apply(.geluTanh, compute.linear(x, expand.weight, bias: expand.bias))
        return compute.linear(hidden, contract.weight, bias: contract.bias)
    }

    /// Tiles and hidden channels that do not come out even.
    @Test(arguments: [(1100, 40, 1400), (2000, 64, 96), (5, 16, 64)])
    func equalsItsLayers(rows: Int, inputs: Int, hidden: Int) {
        let (x, expand, contract) = layers(rows, inputs, hidden)
        let compute = Compute(threads: 2)
        let whole = compute.feedForward(x, expand: expand, .geluTanh, contract: contract)
        #expect(whole.array == oneByOne(x, expand, contract, compute).array)
        #expect(whole.array == Compute(threads: 5).feedForward(x, expand: expand, .geluTanh, contract: contract).array)
    }

    /// Each product is rounded once more: errors add up.
    @Test func brainFloatStaysNearItsLayers() {
        let (x, expand, contract) = layers(1100, 40, 2600)
        let exact = Compute(threads: 2).feedForward(x, expand: expand, .geluTanh, contract: contract)
        let rough = Compute(threads: 2, precision: .bf16).feedForward(x, expand: expand, .geluTanh, contract: contract)
        #expect(error(rough, exact) < 8e-3 && error(rough, exact) > 1e-5, "error \(error(rough, exact))")
        let again = Compute(threads: 3, precision: .bf16).feedForward(x, expand: expand, .geluTanh, contract: contract)
        #expect(again.array == rough.array)
    }
}

@Suite struct PrecisionTests {
    /// A deep product is cut into parts, whose sums are added.
    @Test func brainFloatProductOfManyInputs() {
        let (x, weight, bias) = (
            randomTensor([270, 2500], seed: 1), randomTensor([48, 2500], seed: 2), randomTensor([48], seed: 3)
        )
        let exact = Compute(threads: 2).linear(x, weight, bias: bias)
        let rough = Compute(threads: 2, precision: .bf16).linear(x, weight, bias: bias)
        let difference = zip(rough.elements, exact.elements).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        let norm = exact.elements.reduce(0.0) { $0 + Double($1 * $1) }
        let error = (difference / norm).squareRoot()
        #expect(error < 5e-3 && error > 1e-5, "error \(error)")
    }

    /// bf16 keeps 8 bits: relative error of a product of n random terms about 2⁻⁹·√2, well under 1e-2.
    @Test func brainFloatProduct() {
        let (x, weight, bias) = (
            randomTensor([300, 96], seed: 1), randomTensor([80, 96], seed: 2), randomTensor([80], seed: 3)
        )
        let exact = Compute(threads: 2).linear(x, weight, bias: bias)
        let rough = Compute(threads: 2, precision: .bf16).linear(x, weight, bias: bias)
        var (difference, norm) = (0.0, 0.0)
        for (a, b) in zip(rough.elements, exact.elements) {
            difference += Double((a - b) * (a - b))
            norm += Double(b * b)
        }
        let error = (difference / norm).squareRoot()
        #expect(error < 5e-3 && error > 1e-5, "error \(error)")
    }
}
