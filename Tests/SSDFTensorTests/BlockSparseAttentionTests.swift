import CSSDFKernels
import Foundation
import SSDFCore
import SSDFTensor
import Testing

/// Block-sparse attention against its definition in double precision, on every instruction set.
@Suite struct BlockSparseAttentionTests {
    static let sets = (0...Int32(ssdf_processor_isa())).map { $0 }

    @Test(arguments: sets) func followsItsDefinition(_ set: Int32) {
        for problem in [
            Problem(items: [[9, 3, 14]], cellsPerBlock: 1, heads: 4, keyHeads: 2, dimension: 8, best: 2),
            Problem(items: [[130, 70, 1, 40, 8]], cellsPerBlock: 1, heads: 32, keyHeads: 2, dimension: 32, best: 3),
            // Several cells a block; a group that divides no vector; items of different sizes, one with one token.
            Problem(
                items: [[5, 20], [1], [30, 2, 2, 17]], cellsPerBlock: 2, heads: 15, keyHeads: 3, dimension: 20, best: 3),
            // Counts of keys about the sizes that blocks of keys are cut at.
            Problem(
                items: [[511], [257]], cellsPerBlock: 1, heads: 2, keyHeads: 2, dimension: 32, best: 1),
            Problem(items: [[255], [127]], cellsPerBlock: 1, heads: 2, keyHeads: 2, dimension: 40, best: 1),
            // A window with more keys than one pass of the gradient finds its way through.
            Problem(items: [[1100]], cellsPerBlock: 1, heads: 2, keyHeads: 1, dimension: 8, best: 1),
            // More wanted than there are.
            Problem(items: [[33], [4, 4]], cellsPerBlock: 1, heads: 8, keyHeads: 8, dimension: 16, best: 5),
        ] {
            let computed = problem.compute(instructionSet: set)
            let exact = problem.exact(selection: computed.selection)
            for (name, tensor) in computed.tensors {
                var (found, wanted) = (tensor, exact[name]!)
                if name == "gates" {
                    // That of a small gate is the rest of a large sum, divided by the gate; a sigmoid multiplies by it.
                    let gates = problem.operands.gates.elements
                    found = Tensor(zip(tensor.elements, gates).map { $0 * $1 }, shape: tensor.shape)
                    wanted = zip(wanted, gates).map { $0 * Double($1) }
                }
                let error = relativeError(found, wanted)
                #expect(error < 5e-6, "\(name) of \(problem) on set \(set): \(error)")
            }
            // Selected are the blocks with the best scores, ascending.
            problem.checkSelection(computed.selection, scores: exact["scores"]!)
        }
    }

    @Test func givesEqualBytesOnAnyNumberOfThreads() {
        let problem = Problem(
            items: [(0..<40).map { 20 + $0 % 7 }, [300, 9]], cellsPerBlock: 1, heads: 16, keyHeads: 2, dimension: 16,
            best: 4)
        let one = problem.compute(threads: 1)
        for threads in [2, 5] {
            let many = problem.compute(threads: threads)
            for (name, tensor) in one.tensors {
                #expect(tensor.array == many.tensors[name]!.array, "\(name) on \(threads) threads")
            }
        }
    }

    /// The branches add up in place and the gradient recomputes: beyond operands, results and their gradients there are
    /// only scratch and sums.
    @Test func needsLittleMemory() {
        let problem = Problem(
            items: [(0..<100).map { 60 + $0 % 40 }], cellsPerBlock: 1, heads: 32, keyHeads: 2, dimension: 32, best: 8)
        let compute = Compute(threads: 2)
        let operands = problem.operands
        let lent = 4 * (operands.q.count + operands.k.count + operands.v.count + operands.q.count)
        _ = compute.blockSparseAttention(operands, plan: problem.plan)
        let forward = compute.pool.peakBytes - 4 * operands.q.count
        #expect(forward < lent / 2, "forward: \(forward) bytes beyond \(lent)")
        compute.pool.resetPeak()
        var leaves = operands
        leaves.q.variable = Variable()
        leaves.k.variable = Variable()
        leaves.v.variable = Variable()
        _ = compute.differentiate { compute.sum(compute.blockSparseAttention(leaves, plan: problem.plan).output) }
        // The result, its gradient and those of the operands are no extras.
        let backward = compute.pool.peakBytes - 4 * operands.q.count - lent
        #expect(backward < lent, "backward: \(backward) bytes beyond \(lent)")
    }

    /// bf16 operands: the portable body rounds as the processor's instructions do, which are tried where there are any.
    @Test func staysCloseToTheDefinitionInBrainFloat() {
        for problem in [
            Problem(items: [[130, 70, 1, 40, 8]], cellsPerBlock: 1, heads: 32, keyHeads: 2, dimension: 32, best: 3),
            Problem(
                items: [[5, 20], [1], [30, 2, 2, 17]], cellsPerBlock: 2, heads: 15, keyHeads: 3, dimension: 21, best: 3),
        ] {
            for backend in [
                CPUBackend(threads: 2, precision: .f32, pool: MemoryPool(), emulatesBrainFloat: true),
                CPUBackend(threads: 2, precision: .bf16, pool: MemoryPool()),
            ] {
                let computed = problem.compute(backend)
                let exact = problem.exact(selection: computed.selection)
                for name in ["output", "scores", "compressed", "selected", "window"] {
                    let error = relativeError(computed.tensors[name]!, exact[name]!)
                    #expect(error < 4e-3, "\(name) of \(problem): \(error)")
                }
            }
        }
    }

    /// Scores that rise and fall by more than an exponent has room for, within a block of keys and from one to the next: of
    /// every query only the highest plateau is left. A score that is no number spoils its query alone.
    @Test func followsSteepScores() {
        // Score of each key for a query of 1; the value of a key is its plateau's number, and 1.
        let plateaus: [(count: Int, score: Float)] = [
            (3, 0), (9, 50), (40, 300), (5, -900), (70, 320), (90, -20), (1, 150), (62, 700), (7, 0),
        ]
        let dimension = 32
        var (keys, values): ([Float], [Float]) = ([], [])
        for (number, plateau) in plateaus.enumerated() {
            for _ in 0..<plateau.count {
                let score = plateau.score * Float(dimension).squareRoot()
                keys += [score] + [Float](repeating: 0, count: dimension - 1)
                values += [Float(number), 1] + [Float](repeating: 0, count: dimension - 2)
            }
        }
        let count = values.count / dimension
        let factors: [Float] = [1, -1, 0, 0.001, 2, -.infinity, .nan]
        let queries = (0..<70).flatMap {
            [factors[$0 % factors.count]] + [Float](repeating: 0, count: dimension - 1)
        }
        let q = Tensor(queries, shape: [70, 1, dimension])
        let (k, v) = (Tensor(keys, shape: [count, 1, dimension]), Tensor(values, shape: [count, 1, dimension]))
        let plan = AttentionPlan(queries: [0..<70], keys: [0..<count])
        for backend in [
            CPUBackend(threads: 1, precision: .f32, pool: MemoryPool()),
            CPUBackend(threads: 1, precision: .f32, pool: MemoryPool(), emulatesBrainFloat: true),
            CPUBackend(threads: 1, precision: .bf16, pool: MemoryPool()),
        ] {
            let y = Tensor(repeating: 0, shape: q.shape)
            backend.attention(q, k, v, plan: plan, into: y, logSum: nil)
            for query in 0..<70 {
                let factor = factors[query % factors.count]
                let found = (y.elements[query * dimension], y.elements[query * dimension + 1])
                // 0 times ∞ is no number either.
                guard factor.isFinite else {
                    #expect(found.0.isNaN && found.1.isNaN, "\(factor): \(found)")
                    continue
                }
                var (sum, total) = (0.0, 0.0)
                let most = plateaus.map { Double($0.score * factor) }.max()!
                for (number, plateau) in plateaus.enumerated() {
                    let weight = Double(plateau.count) * exp(Double(plateau.score * factor) - most)
                    (sum, total) = (sum + weight * Double(number), total + weight)
                }
                #expect(abs(Double(found.0) - sum / total) < 0.02, "\(factor): \(found.0), \(sum / total)")
                #expect(abs(found.1 - 1) < 1e-3, "\(factor): weights add up to \(found.1)")
            }
        }
    }

    /// A gate of 0 switches its branch off, gradients included.
    @Test func obeysGatesOfZero() {
        var problem = Problem(items: [[40, 20, 30]], cellsPerBlock: 1, heads: 4, keyHeads: 2, dimension: 8, best: 1)
        let tokens = problem.operands.q.rows
        problem.operands.gates = Tensor((0..<3 * tokens).map { $0 % 3 == 1 ? 1 : 0 }, shape: [tokens, 3])
        let computed = problem.compute()
        let exact = problem.exact(selection: computed.selection)
        for name in ["output", "q", "k", "v", "cellKeys", "cellValues"] {
            #expect(relativeError(computed.tensors[name]!, exact[name]!) < 3e-6, "\(name)")
        }
    }
}

/// A small problem of block-sparse attention with random operands.
struct Problem: CustomStringConvertible {
    let items: [[Int]]
    let heads: Int, keyHeads: Int, dimension: Int, best: Int
    var operands: BlockSparseOperands
    let plan: BlockSparsePlan
    let weights: Tensor
    var description: String { "\(items), \(heads) and \(keyHeads) heads of \(dimension)" }

    /// - Parameter items: tokens of each block of each batch item. Windows are the halves of blocks.
    init(items: [[Int]], cellsPerBlock: Int, heads: Int, keyHeads: Int, dimension: Int, best: Int) {
        (self.items, self.heads, self.keyHeads, self.dimension, self.best) = (items, heads, keyHeads, dimension, best)
        var (tokens, blocks, cells) = (0, 0, 0)
        var (layoutItems, starts, blockOfKey): ([BlockLayout.Item], [Int32], [Int32]) = ([], [], [])
        var segments: [AttentionPlan.Segment] = []
        for item in items {
            let (firstToken, firstBlock, firstCell) = (tokens, blocks, cells)
            for (index, length) in item.enumerated() {
                starts.append(Int32(tokens))
                for part in [tokens..<tokens + length / 2, tokens + length / 2..<tokens + length] where !part.isEmpty {
                    segments.append(.init(queries: part, keys: part))
                }
                tokens += length
                blocks += 1
                for _ in 0..<cellsPerBlock { blockOfKey.append(Int32(index)) }
                cells += cellsPerBlock
            }
            layoutItems.append(
                .init(tokens: firstToken..<tokens, keys: firstCell..<cells, blocks: firstBlock..<blocks))
        }
        starts.append(Int32(tokens))
        plan = BlockSparsePlan(
            layout: BlockLayout(items: layoutItems, starts: Buffer(starts), blockOfKey: Buffer(blockOfKey)),
            windows: AttentionPlan(segments: segments, queryCount: tokens, keyCount: tokens), best: best)
        var generator = Philox(seed: 7)
        operands = BlockSparseOperands(
            q: randomTensor([tokens, heads, dimension], &generator),
            k: randomTensor([tokens, keyHeads, dimension], &generator),
            v: randomTensor([tokens, keyHeads, dimension], &generator),
            cellKeys: randomTensor([cells, keyHeads, dimension], &generator),
            cellValues: randomTensor([cells, keyHeads, dimension], &generator),
            gates: Tensor((0..<3 * tokens).map { _ in Float(generator.uniform()) }, shape: [tokens, 3]))
        weights = randomTensor([tokens, heads, dimension], &generator)
    }

    func compute(
        instructionSet: Int32 = ssdf_isa(), threads: Int = 2
    ) -> (tensors: [String: Tensor], selection: BlockSelection) {
        compute(CPUBackend(threads: threads, precision: .f32, pool: MemoryPool(), instructionSet: instructionSet))
    }

    func compute(_ backend: CPUBackend) -> (tensors: [String: Tensor], selection: BlockSelection) {
        let compute = Compute(backend)
        let (tokens, most) = (operands.q.rows, items.map(\.count).max()!)
        let scores = Tensor(repeating: 0, shape: [keyHeads, tokens, most])
        let (output, trace) = compute.blockSparseAttention(operands, plan: plan, scores: scores)
        let o = operands
        func room(_ tensor: Tensor) -> Tensor { Tensor(repeating: .nan, shape: tensor.shape) }
        let gradients = BlockSparseOperands(
            q: room(o.q), k: room(o.k), v: room(o.v), cellKeys: room(o.cellKeys), cellValues: room(o.cellValues),
            gates: room(o.gates))
        backend.blockSparseAttentionGradients(
            o, plan: plan, y: output, trace: trace, dy: weights, into: gradients)
        return (
            [
                "output": output, "scores": scores, "compressed": trace.logSums[0], "selected": trace.logSums[1],
                "window": trace.logSums[2], "q": gradients.q, "k": gradients.k, "v": gradients.v,
                "cellKeys": gradients.cellKeys, "cellValues": gradients.cellValues, "gates": gradients.gates,
            ], trace.selection
        )
    }

    /// Everything that `compute` gives, by the definition.
    func exact(selection: BlockSelection) -> [String: [Double]] {
        let (tokens, group, o) = (operands.q.rows, heads / keyHeads, operands)
        let most = items.map(\.count).max()!
        var results: [String: [Double]] = [
            "output": zeros(o.q), "q": zeros(o.q), "k": zeros(o.k), "v": zeros(o.v), "cellKeys": zeros(o.cellKeys),
            "cellValues": zeros(o.cellValues), "gates": zeros(o.gates),
            "scores": [Double](repeating: 0, count: keyHeads * tokens * most),
        ]
        for name in ["compressed", "selected", "window"] {
            results[name] = [Double](repeating: 0, count: tokens * heads)
        }
        for item in plan.layout.items {
            for token in item.tokens {
                let window = plan.windows.segments.first { $0.queries.contains(token) }!.keys
                for head in 0..<heads {
                    let keyHead = head / group
                    var chosen: [Int] = []
                    for place in 0..<best {
                        let block = Int(selection.blocks.pointer[(keyHead * tokens + token) * best + place])
                        guard block >= 0 else { break }
                        let start = item.blocks.lowerBound + block
                        chosen += Int(plan.layout.starts.pointer[start])..<Int(plan.layout.starts.pointer[start + 1])
                    }
                    for (column, branch) in ["compressed", "selected", "window"].enumerated() {
                        let keys = [Array(item.keys), chosen, Array(window)][column]
                        let (k, v) = column == 0 ? (o.cellKeys, o.cellValues) : (o.k, o.v)
                        let (dk, dv) = column == 0 ? ("cellKeys", "cellValues") : ("k", "v")
                        let row = (token * heads + head) * dimension
                        let scores = keys.map { key in
                            dot(o.q, row, k, (key * keyHeads + keyHead) * dimension) / Double(dimension).squareRoot()
                        }
                        let top = scores.max()!
                        let total = scores.reduce(0) { $0 + exp($1 - top) }
                        results[branch]![token * heads + head] = top + log(total)
                        let p = scores.map { exp($0 - top) / total }
                        let gate = Double(o.gates.elements[3 * token + column])
                        let dp = keys.map { dot(weights, row, v, ($0 * keyHeads + keyHead) * dimension) }
                        let delta = zip(p, dp).reduce(0) { $0 + $1.0 * $1.1 }
                        results["gates"]![3 * token + column] += delta
                        for (index, key) in keys.enumerated() {
                            let at = (key * keyHeads + keyHead) * dimension
                            let ds = gate * p[index] * (dp[index] - delta) / Double(dimension).squareRoot()
                            for d in 0..<dimension {
                                results["output"]![row + d] += gate * p[index] * Double(v.elements[at + d])
                                results["q"]![row + d] += ds * Double(k.elements[at + d])
                                results[dk]![at + d] += ds * Double(o.q.elements[row + d])
                                results[dv]![at + d] += gate * p[index] * Double(weights.elements[row + d])
                            }
                            if column == 0 {
                                let block = Int(plan.layout.blockOfKey.pointer[key])
                                results["scores"]![(keyHead * tokens + token) * most + block] += p[index]
                            }
                        }
                    }
                }
            }
        }
        return results
    }

    func checkSelection(_ selection: BlockSelection, scores: [Double]) {
        let (tokens, most) = (operands.q.rows, items.map(\.count).max()!)
        for (index, item) in plan.layout.items.enumerated() {
            let wanted = min(best, items[index].count)
            for head in 0..<keyHeads {
                for token in item.tokens {
                    let chosen = (0..<best).map { Int(selection.blocks.pointer[(head * tokens + token) * best + $0]) }
                    let row = scores[
                        (head * tokens + token) * most..<(head * tokens + token) * most + items[index].count]
                    let found = Array(chosen.prefix(wanted))
                    #expect(
                        found == found.sorted() && Set(found).count == wanted
                            && chosen.dropFirst(wanted).allSatisfy { $0 == -1 })
                    let least = found.map { row[row.startIndex + $0] }.min()!
                    let better = row.count { $0 > least * (1 + 1e-5) }
                    #expect(better < wanted)
                }
            }
        }
    }

    private func zeros(_ tensor: Tensor) -> [Double] { [Double](repeating: 0, count: tensor.count) }

    private func dot(_ a: Tensor, _ i: Int, _ b: Tensor, _ j: Int) -> Double {
        (0..<dimension).reduce(0) { $0 + Double(a.elements[i + $1]) * Double(b.elements[j + $1]) }
    }
}

private func relativeError(_ a: Tensor, _ b: [Double]) -> Double {
    guard a.count == b.count else { return .infinity }
    var (difference, norm) = (0.0, 0.0)
    for (x, y) in zip(a.elements, b) {
        difference += (Double(x) - y) * (Double(x) - y)
        norm += y * y
    }
    let error = norm > 0 ? (difference / norm).squareRoot() : difference.squareRoot()
    return error.isFinite ? error : .infinity
}
