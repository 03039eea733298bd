import SSDFCore
import SSDFTensor
import Testing

@Suite struct VolumeTests {
    static let windows = [
        VolumeWindow(side: 3, padding: 1), VolumeWindow(side: 2, stride: 2), VolumeWindow(side: 1),
        VolumeWindow(side: 3, stride: 2, padding: 1),
    ]

    /// Convolution straight from its definition.
    static func plainConvolution(_ x: Tensor, _ weight: Tensor, _ bias: Tensor, _ window: VolumeWindow) -> [Float] {
        let s = x.shape
        let (o, i, k) = (weight.shape[0], weight.shape[1], window.side)
        let size = s[1...3].map(window.reduced)
        var result: [Float] = []
        for b in 0..<s[0] {
            for px in 0..<size[0] {
                for py in 0..<size[1] {
                    for pz in 0..<size[2] {
                        for out in 0..<o {
                            var sum = Double(bias.elements[out])
                            for tap in 0..<k * k * k {
                                let q = [px, py, pz].enumerated().map { axis, p in
                                    p * window.stride - window.padding + [tap / (k * k), tap / k % k, tap % k][axis]
                                }
                                guard zip(q, s[1...3]).allSatisfy({ $0 >= 0 && $0 < $1 }) else { continue }
                                let row = ((b * s[1] + q[0]) * s[2] + q[1]) * s[3] + q[2]
                                for c in 0..<i {
                                    sum +=
                                        Double(x.elements[row * i + c])
                                        * Double(weight.elements[(out * i + c) * k * k * k + tap])
                                }
                            }
                            result.append(Float(sum))
                        }
                    }
                }
            }
        }
        return result
    }

    @Test(arguments: windows) func convolvesByDefinition(_ window: VolumeWindow) {
        let x = randomTensor([2, 5, 4, 7, 3], seed: 1)
        let weight = randomTensor([6, 3, window.side, window.side, window.side], seed: 2)
        let bias = randomTensor([6], seed: 3)
        let y = Compute(threads: 2).convolveVolume(x, weight, bias: bias, window: window)
        let expected = Self.plainConvolution(x, weight, bias, window)
        #expect(y.count == expected.count)
        #expect(zip(y.elements, expected).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    @Test(arguments: windows) func gradients(_ window: VolumeWindow) {
        let x = randomTensor([2, 5, 4, 7, 3], seed: 1)
        let weight = randomTensor([6, 3, window.side, window.side, window.side], seed: 2)
        let bias = randomTensor([6], seed: 3)
        expectGradients(of: [x, weight, bias]) {
            $0.convolveVolume($1[0], $1[1], bias: $1[2], window: window)
        }
    }

    @Test func transposedGradients() {
        let window = VolumeWindow(side: 2, stride: 2)
        let x = randomTensor([2, 3, 2, 4, 3], seed: 1)
        let weight = randomTensor([3, 5, 2, 2, 2], seed: 2)
        let bias = randomTensor([5], seed: 3)
        expectGradients(of: [x, weight, bias]) {
            $0.convolveVolumeTransposed($1[0], $1[1], bias: $1[2], window: window)
        }
    }

    @Test func shufflesChannelsIntoSpace() {
        let compute = Compute(threads: 1)
        let x = Tensor((0..<2 * 16).map(Float.init), shape: [1, 1, 1, 2, 16])
        let y = compute.pixelShuffle(x)
        #expect(y.shape == [1, 2, 2, 4, 2])
        // Voxel (1, 0, 3) = child a 1, b 0, e 1 of input voxel z = 1; channel 1 is input channel 8 + 5.
        let row = (1 * 2 + 0) * 4 + 3
        #expect(y.elements[row * 2 + 1] == 16 + 13)
        expectGradients(of: [randomTensor([2, 2, 1, 3, 16], seed: 1)]) { $0.pixelShuffle($1[0]) }
    }
}

@Suite struct LossTests {
    @Test func gradients() {
        let (x, target) = (randomTensor([4, 9], seed: 1), randomTensor([4, 9], seed: 2))
        let weights = Tensor(randomTensor([4, 9], seed: 3).array.map { $0 + 1.5 }, shape: [4, 9])
        expectGradients(of: [x]) { $0.squaredError($1[0], target, weights: weights) }
        expectGradients(of: [x]) { $0.huber($1[0], target, delta: 0.37) }
        let chances = Tensor(target.array.map { 0.5 + 0.5 * $0 }, shape: [4, 9])
        expectGradients(of: [x]) { $0.crossEntropy(logits: $1[0], chances, weights: weights) }
        expectGradients(of: [x, target]) { $0.gaussianDivergence(mean: $1[0], logVariance: $1[1]) }
    }

    @Test func valuesByHand() {
        let compute = Compute(threads: 1)
        let (x, t) = (Tensor([1, -2], shape: [2]), Tensor([0, 1], shape: [2]))
        #expect(compute.squaredError(x, t).elements[0] == 5)
        #expect(abs(compute.huber(x, t, delta: 1).elements[0] - 1.5) < 1e-6)
        // ln(1 + e) and ln(1 + e²).
        #expect(abs(compute.crossEntropy(logits: x, t).elements[0] - (1.3132617 + 2.126928) / 2) < 1e-5)
        let zero = Tensor([0, 0], shape: [1, 2])
        #expect(compute.gaussianDivergence(mean: zero, logVariance: zero).elements[0] == 0)
    }
}
