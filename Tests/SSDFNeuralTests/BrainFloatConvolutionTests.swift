import SSDFCore
import SSDFNeural
import SSDFTensor
import Testing

/// Convolution with bf16 operands: the portable body rounds as the processor's instructions do, which are tried where
/// there are any.
@Suite struct BrainFloatConvolutionTests {
    static let backends = ["emulated", "native"]

    private static func compute(_ backend: String, threads: Int = 2) -> Compute {
        Compute(
            CPUBackend(
                threads: threads, precision: backend == "native" ? .bf16 : .f32, pool: MemoryPool(),
                emulatesBrainFloat: backend == "emulated"))
    }

    private static func random(_ shape: [Int], seed: UInt64, rounded: Bool = false) -> Tensor {
        let tensor = Tensor([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape)
        GaussianNoise(seed: seed, stream: 1).fill(
            UnsafeMutableBufferPointer(start: tensor.pointer, count: tensor.count), threads: 1)
        // Numbers that bf16 holds.
        if rounded {
            for index in 0..<tensor.count {
                tensor.pointer[index] = Float(bitPattern: tensor.pointer[index].bitPattern & 0xffff_0000)
            }
        }
        return tensor
    }

    /// A bent sheet of cells in two items, among them one without neighbours.
    private static func cells() throws -> CoordinateSet {
        var rows: [SIMD4<Int32>] = []
        for item in 0..<2 {
            for x in 0..<19 {
                for y in 0..<17 {
                    rows.append(SIMD4(Int32(item), Int32(x), Int32(y), Int32((x * y / (5 + item)) % 11)))
                }
            }
        }
        rows.append(SIMD4(1, 40, 40, 40))
        return try CoordinateSet(Buffer(rows))
    }

    private func error(_ a: Tensor, _ b: Tensor) -> Double {
        let difference = zip(a.elements, b.elements).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        return (difference / b.elements.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
    }

    /// Of operands that bf16 holds, products and sums are those of f32, for depths and widths that do not come out even.
    @Test(arguments: backends, [(64, 64), (33, 100), (1, 24), (300, 9)])
    func equalsSinglePrecision(_ backend: String, _ size: (Int, Int)) throws {
        let map = try Self.cells().kernelMap(threads: 2)
        let x = Self.random([map.inputRows, size.0], seed: 1, rounded: true)
        let kernel = Self.random([27, size.0, size.1], seed: 2, rounded: true)
        let bias = Self.random([size.1], seed: 3)
        let exact = Compute(threads: 2).convolve(x, kernel, bias: bias, map: map)
        let rough = Self.compute(backend).convolve(x, kernel, bias: bias, map: map)
        #expect(error(rough, exact) < 1e-6, "\(error(rough, exact))")
        #expect(Self.compute(backend, threads: 5).convolve(x, kernel, bias: bias, map: map).array == rough.array)
    }

    /// Operands are rounded, and nothing else is: bf16 keeps 8 bits.
    @Test(arguments: backends) func staysNearSinglePrecision(_ backend: String) throws {
        let map = try Self.cells().kernelMap(threads: 2)
        let x = Self.random([map.inputRows, 48], seed: 1)
        let kernel = Self.random([27, 48, 40], seed: 2)
        let bias = Self.random([40], seed: 3)
        let (exact, rough) = (Compute(threads: 2), Self.compute(backend))
        let isRounded = backend == "emulated" || Precision.bf16.roundsRows
        for (a, b) in [
            (rough.convolve(x, kernel, bias: bias, map: map), exact.convolve(x, kernel, bias: bias, map: map)),
            (
                rough.convolveSubdivided(x, kernel, bias: bias, map: map, function: .silu),
                exact.convolveSubdivided(x, kernel, bias: bias, map: map, function: .silu)
            ),
        ] {
            #expect(error(a, b) < 4e-3, "\(error(a, b))")
            #expect(!isRounded || error(a, b) > 1e-5, "nothing was rounded")
        }
    }

    @Test(arguments: backends) func volumes(_ backend: String) {
        let x = Self.random([2, 5, 4, 7, 13], seed: 1)
        for window in [VolumeWindow(side: 3, padding: 1), VolumeWindow(side: 2, stride: 2)] {
            let weight = Self.random([24, 13, window.side, window.side, window.side], seed: 2)
            let exact = Compute(threads: 2).convolveVolume(x, weight, bias: nil, window: window)
            let rough = Self.compute(backend).convolveVolume(x, weight, bias: nil, window: window)
            #expect(error(rough, exact) < 4e-3, "\(error(rough, exact))")
        }
    }
}
