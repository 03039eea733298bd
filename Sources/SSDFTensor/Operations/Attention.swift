import CSSDFKernels
import SSDFCore

extension Compute {
    /// Softmax attention with scale 1/√D, grouped queries, over the segments of a plan.
    ///
    /// Query head h uses key/value head ⌊h / (Hq/Hkv)⌋. Scores are never stored; the gradient computes them again.
    /// - Parameters:
    ///   - q: `[Nq, Hq, D]`
    ///   - k: `[Nk, Hkv, D]`
    ///   - v: `[Nk, Hkv, D]`
    /// - Returns: `[Nq, Hq, D]`
    package func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan) -> Tensor {
        checkAttention(q, k, v, plan)
        let y = empty(q.shape)
        let isRecorded = isRecording && [q, k, v].contains { $0.variable != nil }
        let logSum = isRecorded ? empty([q.shape[0], q.shape[1]]) : nil
        backend.attention(q, k, v, plan: plan, into: y, logSum: logSum)
        return record(y, [q, k, v]) { [self] dy, _ in
            let (dq, dk, dv) = (empty(q.shape), empty(k.shape), empty(v.shape))
            backend.attentionGradients(
                q, k, v, plan: plan, y: y, logSum: logSum!, dy: dy, dq: dq, dk: dk, dv: dv)
            return [dq, dk, dv]
        }
    }

    private func checkAttention(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ plan: AttentionPlan) {
        precondition(
            q.shape.count == 3 && k.shape.count == 3 && k.shape == v.shape && q.shape[2] == k.shape[2]
                && k.shape[1] > 0 && q.shape[1] % k.shape[1] == 0,
            "attention cannot take queries \(q.shape) with keys \(k.shape) and values \(v.shape)")
        precondition(
            plan.queryCount == q.rows && plan.keyCount <= k.rows,
            "a plan for \(plan.queryCount) queries and \(plan.keyCount) keys got \(q.rows) and \(k.rows)")
    }
}

/// A factor for each token's result: a column of `[T, columns]`.
struct AttentionGate {
    let gates: Tensor
    let column: Int
}

/// Attention is streamed: a chunk of queries stays in cache with its running softmax while keys pass in blocks. See
/// neural/attention.h.
extension CPUBackend {
    /// One unit of work: some of a segment's queries with one key/value head.
    private struct Unit {
        var segment: Int
        var head: Int
        var queries: Range<Int>
        /// Number of the unit among those of its segment and head. For the gradient the first gathers dk and dv in the
        /// results, the others each on its own.
        var run: Int
    }

    /// Query rows of a chunk: their state stays in the second cache level.
    private static let chunkRows = 512
    /// As many where there are plenty: keys are gathered, and in bf16 rounded, anew for each chunk.
    private static let mostChunkRows = 2048

    package func attention(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, into y: Tensor, logSum: Tensor?
    ) {
        attention(q, k, v, plan: plan, gate: nil, adds: false, into: y, logSum: logSum)
    }

    /// - Parameters:
    ///   - gate: multiplies the results.
    ///   - adds: results are added to y.
    func attention(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, gate: AttentionGate?, adds: Bool, into y: Tensor,
        logSum: Tensor?
    ) {
        let chunk = AttentionChunk(q, k, v, gate: gate, adds: adds)
        let rows = min(max(plan.queryCount * chunk.heads / 64, Self.chunkRows), Self.mostChunkRows)
        let units = Self.units(plan, keyHeads: chunk.keyHeads, most: max(1, rows / chunk.group))
        let scratchSize = chunk.scratch(
            attentionKernels.attention_scratch, queries: units.map(\.queries.count).max() ?? 0, gradient: false)
        let memory = scratch(min(threads, max(units.count, 1)) * scratchSize)
        parallel(units.count, grain: Self.grain(units.count)) { worker, range in
            for unit in units[range] {
                let segment = plan.segments[unit.segment]
                var (tile, start) = chunk.tile(head: unit.head, list: plan.queryRows, unit.queries)
                let keys = chunk.place(&tile, list: plan.keyRows, segment.keys)
                attentionKernels.attention_forward(
                    &tile, keys.list, segment.keys.count, chunk.rows(of: y, unit.head, start),
                    logSum.map { chunk.numbers(of: $0, unit.head, start) }, memory.pointer + worker * scratchSize)
            }
        }
    }

    package func attentionGradients(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, y: Tensor, logSum: Tensor, dy: Tensor,
        dq: Tensor, dk: Tensor, dv: Tensor
    ) {
        clear([dk, dv])
        attentionGradients(
            q, k, v, plan: plan, gate: nil, adds: false, delta: .results(y), logSum: logSum, dy: dy, dq: dq, dk: dk,
            dv: dv)
    }

    /// dv = Pᵀ·dy, dP = dy·vᵀ, dS = P∘(dP − Σ y·dy), dq = dS·k/√D, dk = dSᵀ·q/√D, with P from the scores and `logSum`,
    /// and times its gate. dk and dv are added to.
    /// - Parameter adds: dq is added to.
    func attentionGradients(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, gate: AttentionGate?, adds: Bool,
        delta: AttentionDelta, logSum: Tensor, dy: Tensor, dq: Tensor, dk: Tensor, dv: Tensor
    ) {
        let chunk = AttentionChunk(q, k, v, gate: gate, adds: adds)
        let (group, dimension) = (chunk.group, chunk.dimension)
        // Where segments and heads are too few to share out, queries are cut into runs, each of which gathers its own
        // dk and dv.
        let pairs = max(plan.segments.count * chunk.keyHeads, 1)
        let longest = plan.segments.map(\.queries.count).max() ?? 0
        let runs = pairs >= 16 ? 1 : max(1, min(16 / pairs, longest * group / Self.chunkRows))
        let units = Self.units(plan, keyHeads: chunk.keyHeads, most: max((longest + runs - 1) / runs, 1))
        let most = min(max(1, Self.chunkRows / group), max(longest, 1))
        let scratchSize = chunk.scratch(kernels.attention_scratch, queries: most, gradient: true)
        let memory = scratch(min(threads, max(units.count, 1)) * scratchSize)
        // [run − 1, dk or dv, Nk, Hkv, D]
        let size = k.count
        let partial = scratch(max(2 * (runs - 1) * size, 1))
        if runs > 1 { clear([Tensor(shape: [2 * (runs - 1) * size], storage: partial)]) }
        let stride = chunk.keyHeads * dimension
        parallel(units.count, grain: Self.grain(units.count)) { worker, range in
            for unit in units[range] {
                let segment = plan.segments[unit.segment]
                var (keyGradient, valueGradient) = (dk.pointer, dv.pointer)
                if unit.run > 0 {
                    let own = partial.pointer + 2 * (unit.run - 1) * size
                    (keyGradient, valueGradient) = (own, own + size)
                }
                keyGradient += unit.head * dimension
                valueGradient += unit.head * dimension
                for first in Swift.stride(from: unit.queries.lowerBound, to: unit.queries.upperBound, by: most) {
                    var (tile, start) = chunk.tile(
                        head: unit.head, list: plan.queryRows, first..<min(first + most, unit.queries.upperBound))
                    let keys = chunk.place(&tile, list: plan.keyRows, segment.keys)
                    var gradient = chunk.gradient(
                        head: unit.head, start, delta: delta, logSum: logSum, dy: dy, dq: dq)
                    gradient.dk = keyGradient + keys.start * stride
                    gradient.dv = valueGradient + keys.start * stride
                    (gradient.dk_stride, gradient.dv_stride) = (stride, stride)
                    kernels.attention_backward(
                        &tile, &gradient, keys.list, segment.keys.count, memory.pointer + worker * scratchSize)
                }
            }
        }
        for run in 0..<runs - 1 {
            for (target, place) in [(dk, 2 * run), (dv, 2 * run + 1)] {
                let own = Tensor(shape: k.shape, storage: partial, offset: place * size)
                add(target, own, scale: 1, broadcast: .same, into: target)
            }
        }
    }

    /// target[row, head] += from[row − first] for rows `[D]`.
    func addHead(_ from: UnsafePointer<Float>, to target: Tensor, head: Int, rows: Range<Int>) {
        let (heads, dimension) = (target.shape[1], target.shape[2])
        let to = target.pointer + (rows.lowerBound * heads + head) * dimension
        let add = kernels.add
        parallelRows(rows.count, columns: dimension) { range in
            for row in range {
                let sum = to + row * heads * dimension
                add(sum, from + row * dimension, 1, Int32(SSDF_SAME.rawValue), sum, 1, dimension)
            }
        }
    }

    func clear(_ tensors: [Tensor]) {
        for tensor in tensors {
            parallelRows(tensor.count, columns: 1) { range in
                (tensor.pointer + range.lowerBound).update(repeating: 0, count: range.count)
            }
        }
    }

    private static func grain(_ units: Int) -> Int { max(1, min(16, units / 256)) }

    private static func units(_ plan: AttentionPlan, keyHeads: Int, most: Int) -> [Unit] {
        var units: [Unit] = []
        for (index, segment) in plan.segments.enumerated() where !segment.queries.isEmpty {
            // The heads of a token lie side by side, so they come one after the other.
            for start in stride(from: segment.queries.lowerBound, to: segment.queries.upperBound, by: most) {
                for head in 0..<keyHeads {
                    let queries = start..<min(start + most, segment.queries.upperBound)
                    let run = (start - segment.queries.lowerBound) / most
                    units.append(Unit(segment: index, head: head, queries: queries, run: run))
                }
            }
        }
        return units
    }
}
