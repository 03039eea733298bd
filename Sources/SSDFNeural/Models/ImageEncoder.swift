import SSDFCore
import SSDFTensor

/// A block of the image encoder: x += γ₁ ⊙ attention(norm1 x); x += γ₂ ⊙ fc2(GELU(fc1(norm2 x))), the GELU in its exact
/// form (SPEC §10).
struct ImageEncoderBlock: Sendable {
    let norm1: (weight: Parameter, bias: Parameter)
    let projection: Linear
    let output: Linear
    let scale1: Parameter
    let norm2: (weight: Parameter, bias: Parameter)
    let expand: Linear
    let contract: Linear
    let scale2: Parameter
    let heads: Int

    init(_ source: ParameterSource, channels: Int, heads: Int) throws(Failure) {
        func norm(_ name: String) throws(Failure) -> (weight: Parameter, bias: Parameter) {
            let place = source.scoped(name)
            return (try place.parameter("weight", [channels]), try place.parameter("bias", [channels]))
        }
        norm1 = try norm("norm1")
        projection = try Linear(source.scoped("attn.qkv"), inputs: channels, outputs: 3 * channels)
        output = try Linear(source.scoped("attn.proj"), inputs: channels, outputs: channels)
        scale1 = try source.parameter("ls1.gamma", [channels])
        norm2 = try norm("norm2")
        expand = try Linear(source.scoped("mlp.fc1"), inputs: channels, outputs: 4 * channels)
        contract = try Linear(source.scoped("mlp.fc2"), inputs: 4 * channels, outputs: channels)
        scale2 = try source.parameter("ls2.gamma", [channels])
        self.heads = heads
    }

    /// `[N, C]` → `[N, C]`
    func callAsFunction(_ x: Tensor, plan: AttentionPlan, _ compute: Compute) -> Tensor {
        let channels = x.columns
        let normed = compute.layerNorm(x, weight: norm1.weight.value, bias: norm1.bias.value, epsilon: 1e-6)
        let parts = compute.split(projection(normed, compute), widths: [channels, channels, channels]).map {
            compute.reshape($0, [x.rows, heads, channels / heads])
        }
        let attended = compute.reshape(compute.attention(parts[0], parts[1], parts[2], plan: plan), [x.rows, channels])
        let h = compute.add(
            x, compute.multiply(output(attended, compute), scale1.value, broadcast: .row))
        let again = compute.layerNorm(h, weight: norm2.weight.value, bias: norm2.bias.value, epsilon: 1e-6)
        let fed = contract(compute.apply(.geluErf, expand(again, compute)), compute)
        return compute.add(h, compute.multiply(fed, scale2.value, broadcast: .row))
    }
}

/// DINOv2 with registers: a picture to tokens: the class token, the registers, the patches row by row (SPEC §10).
///
/// Parameters by the names of the published weights. The norm after the last block is not part of it.
///
/// Source: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023; Darcet et al., "Vision
/// Transformers Need Registers", 2023.
package struct ImageEncoder: Sendable {
    /// Its sizes.
    package let config: DinoEncoderConfig
    let classToken: Parameter
    let positions: Parameter
    let registers: Parameter?
    let patchWeight: Parameter
    let patchBias: Parameter
    let blocks: [ImageEncoderBlock]

    /// What the encoder's pictures are brought to: mean and deviation of red, green and blue.
    private static let mean: [Float] = [0.485, 0.456, 0.406]
    private static let deviation: [Float] = [0.229, 0.224, 0.225]

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, _ config: DinoEncoderConfig) throws(Failure) {
        self.config = config
        let channels = config.embedDim
        classToken = try source.parameter("cls_token", [1, 1, channels])
        positions = try source.parameter("pos_embed", [1, config.gridSide * config.gridSide + 1, channels])
        registers =
            config.registerTokens > 0
            ? try source.parameter("register_tokens", [1, config.registerTokens, channels]) : nil
        let patch = source.scoped("patch_embed.proj")
        patchWeight = try patch.parameter("weight", [channels, 3, config.patchSize, config.patchSize])
        patchBias = try patch.parameter("bias", [channels])
        var blocks: [ImageEncoderBlock] = []
        for index in 0..<config.depth {
            blocks.append(
                try ImageEncoderBlock(source.scoped("blocks.\(index)"), channels: channels, heads: config.numHeads))
        }
        self.blocks = blocks
    }

    /// Tokens before the patches: the class and the registers.
    package var leadingTokens: Int { 1 + config.registerTokens }

    /// - Parameters:
    ///   - images: `[B, 3, S, S]`, red, green and blue in 0 … 1; S a multiple of the patch size.
    ///   - observe: sees named intermediate results; for tests.
    /// - Returns: `[B, 1 + registers + (S/patch)², C]`, each token normalised without parameters, ε 1e-5.
    package func callAsFunction(
        _ images: Tensor, _ compute: Compute, observe: (_ name: String, Tensor) -> Void = { _, _ in }
    ) -> Tensor {
        let side = images.shape[2]
        precondition(images.shape[1] == 3 && images.shape[3] == side && side % config.patchSize == 0)
        return tokens(of: patched(images, compute), pictures: images.shape[0], compute, observe: observe)
    }

    /// The tokens of pictures whose patches are there.
    /// - Parameters:
    ///   - patched: `[B · (S/patch)², 3 · patch²]`, as `writePatches` writes them.
    ///   - pictures: B.
    /// - Returns: `[B, 1 + registers + (S/patch)², C]`
    package func tokens(
        of patched: Tensor, pictures items: Int, _ compute: Compute,
        observe: (_ name: String, Tensor) -> Void = { _, _ in }
    ) -> Tensor {
        let across = Int(Double(patched.rows / items).squareRoot().rounded())
        let (patches, channels) = (across * across, config.embedDim)
        precondition(items * patches == patched.rows, "a square of patches a picture")
        let embedded = compute.linear(
            patched,
            compute.reshape(patchWeight.value, [channels, 3 * config.patchSize * config.patchSize]),
            bias: patchBias.value)
        let used = positionEmbedding(across: across, compute)
        observe("pos_embed_used", used)
        // A row a token of one picture, the patches still empty but for their positions; then a copy a picture.
        let places = compute.reshape(used, [1 + patches, channels])
        let first = compute.add(
            compute.reshape(classToken.value, [1, channels]), compute.rows(places, 0..<1))
        var rows = [first]
        if let registers { rows.append(compute.reshape(registers.value, [config.registerTokens, channels])) }
        let table = compute.stack(rows + [compute.rows(places, 1..<1 + patches)])
        let tokens = leadingTokens + patches
        let leading = leadingTokens
        let copies = RowMap(Buffer((0..<items * tokens).map { Int32($0 % tokens) }), targets: tokens)
        let targets = RowMap(
            Buffer((0..<items * patches).map { Int32($0 / patches * tokens + leading + $0 % patches) }),
            targets: items * tokens)
        let x = compute.add(compute.scatterAdd(embedded, targets), compute.gather(table, copies))
        let shape = [items, tokens, channels]
        observe("tokens_in", compute.reshape(x, shape))
        let layout = (0..<items).map { $0 * tokens..<($0 + 1) * tokens }
        let plan = AttentionPlan(queries: layout, keys: layout)
        var h = x
        for (index, block) in blocks.enumerated() {
            h = compute.segment([h]) { block($0[0], plan: plan, compute) }
            observe("block\(index)_out", compute.reshape(h, shape))
        }
        observe("x_prenorm", compute.reshape(h, shape))
        return compute.reshape(compute.layerNorm(h, epsilon: 1e-5), shape)
    }

    /// Patches as rows `[B · patches, 3 · p²]` of normalised colours.
    private func patched(_ images: Tensor, _ compute: Compute) -> Tensor {
        let (items, side, p) = (images.shape[0], images.shape[2], config.patchSize)
        let size = 3 * side * side
        let y = compute.empty([items * (side / p) * (side / p), 3 * p * p])
        let memory = Unchecked((from: images.elements.baseAddress!, to: y.pointer))
        parallelFor(items, threads: compute.backend.threads) { range in
            for item in range {
                Self.writePatches(
                    of: memory.value.from + item * size, side: side, patchSize: p, to: memory.value.to + item * size)
            }
        }
        withExtendedLifetime(images) {}
        return y
    }

    /// Writes a picture as its patches: what the encoder takes of it.
    /// - Parameters:
    ///   - image: `[3, side, side]`, red, green and blue in 0 … 1.
    ///   - patchSize: p, a divisor of the side.
    ///   - target: `[(side/p)², 3 · p²]`, row by row, of colours with the mean and deviation of pictures taken out.
    package static func writePatches(
        of image: UnsafePointer<Float>, side: Int, patchSize p: Int, to target: UnsafeMutablePointer<Float>
    ) {
        let across = side / p
        for channel in 0..<3 {
            let (mean, deviation) = (Self.mean[channel], Self.deviation[channel])
            for row in 0..<side {
                let line = image + (channel * side + row) * side
                let lines = target + row / p * across * 3 * p * p + (channel * p + row % p) * p
                for patch in 0..<across {
                    let (from, to) = (line + patch * p, lines + patch * 3 * p * p)
                    for x in 0..<p { to[x] = (from[x] - mean) / deviation }
                }
            }
        }
    }

    /// The positions for a grid of `across` patches a side, `[1, 1 + across², C]`: as they are, or the patches' resized
    /// by antialiased bicubic interpolation, which no gradient passes.
    private func positionEmbedding(across: Int, _ compute: Compute) -> Tensor {
        let (grid, channels) = (config.gridSide, config.embedDim)
        guard across != grid else { return positions.value }
        let y = Tensor(repeating: 0, shape: [1, 1 + across * across, channels])
        y.pointer.update(from: positions.value.pointer, count: channels)
        // The first release scaled by (across + 0.1)/grid; the picture's size alone decides in later ones.
        let scale =
            config.interpolateOffset > 0
            ? Double(grid) / (Double(across) + config.interpolateOffset) : Double(grid) / Double(across)
        let weights = BicubicWeights(
            inputs: grid, outputs: across, scale: scale, isAntialiased: config.interpolateAntialias)
        let source = positions.value.pointer + channels
        let target = y.pointer + channels
        // Along rows first, then along columns.
        var between = [Float](repeating: 0, count: grid * across * channels)
        for row in 0..<grid {
            for column in 0..<across {
                for (index, weight) in weights.taps[column] {
                    for c in 0..<channels {
                        between[(row * across + column) * channels + c] +=
                            weight * source[(row * grid + index) * channels + c]
                    }
                }
            }
        }
        for row in 0..<across {
            for (index, weight) in weights.taps[row] {
                for at in 0..<across * channels {
                    target[row * across * channels + at] += weight * between[index * across * channels + at]
                }
            }
        }
        return y
    }
}

/// Weights of a cubic interpolation along one axis, half-pixel centres: antialiased with a = −0.5, edges cut off and the
/// rest scaled to sum to 1; otherwise a = −0.75, edges repeated.
struct BicubicWeights {
    /// `[outputs]`: inputs and their weights.
    let taps: [[(index: Int, weight: Float)]]

    init(inputs: Int, outputs: Int, scale: Double, isAntialiased: Bool) {
        taps = (0..<outputs).map { output in
            let center = scale * (Double(output) + 0.5)
            guard isAntialiased else {
                let first = (center - 0.5).rounded(.down)
                return (-1...2).map { step in
                    let index = min(max(Int(first) + step, 0), inputs - 1)
                    return (index, Float(Self.cubic(center - 0.5 - first - Double(step), a: -0.75)))
                }
            }
            let stretch = max(scale, 1)
            let low = max(Int(center - 2 * stretch + 0.5), 0)
            let high = min(Int(center + 2 * stretch + 0.5), inputs)
            let raw = (low..<high).map { Self.cubic((Double($0) - center + 0.5) / stretch, a: -0.5) }
            let sum = raw.reduce(0, +)
            return zip(low..<high, raw).map { ($0, Float($1 / sum)) }
        }
    }

    /// Keys' cubic convolution kernel.
    private static func cubic(_ x: Double, a: Double) -> Double {
        let x = abs(x)
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
    }
}
