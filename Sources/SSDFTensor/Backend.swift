import SSDFCore

/// The operations that every back end offers: results go to tensors that the caller made, and nothing is recorded.
///
/// This list is the seam between the networks and the machine. `Compute` allocates and records around it; another
/// processor is another type that conforms. Each requirement is documented where the processor implements it, in the
/// file of the operation, beside its gradient. A gradient argument that is nil is not wanted; dx is added to where `adds`.
package protocol Backend: Sendable {
    var threads: Int { get }

    // Linear
    func linear(_ x: Tensor, weight: Tensor, bias: Tensor?, into y: Tensor)
    func linearGradients(
        _ x: Tensor, weight: Tensor, dy: Tensor, dx: Tensor?, adds: Bool, dWeight: Tensor?, dBias: Tensor?)

    /// Whether it was done; where not, the layers are called one by one.
    func feedForward(
        _ x: Tensor, expand: LayerWeights, _ function: PointwiseFunction, contract: LayerWeights, into y: Tensor
    ) -> Bool

    // Pointwise and Arithmetic
    func apply(_ function: PointwiseFunction, _ x: Tensor, into y: Tensor)
    func applyGradient(_ function: PointwiseFunction, _ x: Tensor, dy: Tensor, into dx: Tensor)
    func add(_ a: Tensor, _ b: Tensor, scale: Float, broadcast: Broadcast, into y: Tensor)
    func multiply(_ a: Tensor, _ b: Tensor, broadcast: Broadcast, into y: Tensor)
    func multiply(_ x: Tensor, segments: [Range<Int>], by factors: Tensor, adding a: Tensor?, into y: Tensor)
    func affine(_ x: Tensor, scale: Float, shift: Float, into y: Tensor)
    func sum(_ x: Tensor, times other: Tensor?, kept broadcast: Broadcast, into y: Tensor)
    func sum(_ x: Tensor, times other: Tensor, segments: [Range<Int>], into y: Tensor)
    func dot(_ a: Tensor, _ b: Tensor) -> Double
    func total(_ x: Tensor, scale: Float, into y: Tensor)
    func spread(_ x: Tensor, scale: Float, into y: Tensor)
    func fill(_ y: Tensor, with value: Float)
    func copy(_ x: Tensor, into y: Tensor)
    func elementLoss(_ loss: ElementLoss, _ x: Tensor, _ target: Tensor, values: Tensor, slopes: Tensor)
    func addUp(_ parts: [[Tensor?]], into totals: [Tensor])

    // Norms and softmax
    func layerNorm(
        _ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float, segments: [Range<Int>], into y: Tensor)
    func layerNormGradients(
        _ x: Tensor, weight: Tensor?, dy: Tensor, epsilon: Float, segments: [Range<Int>], dx: Tensor, adds: Bool,
        dWeight: Tensor?, dBias: Tensor?)
    func rmsNorm(_ x: Tensor, gamma: Tensor, into y: Tensor)
    func rmsNormGradients(_ x: Tensor, gamma: Tensor, dy: Tensor, dx: Tensor, dGamma: Tensor)
    func groupNorm(
        _ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float, into y: Tensor
    ) -> GroupStatistics
    func groupNormGradients(
        _ x: Tensor, groups: Int, statistics: GroupStatistics, weight: Tensor, dy: Tensor, dx: Tensor,
        dWeight: Tensor, dBias: Tensor)
    func softmax(_ x: Tensor, into y: Tensor)
    func softmaxGradient(_ y: Tensor, dy: Tensor, into dx: Tensor)

    // Rows and columns
    func gather(_ x: Tensor, _ map: RowMap, into y: Tensor)
    func reduce(_ x: Tensor, _ map: RowMap, weights: Tensor?, into y: Tensor)
    func copyColumns(from x: Tensor, at source: Int, to y: Tensor, at target: Int, count: Int)
    func transpose(_ x: Tensor, batches: Int, rows: Int, columns: Int, into y: Tensor)

    // Convolutions
    func convolve(_ x: Tensor, kernel: Tensor, bias: Tensor?, map: KernelMap, into y: Tensor)
    func convolveGradients(
        _ x: Tensor, kernel: Tensor, dy: Tensor, map: KernelMap, dx: Tensor?, dKernel: Tensor?, dBias: Tensor?)
    func convolveSubdivided(
        _ x: Tensor, kernel: Tensor, bias: Tensor, map: KernelMap, function: PointwiseFunction,
        head: ConvolutionHead?, into y: Tensor)
    func pooledActivation(
        _ values: UnsafeBufferPointer<Float>, starts: UnsafeBufferPointer<Int32>,
        layer: (scale: Tensor, shift: Tensor), normed: (scale: [Float], shift: [Float]), function: PointwiseFunction,
        extra: Int, mean: Tensor, active: Tensor)
    func convolveVolume(
        _ x: Tensor, weight: Tensor, bias: Tensor?, window: VolumeWindow, transposed: Bool, into y: Tensor)
    func volumeKernelGradient(fine: Tensor, coarse: Tensor, window: VolumeWindow, into dWeight: Tensor)
    func pixelShuffle(_ x: Tensor, into y: Tensor, inverse: Bool)

    // Attention
    func attention(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, into y: Tensor, logSum: Tensor?)
    func attentionGradients(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, plan: AttentionPlan, y: Tensor, logSum: Tensor, dy: Tensor,
        dq: Tensor, dk: Tensor, dv: Tensor)

    // Block-sparse attention
    func blockSparseAttention(
        _ operands: BlockSparseOperands, plan: BlockSparsePlan, into y: Tensor, trace: BlockSparseTrace,
        scores: Tensor?)
    func blockSparseAttentionGradients(
        _ operands: BlockSparseOperands, plan: BlockSparsePlan, y: Tensor, trace: BlockSparseTrace, dy: Tensor,
        into gradients: BlockSparseOperands)

    // Optimiser
    func adamStep(_ step: AdamStep, weight: Tensor, gradient: Tensor, first: Tensor, second: Tensor)
}

/// The number format of products: of the operands, not of their sums or of a softmax, which are always f32. So are
/// gradients.
package enum Precision: String, Sendable, CaseIterable {
    case f32
    /// Linear layers by oneDNN, which works without bf16 instructions too, slower than f32; attention and convolution
    /// where the processor has such instructions, else in f32. Attention then differs from exact attention by less than 4e-3 in
    /// relative L2 norm (3e-3 on normal operands). On Sapphire Rapids the instructions made it 1.7 times as slow as f32:
    /// they are for processors that run them at full rate.
    case bf16
    /// Linear layers in bf16 where the processor has instructions for it; all else in f32.
    case auto
}
