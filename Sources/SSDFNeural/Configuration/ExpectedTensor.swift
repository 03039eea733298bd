/// A tensor that a network of some configuration has: its name in the network, and its sides.
package struct ExpectedTensor: Sendable, Equatable {
    /// Its name in the state dictionary.
    package var name: String
    /// Sides, outermost first.
    package var shape: [Int]
    /// Whether the network works without it: some checkpoints hold tensors that inference never reads.
    package var isOptional = false
}

/// Collects the tensors of a network, layer by layer.
struct TensorLister {
    private(set) var tensors: [ExpectedTensor] = []

    mutating func add(_ name: String, _ shape: [Int], optional: Bool = false) {
        tensors.append(ExpectedTensor(name: name, shape: shape, isOptional: optional))
    }

    /// `weight [out, in]`, `bias [out]`.
    mutating func linear(_ name: String, _ input: Int, _ output: Int, bias: Bool = true) {
        add(name + ".weight", [output, input])
        if bias { add(name + ".bias", [output]) }
    }

    /// `weight [channels]`, `bias [channels]`.
    mutating func norm(_ name: String, _ channels: Int, optional: Bool = false) {
        add(name + ".weight", [channels], optional: optional)
        add(name + ".bias", [channels], optional: optional)
    }

    /// A dense convolution: `weight [out, in, k, k, k]`, `bias [out]`.
    mutating func conv(_ name: String, _ input: Int, _ output: Int, kernel: Int = 3, bias: Bool = true) {
        add(name + ".weight", [output, input, kernel, kernel, kernel])
        if bias { add(name + ".bias", [output]) }
    }

    /// A sparse convolution over 27 neighbours: `conv.kernel [27, in, out]`, `conv.bias [out]`.
    mutating func sparseConv(_ name: String, _ input: Int, _ output: Int) {
        add(name + ".conv.kernel", [27, input, output])
        add(name + ".conv.bias", [output])
    }

    /// A sparse convolution of the voxel alone: `conv.kernel [in, out]` without a tap axis, `conv.bias [out]`.
    mutating func pointConv(_ name: String, _ input: Int, _ output: Int) {
        add(name + ".conv.kernel", [input, output])
        add(name + ".conv.bias", [output])
    }

    /// The two linear layers of a transformer block's MLP.
    mutating func mlp(_ name: String, _ channels: Int, hidden: Int) {
        linear(name + ".mlp.0", channels, hidden)
        linear(name + ".mlp.2", hidden, channels)
    }

    /// Projections of an attention over a context: queries from the tokens, keys and values from the context.
    mutating func crossAttention(_ name: String, _ channels: Int, context: Int, heads: Int, headNorm: Bool) {
        linear(name + ".to_q", channels, channels)
        linear(name + ".to_kv", context, 2 * channels)
        if headNorm { headNorms(name, heads: heads, dim: channels / heads) }
        linear(name + ".to_out", channels, channels)
    }

    /// Projections of an attention of tokens among themselves.
    mutating func selfAttention(_ name: String, _ channels: Int, heads: Int, headNorm: Bool = false) {
        linear(name + ".to_qkv", channels, 3 * channels)
        if headNorm { headNorms(name, heads: heads, dim: channels / heads) }
        linear(name + ".to_out", channels, channels)
    }

    private mutating func headNorms(_ name: String, heads: Int, dim: Int) {
        add(name + ".q_rms_norm.gamma", [heads, dim])
        add(name + ".k_rms_norm.gamma", [heads, dim])
    }

    /// The network that embeds the timestep: 256 sines and cosines to `channels`.
    mutating func timestepEmbedder(_ channels: Int) {
        linear("t_embedder.mlp.0", 256, channels)
        linear("t_embedder.mlp.2", channels, channels)
    }
}
