import CSSDFKernels
import SSDFCore

/// Where Σ y·dy of every query row and head, without the gate, comes from in the gradient of attention.
enum AttentionDelta {
    /// From the results y, `[N, heads, D]`.
    case results(Tensor)
    /// It is there: `[N, heads]`.
    case known(Tensor)
    /// From a pass of its own over the keys; written to `[N, heads]`.
    case computed(Tensor)
}

/// Makes the operands of the attention kernels for chunks of query tokens and one key/value head.
struct AttentionChunk {
    let q: Tensor, k: Tensor, v: Tensor
    let gate: AttentionGate?
    let adds: Bool
    let heads: Int, keyHeads: Int, dimension: Int
    /// Query heads that share a key/value head.
    var group: Int { heads / keyHeads }

    /// - Parameters:
    ///   - q: `[Nq, Hq, D]`
    ///   - k: `[Nk, Hkv, D]`
    ///   - v: `[Nk, Hkv, D]`
    init(_ q: Tensor, _ k: Tensor, _ v: Tensor, gate: AttentionGate? = nil, adds: Bool = false) {
        (self.q, self.k, self.v) = (q, k, v)
        (self.gate, self.adds) = (gate, adds)
        (heads, keyHeads, dimension) = (q.shape[1], k.shape[1], q.shape[2])
    }

    /// The chunk of tokens `start ..< start + queries`.
    func tile(head: Int, start: Int, queries: Int, order: ssdf_lanes = SSDF_LANES_OF_ROWS) -> ssdf_attention {
        ssdf_attention(
            q: UnsafePointer(rows(of: q, head, start)), k: UnsafePointer(k.pointer + head * dimension),
            v: UnsafePointer(v.pointer + head * dimension), q_stride: heads * dimension,
            k_stride: keyHeads * dimension, v_stride: keyHeads * dimension, out_stride: heads * dimension,
            lse_stride: heads, q_rows: nil, queries: queries, group: group, dimension: dimension,
            scale: 1 / Float(dimension).squareRoot(), order: Int32(order.rawValue),
            gate: gate.map { UnsafePointer($0.gates.pointer + start * $0.gates.columns + $0.column) },
            gate_stride: gate?.gates.columns ?? 0, adds: adds ? 1 : 0)
    }

    /// The chunk of the tokens at places `range` of a list, or of tokens `range` where the list is empty; and the token
    /// that its rows are counted from.
    func tile(
        head: Int, list: borrowing Buffer<Int32>, _ range: Range<Int>
    ) -> (ssdf_attention, start: Int) {
        let start = list.count == 0 ? range.lowerBound : 0
        var tile = tile(head: head, start: start, queries: range.count)
        if list.count > 0 { tile.q_rows = UnsafePointer(list.pointer + range.lowerBound) }
        return (tile, start)
    }

    /// Lets the chunk's keys begin at the first of `range`; the list of keys from there on, or nil and the first key.
    func place(
        _ tile: inout ssdf_attention, list: borrowing Buffer<Int32>, _ range: Range<Int>
    ) -> (list: UnsafePointer<Int32>?, start: Int) {
        if list.count > 0 { return (UnsafePointer(list.pointer + range.lowerBound), 0) }
        tile.k += range.lowerBound * keyHeads * dimension
        tile.v += range.lowerBound * keyHeads * dimension
        return (nil, range.lowerBound)
    }

    /// The gradient's operands but for dk and dv.
    func gradient(
        head: Int, _ start: Int, delta: AttentionDelta, logSum: Tensor, dy: Tensor, dq: Tensor
    ) -> ssdf_attention_gradient {
        var gradient = ssdf_attention_gradient(
            out: nil, dout: UnsafePointer(rows(of: dy, head, start)),
            lse: UnsafePointer(numbers(of: logSum, head, start)), delta: nil, delta_is_known: 0,
            dq: rows(of: dq, head, start), dk: dq.pointer, dv: dq.pointer, dq_stride: heads * dimension, dk_stride: 0,
            dv_stride: 0)
        switch delta {
        case .results(let y): gradient.out = UnsafePointer(rows(of: y, head, start))
        case .known(let tensor):
            gradient.delta = numbers(of: tensor, head, start)
            gradient.delta_is_known = 1
        case .computed(let tensor): gradient.delta = numbers(of: tensor, head, start)
        }
        return gradient
    }

    /// First row of the key/value head's query heads at a token of `[N, Hq, D]`.
    func rows(of tensor: Tensor, _ head: Int, _ token: Int) -> UnsafeMutablePointer<Float> {
        tensor.pointer + (token * heads + head * group) * dimension
    }

    /// As `rows`, of `[N, Hq]`.
    func numbers(of tensor: Tensor, _ head: Int, _ token: Int) -> UnsafeMutablePointer<Float> {
        tensor.pointer + token * heads + head * group
    }

    /// Floats of scratch for a chunk of that many tokens, by a table's measure.
    func scratch(
        _ measure: (UnsafePointer<ssdf_attention>, Int32) -> Int, queries: Int, gradient: Bool
    ) -> Int {
        var tile = tile(head: 0, start: 0, queries: queries)
        return Self.aligned(measure(&tile, gradient ? 1 : 0))
    }

    /// Whole cache lines, so that the scratch of two workers shares none.
    static func aligned(_ count: Int) -> Int { (count + 63) / 64 * 64 }
}
