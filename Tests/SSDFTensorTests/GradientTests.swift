import SSDFCore
import SSDFTensor
import Testing

/// Every operation's gradient against finite differences.
@Suite struct GradientTests {
    @Test(arguments: [(7, 5, 3), (33, 17, 64), (1, 1, 1)]) func linear(rows: Int, inputs: Int, outputs: Int) {
        let x = randomTensor([rows, inputs], seed: 1)
        let weight = randomTensor([outputs, inputs], seed: 2)
        let bias = randomTensor([outputs], seed: 3)
        expectGradients(of: [x, weight, bias]) { $0.linear($1[0], $1[1], bias: $1[2]) }
    }

    /// Long sums are cut into parts.
    @Test func linearWithManyRows() {
        let x = randomTensor([9000, 4], seed: 1)
        let weight = randomTensor([3, 4], seed: 2)
        expectGradients(of: [x, weight]) { $0.linear($1[0], $1[1]) }
    }

    @Test(arguments: PointwiseFunction.allCases) func pointwise(_ function: PointwiseFunction) {
        // Away from the corner of ReLU.
        let values = (0..<301).map { Float($0 - 150) / 37 + 0.011 }
        expectGradients(of: [Tensor(values, shape: [301])], step: 2e-3, tolerance: 4e-3) {
            $0.apply(function, $1[0])
        }
    }

    @Test func arithmetic() {
        let (a, b) = (randomTensor([11, 7], seed: 1), randomTensor([11, 7], seed: 2))
        let (row, column) = (randomTensor([7], seed: 3), randomTensor([11], seed: 4))
        expectGradients(of: [a, b]) { $0.add($1[0], $1[1], scale: -0.5) }
        expectGradients(of: [a, row]) { $0.add($1[0], $1[1], scale: 2, broadcast: .row) }
        expectGradients(of: [a, column]) { $0.add($1[0], $1[1], broadcast: .column) }
        expectGradients(of: [a, b]) { $0.multiply($1[0], $1[1]) }
        expectGradients(of: [a, row]) { $0.multiply($1[0], $1[1], broadcast: .row) }
        expectGradients(of: [a, column]) { $0.multiply($1[0], $1[1], broadcast: .column) }
        expectGradients(of: [a]) { $0.affine($1[0], scale: -3, shift: 1) }
        expectGradients(of: [a]) { $0.sum($1[0], scale: 0.25) }
    }

    @Test func productsBySegment() {
        let (a, b) = (randomTensor([11, 7], seed: 1), randomTensor([11, 7], seed: 2))
        let rows = randomTensor([3, 7], seed: 3)
        expectGradients(of: [a, b, rows]) {
            $0.add($1[0], $1[1], times: $1[2], segments: [0..<4, 4..<4, 4..<11])
        }
    }

    /// A tensor used twice gets both gradients, and the second does not spoil the first.
    @Test func sharedOperands() {
        let a = randomTensor([5, 6], seed: 1)
        expectGradients(of: [a]) { compute, x in
            let y = compute.add(x[0], x[0])
            return compute.multiply(compute.add(y, x[0]), x[0])
        }
    }

    @Test func layerNorm() {
        let x = randomTensor([9, 21], seed: 1)
        let (weight, bias) = (randomTensor([21], seed: 2), randomTensor([21], seed: 3))
        expectGradients(of: [x]) { $0.layerNorm($1[0], epsilon: 1e-6) }
        expectGradients(of: [x, weight, bias]) {
            $0.layerNorm($1[0], weight: $1[1], bias: $1[2], epsilon: 1e-5)
        }
    }

    @Test func layerNormBySegment() {
        let x = randomTensor([9, 21], seed: 1)
        let (weight, bias) = (randomTensor([3, 21], seed: 2), randomTensor([3, 21], seed: 3))
        expectGradients(of: [x, weight, bias]) {
            $0.layerNorm($1[0], weight: $1[1], bias: $1[2], epsilon: 1e-6, segments: [0..<2, 2..<2, 2..<9])
        }
    }

    @Test func groupNorm() {
        let x = randomTensor([13, 12], seed: 1)
        let (weight, bias) = (randomTensor([12], seed: 2), randomTensor([12], seed: 3))
        expectGradients(of: [x, weight, bias]) {
            $0.groupNorm($1[0], groups: 4, weight: $1[1], bias: $1[2], segments: [0..<5, 5..<13])
        }
    }

    @Test func rmsNorm() {
        let (x, gamma) = (randomTensor([6, 3, 8], seed: 1), randomTensor([3, 8], seed: 2))
        expectGradients(of: [x, gamma]) { $0.rmsNorm($1[0], gamma: $1[1]) }
    }

    @Test func softmax() {
        expectGradients(of: [randomTensor([5, 19], seed: 1)]) { $0.softmax($1[0]) }
    }

    @Test func rowsAndColumns() {
        let index: [Int32] = [3, 0, 0, 2, 3, 3, 1]
        let map = RowMap(Buffer(index), targets: 5)
        let (few, many) = (randomTensor([5, 6], seed: 1), randomTensor([7, 6], seed: 2))
        expectGradients(of: [few]) { $0.gather($1[0], map) }
        expectGradients(of: [many]) { $0.scatterAdd($1[0], map) }
        expectGradients(of: [many]) { $0.gatherMean($1[0], map, extra: 1) }
        expectGradients(of: [few]) { $0.columns($1[0], 1..<4) }
        expectGradients(of: [few]) { $0.rows($1[0], 2..<5) }
        expectGradients(of: [few]) { $0.transpose($0.reshape($1[0], [5, 2, 3])) }
        expectGradients(of: [few, randomTensor([5, 3], seed: 3)]) { $0.concatenate($1) }
        expectGradients(of: [few, many]) { $0.stack($1) }
    }

    @Test(arguments: [(1, 1, 8), (4, 2, 16), (6, 3, 5)]) func attention(heads: Int, keyHeads: Int, dimension: Int) {
        let q = randomTensor([70, heads, dimension], seed: 1)
        let k = randomTensor([81, keyHeads, dimension], seed: 2)
        let v = randomTensor([81, keyHeads, dimension], seed: 3)
        let plan = AttentionPlan(queries: [0..<9, 9..<70], keys: [0..<1, 1..<81])
        expectGradients(of: [q, k, v]) { $0.attention($1[0], $1[1], $1[2], plan: plan) }
    }

    /// Queries of one long segment are cut into chunks, whose key gradients are added up.
    @Test func attentionOfOneLongSegment() {
        let q = randomTensor([1500, 1, 4], seed: 1)
        let (k, v) = (randomTensor([10, 1, 4], seed: 2), randomTensor([10, 1, 4], seed: 3))
        let plan = AttentionPlan(queries: [0..<1500], keys: [0..<10])
        expectGradients(of: [q, k, v]) { $0.attention($1[0], $1[1], $1[2], plan: plan) }
    }

    /// Tokens named by lists, as windows name them.
    @Test func attentionByRowLists() {
        let order: [Int32] = [4, 0, 7, 2, 1, 6, 5, 3]
        let plan = AttentionPlan(
            segments: [.init(queries: 0..<3, keys: 0..<3), .init(queries: 3..<8, keys: 3..<8)], queryCount: 8,
            keyCount: 8, queryRows: Buffer(order), keyRows: Buffer(order))
        let operands = (1...3).map { randomTensor([8, 2, 6], seed: $0) }
        expectGradients(of: operands) { $0.attention($1[0], $1[1], $1[2], plan: plan) }
    }

    /// Running a part again for its gradient gives the same gradient.
    @Test func recomputation() {
        let (x, weight) = (randomTensor([6, 5], seed: 1), randomTensor([5, 5], seed: 2))
        expectGradients(of: [x, weight]) { compute, operands in
            compute.recomputing([operands[0]]) { [compute.apply(.silu, compute.linear($0[0], operands[1]))][0] }
        }
    }
}
