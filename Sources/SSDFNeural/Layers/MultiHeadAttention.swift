import SSDFCore
import SSDFTensor

/// RMS norm of each head of queries or keys. Parameter `gamma` `[heads, D]`.
package struct HeadNorm: Sendable {
    let gamma: Parameter

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, heads: Int, dimension: Int) throws(Failure) {
        gamma = try source.parameter("gamma", [heads, dimension])
    }

    /// `[N, heads, D]` → `[N, heads, D]`
    package func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        compute.rmsNorm(x, gamma: gamma.value)
    }
}

/// Self-attention of tokens, over whatever a plan joins. Parameters `to_qkv.*`, `q_rms_norm.gamma`,
/// `k_rms_norm.gamma`, `to_out.*` (SPEC §4).
package struct SelfAttention: Sendable {
    let projection: Linear
    let queryNorm: HeadNorm?
    let keyNorm: HeadNorm?
    let output: Linear
    /// Heads, which divide the channels.
    package let heads: Int

    /// - Throws: `badData` when the heads do not divide the channels, or from the source.
    package init(
        _ source: ParameterSource, channels: Int, heads: Int, normalizesHeads: Bool, hasBias: Bool = true
    ) throws(Failure) {
        guard heads > 0, channels % heads == 0 else {
            throw .badData("\(channels) channels for \(heads) heads", expected: "a multiple of the heads")
        }
        projection = try Linear(
            source.scoped("to_qkv"), inputs: channels, outputs: 3 * channels, hasBias: hasBias)
        let dimension = channels / heads
        queryNorm =
            normalizesHeads ? try HeadNorm(source.scoped("q_rms_norm"), heads: heads, dimension: dimension) : nil
        keyNorm =
            normalizesHeads ? try HeadNorm(source.scoped("k_rms_norm"), heads: heads, dimension: dimension) : nil
        output = try Linear(source.scoped("to_out"), inputs: channels, outputs: channels)
        self.heads = heads
    }

    /// `[N, C]` → `[N, C]`
    package func callAsFunction(_ x: Tensor, plan: AttentionPlan, _ compute: Compute) -> Tensor {
        let (tokens, channels) = (x.rows, x.columns)
        let parts = compute.split(projection(x, compute), widths: [channels, channels, channels])
        let shape = [tokens, heads, channels / heads]
        var q = compute.reshape(parts[0], shape)
        var k = compute.reshape(parts[1], shape)
        let v = compute.reshape(parts[2], shape)
        if let queryNorm { q = queryNorm(q, compute) }
        if let keyNorm { k = keyNorm(k, compute) }
        let attended = compute.attention(q, k, v, plan: plan)
        return output(compute.reshape(attended, [tokens, channels]), compute)
    }
}

/// Attention of tokens to a context. Parameters `to_q.*`, `to_kv.*`, `q_rms_norm.gamma`, `k_rms_norm.gamma`,
/// `to_out.*` (SPEC §4).
package struct CrossAttention: Sendable {
    let query: Linear
    let keyValue: Linear
    let queryNorm: HeadNorm?
    let keyNorm: HeadNorm?
    let output: Linear
    /// Heads, which divide the channels.
    package let heads: Int

    /// - Throws: `badData` when the heads do not divide the channels, or from the source.
    package init(
        _ source: ParameterSource, channels: Int, contextChannels: Int, heads: Int, normalizesHeads: Bool
    ) throws(Failure) {
        guard heads > 0, channels % heads == 0 else {
            throw .badData("\(channels) channels for \(heads) heads", expected: "a multiple of the heads")
        }
        query = try Linear(source.scoped("to_q"), inputs: channels, outputs: channels)
        keyValue = try Linear(source.scoped("to_kv"), inputs: contextChannels, outputs: 2 * channels)
        let dimension = channels / heads
        queryNorm =
            normalizesHeads ? try HeadNorm(source.scoped("q_rms_norm"), heads: heads, dimension: dimension) : nil
        keyNorm =
            normalizesHeads ? try HeadNorm(source.scoped("k_rms_norm"), heads: heads, dimension: dimension) : nil
        output = try Linear(source.scoped("to_out"), inputs: channels, outputs: channels)
        self.heads = heads
    }

    /// - Parameters:
    ///   - x: `[N, C]`
    ///   - context: `[M, contextChannels]`
    ///   - plan: query rows of x, key rows of the context.
    /// - Returns: `[N, C]`
    package func callAsFunction(
        _ x: Tensor, context: Tensor, plan: AttentionPlan, _ compute: Compute
    ) -> Tensor {
        let channels = x.columns
        let parts = compute.split(keyValue(context, compute), widths: [channels, channels])
        let dimension = channels / heads
        var q = compute.reshape(query(x, compute), [x.rows, heads, dimension])
        var k = compute.reshape(parts[0], [context.rows, heads, dimension])
        let v = compute.reshape(parts[1], [context.rows, heads, dimension])
        if let queryNorm { q = queryNorm(q, compute) }
        if let keyNorm { k = keyNorm(k, compute) }
        let attended = compute.attention(q, k, v, plan: plan)
        return output(compute.reshape(attended, [x.rows, channels]), compute)
    }
}
