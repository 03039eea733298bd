import SSDFCore
import SSDFTensor

/// The sparse diffusion transformer: predicts the velocity of latents at their voxels from a timestep and an image's
/// tokens (SPEC §6).
///
/// Parameters `t_embedder.mlp.*`, `input_layer.*`, `cond_proj.*` (sparse conditions only), `blocks.i.*`,
/// `adaLN_modulation.1.*` (one modulation for all blocks only), `out_layer.*`.
package struct SparseDiffusionTransformer: Sendable {
    /// The sizes of the network, and which variant of it.
    package struct Options: Sendable, Equatable {
        /// Channels of a latent that comes in.
        package var inputs: Int
        /// Channels of the velocity that comes out.
        package var outputs: Int
        /// Width of an image token.
        package var contextChannels: Int
        /// Transformer blocks.
        package var blocks: Int
        /// Sizes of the blocks' attention, the width of a token among them.
        package var attention: SpatialSparseAttention.Options
        /// Width of the hidden layer of an MLP over that of a token.
        package var ratio = 4.0
        /// Coordinates are multiplied by this before their sines are taken.
        package var positionFactor: Float = 1
        /// Whether windows are shifted in every second block; without, they are shifted in all (SPEC Q8).
        package var alternatesShift = true
        /// Whether all blocks share one modulation.
        package var sharesModulation = false
        /// Whether queries and keys of cross-attention are normalised, head by head.
        package var normalizesCrossHeads = false
        /// Whether image tokens carry coordinates and pass through `cond_proj`.
        package var hasSparseConditions = false

        /// The sizes that are given, and otherwise those of the released networks.
        package init(
            inputs: Int, outputs: Int, contextChannels: Int, blocks: Int, attention: SpatialSparseAttention.Options
        ) {
            self.inputs = inputs
            self.outputs = outputs
            self.contextChannels = contextChannels
            self.blocks = blocks
            self.attention = attention
        }
    }

    /// What the latents are conditioned on.
    package enum Condition: Sendable {
        /// `[B, L, ctx]`
        case dense(Tensor)
        case sparse(SparseTensor)

        /// The same shape, all zeros: no condition.
        package func emptied(_ compute: Compute) -> Condition {
            switch self {
            case .dense(let tokens): .dense(compute.zeros(tokens.shape))
            case .sparse(let tokens): .sparse(tokens.with(compute.zeros(tokens.features.shape)))
            }
        }
    }

    /// Its sizes.
    package let options: Options
    let time: TimestepEmbedding
    let input: Linear
    let condition: Linear?
    let embedding: PositionEmbedding
    let blocks: [ModulatedSparseBlock]
    let modulation: Linear?
    let output: Linear

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, _ options: Options) throws(Failure) {
        self.options = options
        let channels = options.attention.channels
        time = try TimestepEmbedding(source.scoped("t_embedder"), channels: channels)
        input = try Linear(source.scoped("input_layer"), inputs: options.inputs, outputs: channels)
        guard !options.hasSparseConditions || options.contextChannels == channels else {
            throw .badData(
                "sparse conditions of \(options.contextChannels) channels", expected: "\(channels), the model's own")
        }
        condition =
            options.hasSparseConditions
            ? try Linear(
                source.scoped("cond_proj"), inputs: options.contextChannels, outputs: options.contextChannels) : nil
        embedding = PositionEmbedding(channels: channels)
        var blocks: [ModulatedSparseBlock] = []
        for index in 0..<options.blocks {
            var attention = options.attention
            let isShifted = !options.alternatesShift || index % 2 == 1
            attention.windowShift = isShifted ? attention.windowSize / 2 : 0
            blocks.append(
                try ModulatedSparseBlock(
                    source.scoped("blocks.\(index)"), attention: attention, contextChannels: options.contextChannels,
                    crossHeads: attention.queryHeads, ratio: options.ratio,
                    normalizesCrossHeads: options.normalizesCrossHeads,
                    sharesModulation: options.sharesModulation))
        }
        self.blocks = blocks
        modulation =
            options.sharesModulation
            ? try Linear(source.scoped("adaLN_modulation.1"), inputs: channels, outputs: 6 * channels) : nil
        output = try Linear(source.scoped("out_layer"), inputs: channels, outputs: options.outputs)
    }

    /// What a network of these sizes knows latents' places by, `[N, channels]`.
    package static func positions(
        of coordinates: CoordinateSet, _ options: Options, _ compute: Compute
    ) -> Tensor {
        PositionEmbedding(channels: options.attention.channels)(
            coordinates, factor: options.positionFactor, compute)
    }

    /// The velocity of every latent.
    /// - Parameters:
    ///   - x: `[N, inputs]`, in block order.
    ///   - t: one timestep a batch item, 0 … 1000.
    ///   - positions: of the latents, where they are there already.
    ///   - observe: sees the result of every block; for tests.
    /// - Returns: `[N, outputs]`
    package func callAsFunction(
        _ x: SparseTensor, t: [Float], _ given: Condition, positions: Tensor? = nil, _ compute: Compute,
        observe: (_ block: Int, SparseTensor) -> Void = { _, _ in }
    ) throws(Failure) -> SparseTensor {
        precondition(t.count == x.coordinates.layout.count, "one timestep a batch item")
        let embedded = time(t, compute)
        let mixed = modulation.map { $0(compute.apply(.silu, embedded), compute) } ?? embedded
        let context: Tensor
        let ranges: [Range<Int>]
        switch given {
        case .dense(let tokens):
            let (items, length) = (tokens.shape[0], tokens.shape[1])
            context = compute.reshape(tokens, [items * length, tokens.shape[2]])
            ranges = (0..<items).map { $0 * length..<($0 + 1) * length }
        case .sparse(let tokens):
            let projected = condition.map { $0(tokens.features, compute) } ?? tokens.features
            context = compute.add(projected, embedding(tokens.coordinates, compute))
            ranges = tokens.coordinates.layout
        }
        let plan = AttentionPlan(queries: x.coordinates.layout, keys: ranges)
        let placed = positions ?? Self.positions(of: x.coordinates, options, compute)
        var h = x.with(compute.add(input(x.features, compute), placed))
        for (index, block) in blocks.enumerated() {
            var failure: Failure?
            h = compute.segment(h, with: [mixed, context]) { x, others in
                do throws(Failure) {
                    return try block(x, time: others[0], context: others[1], plan: plan, compute)
                } catch {
                    failure = error
                    return x
                }
            }
            if let failure { throw failure }
            observe(index, h)
        }
        return h.with(output(compute.layerNorm(h.features, epsilon: 1e-5), compute))
    }
}
