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

    /// As `attention`, with the natural logarithm of each query's Σ exp(score), `[Nq, Hq]`, which has no gradient.
    package func attentionWithLogSum(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan
    ) -> (output: Tensor, logSum: Tensor) {
        checkAttention(q, k, v, plan)
        let y = empty(q.shape)
        let logSum = empty([q.shape[0], q.shape[1]])
        backend.attention(q, k, v, plan: plan, into: y, logSum: logSum)
        let output = record(y, [q, k, v]) { [self] dy, _ in
            let (dq, dk, dv) = (empty(q.shape), empty(k.shape), empty(v.shape))
            backend.attentionGradients(
                q, k, v, plan: plan, y: y, logSum: logSum, dy: dy, dq: dq, dk: dk, dv: dv)
            return [dq, dk, dv]
        }
        return (output, logSum)
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

extension CPUBackend {
    /// One unit of work: a chunk of a segment's queries with one key/value head.
    private struct Unit {
        var segment: Int
        var head: Int
        var queries: Range<Int>
        /// Where the chunk's share of dk and dv gathers; −1 for the results themselves.
        var partial: Int
    }

    package func attention(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, into y: Tensor, logSum: Tensor?
    ) {
        let (heads, keyHeads, dimension) = (q.shape[1], k.shape[1], q.shape[2])
        let group = heads / keyHeads
        // Chunks of about 512 query rows: their state stays in the second cache level.
        let units = Self.units(plan, keyHeads: keyHeads, chunk: max(1, 512 / group))
        let scratchSize = kernels.attention_scratch(dimension)
        let memory = scratch(min(threads, max(units.count, 1)) * scratchSize)
        parallel(units.count, grain: Self.grain(units.count)) { worker, range in
            for unit in units[range] {
                let segment = plan.segments[unit.segment]
                var tile = self.tile(q, k, v, keyHead: unit.head)
                let (queries, queryStart) = Self.rows(plan.queryRows, unit.queries)
                let (keys, keyStart) = Self.rows(plan.keyRows, segment.keys)
                tile.q += queryStart * heads * dimension
                tile.k += keyStart * keyHeads * dimension
                tile.v += keyStart * keyHeads * dimension
                kernels.attention_forward(
                    &tile, queries, unit.queries.count, keys, segment.keys.count,
                    y.pointer + queryStart * heads * dimension + unit.head * group * dimension,
                    logSum.map { $0.pointer + queryStart * heads + unit.head * group },
                    memory.pointer + worker * scratchSize)
            }
        }
    }

    /// dv = Pᵀ·dy, dP = dy·vᵀ, dS = P∘(dP − Σ y·dy), dq = dS·k/√D, dk = dSᵀ·q/√D, with P from the scores and `logSum`.
    package func attentionGradients(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, y: Tensor, logSum: Tensor, dy: Tensor,
        dq: Tensor, dk: Tensor, dv: Tensor
    ) {
        let (heads, keyHeads, dimension) = (q.shape[1], k.shape[1], q.shape[2])
        let group = heads / keyHeads
        let width = keyHeads * dimension
        for tensor in [dk, dv] {
            parallelRows(tensor.count, columns: 1) { range in
                (tensor.pointer + range.lowerBound).update(repeating: 0, count: range.count)
            }
        }
        // Where segments and heads are too few to share out, queries are cut into chunks, each of which gathers its
        // own dk and dv.
        let pairs = max(plan.segments.count * keyHeads, 1)
        let longest = plan.segments.map(\.queries.count).max() ?? 0
        let chunks = pairs >= 16 ? 1 : max(1, min(16 / pairs, longest * group / 512))
        let chunk = max((longest + chunks - 1) / chunks, 1)
        let units = Self.units(plan, keyHeads: keyHeads, chunk: chunk)
        let scratchSize = kernels.attention_scratch(dimension)
        let memory = scratch(min(threads, max(units.count, 1)) * scratchSize)
        let partials = (units.map(\.partial).max() ?? -1) + 1
        let partial = scratch(max(2 * partials * k.rows * dimension, 1))
        parallel(units.count, grain: Self.grain(units.count)) { worker, range in
            for unit in units[range] {
                let segment = plan.segments[unit.segment]
                var tile = self.tile(q, k, v, keyHead: unit.head)
                let (queries, queryStart) = Self.rows(plan.queryRows, unit.queries)
                let (keys, keyStart) = Self.rows(plan.keyRows, segment.keys)
                let queryShift = queryStart * heads * dimension
                let headShift = unit.head * group * dimension
                tile.q += queryShift
                tile.k += keyStart * width
                tile.v += keyStart * width
                var (keyGradient, valueGradient, stride) = (
                    dk.pointer + keyStart * width + unit.head * dimension,
                    dv.pointer + keyStart * width + unit.head * dimension, width
                )
                if unit.partial >= 0 {
                    let size = k.rows * dimension
                    let own = partial.pointer + 2 * unit.partial * size
                    own.update(repeating: 0, count: 2 * size)
                    (keyGradient, valueGradient) = (own + keyStart * dimension, own + size + keyStart * dimension)
                    stride = dimension
                }
                var gradient = ssdf_attention_gradient(
                    out: UnsafePointer(y.pointer + queryShift + headShift),
                    dout: UnsafePointer(dy.pointer + queryShift + headShift),
                    lse: UnsafePointer(logSum.pointer + queryStart * heads + unit.head * group),
                    dq: dq.pointer + queryShift + headShift, dk: keyGradient, dv: valueGradient,
                    dq_stride: heads * dimension, dk_stride: stride, dv_stride: stride)
                kernels.attention_backward(
                    &tile, &gradient, queries, unit.queries.count, keys, segment.keys.count,
                    memory.pointer + worker * scratchSize)
            }
        }
        let size = k.rows * dimension
        for unit in units where unit.partial >= 0 {
            let own = partial.pointer + 2 * unit.partial * size
            for (target, from) in [(dk, own), (dv, own + size)] {
                parallelRows(k.rows, columns: dimension) { range in
                    for row in range {
                        let to = target.pointer + row * width + unit.head * dimension
                        for d in 0..<dimension { to[d] += from[row * dimension + d] }
                    }
                }
            }
        }
    }

    private static func grain(_ units: Int) -> Int { max(1, min(16, units / 256)) }

    /// The list from `range` on, and the first row where there is no list.
    private static func rows(
        _ list: borrowing Buffer<Int32>, _ range: Range<Int>
    ) -> (UnsafePointer<Int32>?, start: Int) {
        if list.count == 0 { return (nil, range.lowerBound) }
        return (UnsafePointer(list.pointer + range.lowerBound), 0)
    }

    private static func units(_ plan: AttentionPlan, keyHeads: Int, chunk: Int) -> [Unit] {
        var units: [Unit] = []
        var partial = 0
        for (index, segment) in plan.segments.enumerated() where !segment.queries.isEmpty {
            let isWhole = segment.queries.count <= chunk
            for head in 0..<keyHeads {
                for start in stride(from: segment.queries.lowerBound, to: segment.queries.upperBound, by: chunk) {
                    let queries = start..<min(start + chunk, segment.queries.upperBound)
                    units.append(
                        Unit(segment: index, head: head, queries: queries, partial: isWhole ? -1 : partial))
                    if !isWhole { partial += 1 }
                }
            }
        }
        return units
    }

    private func tile(_ q: Tensor, _ k: Tensor, _ v: Tensor, keyHead: Int) -> ssdf_attention {
        let (heads, keyHeads, dimension) = (q.shape[1], k.shape[1], q.shape[2])
        let group = heads / keyHeads
        return ssdf_attention(
            q: UnsafePointer(q.pointer + keyHead * group * dimension),
            k: UnsafePointer(k.pointer + keyHead * dimension), v: UnsafePointer(v.pointer + keyHead * dimension),
            q_stride: heads * dimension, k_stride: keyHeads * dimension, v_stride: keyHeads * dimension,
            out_stride: heads * dimension, lse_stride: heads, group: group, dimension: dimension,
            scale: 1 / Float(dimension).squareRoot())
    }
}
