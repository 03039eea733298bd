import SSDFCore
import SSDFNeural
import SSDFTensor
import Testing

/// Both passes of guidance as one batch, beside the same passes one by one.
@Suite struct GuidanceBatchTests {
    private static func noise(_ shape: [Int], stream: UInt64) -> Tensor {
        let x = Tensor(repeating: 0, shape: shape)
        GaussianNoise(seed: 1, stream: stream).fill(
            UnsafeMutableBufferPointer(start: x.pointer, count: x.count), threads: 1)
        return x
    }

    /// A spherical shell of cells in a grid.
    private static func shell(side: Int, item: Int32 = 0) -> [SIMD4<Int32>] {
        var rows: [SIMD4<Int32>] = []
        let radius = Double(side) * 0.45
        for x in 0..<side {
            for y in 0..<side {
                for z in 0..<side {
                    let p = [x, y, z].map { Double($0) + 0.5 - Double(side) / 2 }
                    let d = (p[0] * p[0] + p[1] * p[1] + p[2] * p[2]).squareRoot()
                    if abs(d - radius) < 0.9 { rows.append(SIMD4(item, Int32(x), Int32(y), Int32(z))) }
                }
            }
        }
        return rows
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        try body()
        let start = ContinuousClock.now
        for _ in 0..<5 { try body() }
        return (ContinuousClock.now - start) / .seconds(5)
    }

    @Test(arguments: [Precision.f32, .bf16]) func sparsePassesAgree(precision: Precision) throws {
        var config = SparseDiTConfig()
        (config.resolution, config.inChannels, config.outChannels) = (16, 8, 8)
        (config.modelChannels, config.condChannels, config.numBlocks, config.numHeads) = (128, 128, 6, 4)
        (config.compressionBlockSize, config.compressionVersion, config.shareMod) = (8, .v1, true)
        let network = try SparseDiffusionTransformer(.random(seed: 3), .init(config))
        let compute = Compute(threads: 2, precision: precision)
        let one = try CoordinateSet(Buffer(Self.shell(side: 16))).blockOrder(size: 8).coordinates
        let two = try CoordinateSet(Buffer(one.rows.array + one.rows.array.map { $0 &+ SIMD4(1, 0, 0, 0) }))
        let x = Self.noise([one.count, 8], stream: 1)
        let tokens = Self.noise([1, 201, 128], stream: 2)
        let none = compute.zeros(tokens.shape)
        var apart: [Tensor] = []
        var joined = x
        let separately = try Self.seconds {
            apart = try [tokens, none].map {
                try network(SparseTensor(features: x, coordinates: one), t: [500], .dense($0), compute).features
            }
        }
        let together = try Self.seconds {
            let both = SparseTensor(features: compute.stack([x, x]), coordinates: two)
            joined = try network(both, t: [500, 500], .dense(compute.stack([tokens, none])), compute).features
        }
        let error = relativeError(joined, compute.stack(apart))
        print("guidance, sparse, \(one.count) tokens, \(precision): \(separately) s, \(together) s, error \(error)")
        #expect(error < (precision == .f32 ? 1e-6 : 1e-2))
    }

    @Test func densePassesAgree() throws {
        var config = DenseDiTConfig()
        (config.inChannels, config.outChannels, config.modelChannels, config.condChannels) = (1, 1, 128, 128)
        (config.numBlocks, config.numHeads, config.patchSize, config.shareMod) = (4, 4, 4, true)
        let network = try DenseDiffusionTransformer(.random(seed: 3), config)
        let compute = Compute(threads: 2)
        let x = Self.noise([1, 1, 16, 16, 16], stream: 1)
        let tokens = Self.noise([1, 201, 128], stream: 2)
        let none = compute.zeros(tokens.shape)
        var apart: [Tensor] = []
        var joined = x
        let separately = Self.seconds {
            apart = [tokens, none].map { network(x, t: [500], condition: $0, compute) }
        }
        let together = Self.seconds {
            joined = network(
                compute.stack([x, x]), t: [500, 500], condition: compute.stack([tokens, none]), compute)
        }
        let error = relativeError(joined, compute.stack(apart))
        print("guidance, dense, 64 tokens: \(separately) s, \(together) s, error \(error)")
        #expect(error < 1e-6)
    }
}
