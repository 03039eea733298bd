import SSDFCore
import SSDFNeural
import SSDFTensor
import Testing

@Suite struct SpatialSparseAttentionTests {
    static let channels = 48

    static func module(_ version: BlockCompression.Version, cell: Int, shift: Int) throws -> SpatialSparseAttention {
        var options = SpatialSparseAttention.Options(channels: channels, queryHeads: 8, keyHeads: 2, headDimension: 16)
        options.compressionSize = cell
        options.best = 2
        options.windowShift = shift
        options.compression = version
        var generator = Philox(seed: 5)
        let width = 32
        var shapes: [String: [Int]] = [
            "proj_q.weight": [128, channels], "proj_k.weight": [width, channels], "proj_v.weight": [width, channels],
            "proj_o.weight": [channels, 128], "gate.0.weight": [3, channels],
            "intra_block_pe": [cell, cell, cell, width],
        ]
        for name in ["compression_key", "compression_value"] {
            switch version {
            case .pooled:
                shapes["\(name).act_layers.0.conv.kernel"] = [width, width]
                shapes["\(name).act_layers.0.conv.bias"] = [width]
            case .residual:
                for layer in ["act_layers.0", "out_layers.1"] {
                    shapes["\(name).\(layer).weight"] = [width]
                    shapes["\(name).\(layer).bias"] = [width]
                }
                for layer in ["out_layers.0", "out_layers.3"] {
                    shapes["\(name).\(layer).conv.kernel"] = [27, width, width]
                    shapes["\(name).\(layer).conv.bias"] = [width]
                }
            }
        }
        var tensors: [String: Tensor] = [:]
        for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
            tensors[name] = random(shape, &generator, scale: 0.3)
        }
        return try SpatialSparseAttention(ParameterSource(tensors: tensors), options)
    }

    static func random(_ shape: [Int], _ generator: inout Philox, scale: Float = 1) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in scale * Float(generator.uniform() * 2 - 1) }, shape: shape)
    }

    /// Tokens of a spherical shell that touches the border of the grid, in block order.
    static func shell(side: Int32, batch: Int32 = 0) -> [SIMD4<Int32>] {
        let middle = Float(side - 1) / 2
        var rows: [SIMD4<Int32>] = []
        for x in 0..<side {
            for y in 0..<side {
                for z in 0..<side {
                    let d = SIMD3(Float(x), Float(y), Float(z)) - middle
                    let distance = (d * d).sum().squareRoot()
                    if abs(distance - middle) < 0.6 { rows.append(SIMD4(batch, x, y, z)) }
                }
            }
        }
        return rows.sorted { key($0).lexicographicallyPrecedes(key($1)) }
    }

    private static func key(_ c: SIMD4<Int32>) -> [Int32] {
        [c.x, c.y / 8, c.z / 8, c.w / 8, c.y % 8, c.z % 8, c.w % 8]
    }

    static func tensor(_ rows: [SIMD4<Int32>], seed: UInt64) throws -> SparseTensor {
        var generator = Philox(seed: seed)
        return SparseTensor(
            features: random([rows.count, channels], &generator), coordinates: try CoordinateSet(Buffer(rows)))
    }

    @Test(arguments: [BlockCompression.Version.pooled, .residual], [0, 4])
    func sortsUnsortedTokens(_ version: BlockCompression.Version, shift: Int) throws {
        let module = try Self.module(version, cell: version == .pooled ? 8 : 4, shift: shift)
        let sorted = try Self.tensor(Self.shell(side: 22), seed: 1)
        let compute = Compute(threads: 2)
        let expected = try module(sorted, compute).features.array
        // Every 7th row first, and so on: all blocks torn apart.
        let count = sorted.count
        let order = (0..<7).flatMap { stride(from: $0, to: count, by: 7) }
        var (rows, features): ([SIMD4<Int32>], [Float]) = ([], [])
        for row in order {
            rows.append(sorted.coordinates.rows.pointer[row])
            features += (0..<Self.channels).map { sorted.features.elements[row * Self.channels + $0] }
        }
        let torn = SparseTensor(
            features: Tensor(features, shape: [count, Self.channels]), coordinates: try CoordinateSet(Buffer(rows)))
        let result = try module(torn, compute).features.array
        for (place, row) in order.enumerated() {
            let got = result[place * Self.channels..<(place + 1) * Self.channels]
            let want = expected[row * Self.channels..<(row + 1) * Self.channels]
            #expect(got == want, "row \(row)")
        }
    }

    /// An item's result does not depend on what else is in the batch; items may be one token.
    @Test(arguments: [BlockCompression.Version.pooled, .residual])
    func keepsBatchItemsApart(_ version: BlockCompression.Version) throws {
        let module = try Self.module(version, cell: version == .pooled ? 8 : 4, shift: 4)
        let parts: [[SIMD4<Int32>]] = [
            Self.shell(side: 19), [SIMD4(0, 5, 0, 63)], Self.shell(side: 11) + [SIMD4(0, 60, 60, 60)],
        ]
        let tensors = try parts.enumerated().map { try Self.tensor($1, seed: UInt64($0)) }
        let compute = Compute(threads: 2)
        let rows = parts.enumerated().flatMap { item, rows in
            rows.map { SIMD4(Int32(item), $0.y, $0.z, $0.w) }
        }
        let batch = SparseTensor(
            features: Tensor(tensors.flatMap(\.features.array), shape: [rows.count, Self.channels]),
            coordinates: try CoordinateSet(Buffer(rows)))
        let together = try module(batch, compute).features.array
        var start = 0
        for tensor in tensors {
            let alone = try module(tensor, compute).features.array
            for (a, b) in zip(alone, together[start..<start + alone.count]) {
                #expect(abs(a - b) <= 2e-5 * max(1, abs(b)))
            }
            start += alone.count
        }
    }

    /// One token attends to itself in every branch: with gates g the result is proj_o of (g₁ + g₂)·v + g₀·cv.
    @Test func attendsToItselfAlone() throws {
        let module = try Self.module(.pooled, cell: 8, shift: 0)
        let x = try Self.tensor([SIMD4(0, 7, 8, 0)], seed: 3)
        let compute = Compute(threads: 1)
        let trace = try module.traced(x, compute).trace
        let o = trace.operands
        let mixed = compute.blockSparseAttention(o, plan: trace.plan).output
        for head in 0..<8 {
            for d in 0..<16 {
                let (v, cv) = (o.v.elements[head / 4 * 16 + d], o.cellValues.elements[head / 4 * 16 + d])
                let g = o.gates.elements
                #expect(abs(mixed.elements[head * 16 + d] - (g[0] * cv + (g[1] + g[2]) * v)) < 1e-6)
            }
        }
        let selection = trace.core.selection.blocks.array
        #expect(selection == [0, -1, 0, -1])
    }
}
