import SSDFCore
import SSDFTensor
import SSDFVolume

/// What a network will take: counted from its input's coordinates before anything large is allocated.
package struct NetworkCost: Sendable, Equatable {
    /// Floating-point operations of the layers as they are defined: products and attention, two a multiplication.
    package var operations = 0.0
    /// Operations that are really done: where taps are added first, fewer.
    package var performed = 0.0
    /// The most bytes of memory in use at one time, those of the process itself included.
    package var bytes = 0

    /// Bytes of a program that has done nothing yet, its libraries included.
    static let program = 24 << 20

    /// "1.2 GB, 3.4 Tflop"
    package var summary: String {
        "\(byteText(bytes)) of memory, \(rounded(operations / 1e12, digits: 3)) Tflop"
    }
}

/// How many rows and neighbours the children of a set have, level by level: a cell side of k children along an axis.
struct ChildCounts {
    let rows: Int
    /// Pairs of neighbouring cells that share a face, an edge, a corner; each pair counts twice.
    let faces: Int, edges: Int, corners: Int

    init(_ map: KernelMap) {
        rows = map.outputRows
        var sums = [0, 0, 0, 0]
        for tap in 0..<27 {
            let distance = abs(tap % 3 - 1) + abs(tap / 3 % 3 - 1) + abs(tap / 9 - 1)
            sums[distance] += map.pairCount(ofTap: tap)
        }
        (faces, edges, corners) = (sums[1], sums[2], sums[3])
    }

    init(rows: Int, faces: Int, edges: Int, corners: Int) {
        (self.rows, self.faces, self.edges, self.corners) = (rows, faces, edges, corners)
    }

    /// The counts of the children, `side` along an axis.
    func subdivided(_ k: Int) -> ChildCounts {
        let inner = 2 * (k - 1)
        return ChildCounts(
            rows: rows * k * k * k, faces: rows * 3 * inner * k * k + faces * k * k,
            edges: rows * 3 * inner * inner * k + faces * 2 * inner * k + edges * k,
            corners: rows * inner * inner * inner + faces * inner * inner + edges * inner + corners)
    }

    /// Pairs of a 3×3×3 convolution.
    var pairs: Int { rows + faces + edges + corners }
    /// Products of a convolution over the subdivided rows, with taps added first.
    var subdividedProducts: Int { 8 * rows + 4 * faces + 2 * edges + corners }
    /// Bytes of coordinates, kernel map and look-up tables.
    var mapBytes: Int { rows * 32 + pairs * 6 }
}

extension SparseTransformerBase {
    /// Operations on `rows` tokens.
    func operations(_ coordinates: CoordinateSet) -> Double {
        let n = Double(coordinates.count)
        let channels = Double(input.weight.value.rows)
        var total = 2 * n * channels * Double(input.weight.value.columns)
        for block in blocks {
            let hidden = Double(block.feedForward.expand.weight.value.rows)
            let scores = Double(block.extent.plan(for: coordinates).scoreCount)
            total += 2 * n * channels * (4 * channels + 2 * hidden) + 4 * scores * channels
        }
        return total
    }

    /// Bytes of a block's rows at their most: what it was given, what attention made of it, the norm of that, and twice
    /// the hidden layer where it is stored; or queries, keys and values before and after they are taken apart, and the
    /// result. The pool rounds sizes up by a sixteenth on average. And weights laid out for two products.
    func bytes(rows: Int, _ precision: Precision) -> Int {
        let channels = input.weight.value.rows
        let hidden = blocks.map { $0.feedForward.expand.weight.value.rows }.max() ?? 0
        let stored = precision.tilesFeedForward(rows: rows) ? 0 : 2 * hidden
        return 4 * rows * (3 * channels + max(stored, 6 * channels)) / 16 * 17 + 8 * channels * hidden
    }

    /// Bytes of the weights, and of those laid out once for products in bf16.
    func parameterBytes(_ precision: Precision) -> Int {
        let all = blocks.reduce(0) { $0 + $1.parameterBytes }
        return precision.usesBrainFloat ? all + all / 2 : all
    }
}

extension SparseSDFDecoder {
    /// Widths of the levels.
    private var widths: [Int] { [transformer.input.weight.value.rows] + upsample.map { $0.second.bias.value.count } }

    /// Operations of the upsampling of all children, as defined and as done.
    private func convolutions(_ counts: ChildCounts) -> (defined: Double, performed: Double) {
        var (defined, performed) = (0.0, 0.0)
        for level in 0..<3 {
            let coarse = counts.subdivided(1 << level)
            let fine = counts.subdivided(2 << level)
            let (a, b) = (Double(widths[level]), Double(widths[level + 1]))
            let first = 2 * Double(coarse.pairs) * a * b
            defined += first + 2 * Double(fine.pairs) * b * b
            performed += first + 2 * Double(coarse.subdividedProducts) * b * b
        }
        let head = 2 * Double(512 * counts.rows) * Double(widths[3] * output.weight.value.rows)
        return (defined + head, performed + head)
    }

    /// Bytes of the upsampling of a piece of `rows` tokens with the neighbours that `counts` has on average.
    private func bytes(
        rows: Int, _ counts: ChildCounts, keepsFeatures: Bool, threads: Int, _ precision: Precision
    ) -> Int {
        let share = Double(rows) / Double(max(counts.rows, 1))
        var most = 0
        var maps = 0
        for level in 0..<3 {
            let coarse = counts.subdivided(1 << level)
            let n = Int(Double(coarse.rows) * share)
            maps += Int(Double(coarse.mapBytes) * share)
            let (a, b) = (widths[level], widths[level + 1])
            let isLast = level == 2
            let children = isLast && !keepsFeatures ? output.weight.value.rows : b
            let packed = 27 * 8 * b * b
            let tiles = isLast && !keepsFeatures ? threads * KernelMap.tileRows * 8 * b : 0
            // The convolution's input and result, with a rounded copy of the one or what the activation makes of the
            // other; then that, with its copy, and the children.
            let (first, second) = precision.roundsRows ? (a / 2, b / 2) : (0, 0)
            let convolving = n * (a + b + max(b, first))
            most = max(most, maps + 4 * max(convolving, n * (b + second + 8 * children) + packed + tiles))
            if isLast, keepsFeatures { most = max(most, maps + 4 * 8 * n * (b + 2)) }
        }
        return most
    }

    /// What decoding takes, cut into pieces.
    package func cost(
        _ latents: CoordinateSet, chunks: Int, keepsFeatures: Bool = false, threads: Int, _ precision: Precision
    ) -> NetworkCost {
        let counts = ChildCounts(latents.kernelMap(threads: threads))
        let pieces = Self.pieces(of: latents, side: resolution, chunks: chunks)
        let largest = pieces.map(\.rows.count).max() ?? 0
        let seen = pieces.reduce(0) { $0 + $1.rows.count }
        let repeats = Double(seen) / Double(max(latents.count, 1))
        let work = convolutions(counts)
        let tokens = transformer.operations(latents)
        var cost = NetworkCost()
        cost.operations = tokens + work.defined
        cost.performed = tokens + work.performed * repeats
        // The result lies there twice for a moment: as rows and as bricks; with features they stay beside it.
        let results = 4 * 512 * latents.count * output.weight.value.rows
        let features = keepsFeatures ? 4 * 512 * latents.count * widths[3] : 0
        let held =
            NetworkCost.program + parameterBytes(precision) + latents.count
            * (4 * transformer.input.weight.value.columns + 64)
        let h = 4 * latents.count * widths[0]
        let piece = bytes(rows: largest, counts, keepsFeatures: keepsFeatures, threads: threads, precision)
        let most = max(
            transformer.bytes(rows: latents.count, precision), h + piece + results + (chunks > 1 ? features : 0))
        cost.bytes = held + most
        return cost
    }

    private func parameterBytes(_ precision: Precision) -> Int {
        transformer.parameterBytes(precision)
            + upsample.reduce(0) { $0 + $1.first.parameterBytes + $1.second.parameterBytes }
    }
}

extension SparseTransformerBlock {
    var parameterBytes: Int {
        let linears = [attention.projection, attention.output, feedForward.expand, feedForward.contract]
        return linears.reduce(0) { $0 + 4 * $1.weight.value.count }
    }
}

extension SparseConvolution {
    var parameterBytes: Int { 4 * kernel.value.count }
}

extension SparseSDFEncoder {
    /// What encoding takes.
    /// - Parameters:
    ///   - cells: rows of the grids of half, a quarter and an eighth of the resolution, with their neighbours.
    ///   - volumeBytes: of the input.
    func cost(
        _ levels: [CoordinateSet], values: Int, volumeBytes: Int, threads: Int, _ precision: Precision
    ) -> NetworkCost {
        var cost = NetworkCost()
        var parameters = transformer.parameterBytes(precision)
        var (maps, most) = (0, 0)
        for (block, set) in zip(downsample, levels) {
            let (a, b) = (block.entryNorm.weight.value.count, block.norm.weight.value.count)
            parameters += block.first.parameterBytes + block.second.parameterBytes
            let counts = ChildCounts(set.kernelMap(threads: threads))
            let (n, pairs) = (Double(set.count), Double(counts.pairs))
            cost.operations += 2 * pairs * Double(a * b + b * b) + (a == b ? 0 : 2 * n * Double(a * b))
            maps += counts.mapBytes
            // Both inputs, then the convolution's result, its norm and its activation.
            let copied = precision.roundsRows ? 2 * set.count * max(a, b) : 0
            most = max(most, 4 * set.count * (2 * a + 3 * b) + copied + maps)
        }
        cost.operations += 2 * Double(values) * Double(entry.weight.value.count)
        let tokens = levels[levels.count - 1]
        cost.operations += transformer.operations(tokens)
        cost.operations += 2 * Double(tokens.count * output.weight.value.count)
        cost.performed = cost.operations
        most = max(most, transformer.bytes(rows: tokens.count, precision) + maps)
        cost.bytes = NetworkCost.program + parameters + volumeBytes + 4 * values + 24 * levels[0].count + most
        return cost
    }
}
