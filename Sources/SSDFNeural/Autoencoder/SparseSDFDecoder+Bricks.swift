import SSDFCore
import SSDFTensor
import SSDFVolume

/// Decoding straight into bricks: the 512 voxels of a latent's cell are one 8×8×8 brick of the result.
extension SparseSDFDecoder {
    /// Cells around a piece that its voxels can depend on: the convolutions reach 1 + ½ + ½ + ¼ + ¼ + ⅛ cells.
    static let reach = 3

    /// A part of the grid that is decoded on its own: tokens of it and around it.
    struct Piece: Sendable {
        /// Rows of the latents, ascending.
        var rows: [Int32]
        /// Places in `rows` of the tokens whose voxels are wanted.
        var owned: [Int]
    }

    /// The parts of a grid cut into `chunks` along each axis, those without tokens left out. Every piece sees all that
    /// its voxels depend on, so that the numbers do not depend on how the grid was cut.
    static func pieces(of coordinates: CoordinateSet, side: Int, chunks: Int) -> [Piece] {
        guard chunks > 1 else {
            return [Piece(rows: Array(0..<Int32(coordinates.count)), owned: Array(0..<coordinates.count))]
        }
        let length = (side + chunks - 1) / chunks
        var pieces = [Piece](repeating: Piece(rows: [], owned: []), count: chunks * chunks * chunks)
        for row in 0..<coordinates.count {
            let c = coordinates.rows.pointer[row]
            let place = [Int(c.y), Int(c.z), Int(c.w)]
            let low = place.map { max(0, $0 - reach) / length }
            let high = place.map { min(side - 1, $0 + reach) / length }
            for x in low[0]...high[0] {
                for y in low[1]...high[1] {
                    for z in low[2]...high[2] {
                        let index = (x * chunks + y) * chunks + z
                        if place[0] / length == x, place[1] / length == y, place[2] / length == z {
                            pieces[index].owned.append(pieces[index].rows.count)
                        }
                        pieces[index].rows.append(Int32(row))
                    }
                }
            }
        }
        return pieces.filter { !$0.owned.isEmpty }
    }

    /// The values of all children of a set of tokens.
    /// - Parameters:
    ///   - h: the transformer's result, `[N, C]`.
    ///   - keepsFeatures: whether what the last layer reads is wanted too.
    ///   - finished: told each of the six convolutions as it is done.
    /// - Returns: `[512N, out]` and `[512N, C/16]`, in the order of nested subdivision.
    func children(
        of h: SparseTensor, keepsFeatures: Bool, _ compute: Compute, finished: (_ convolution: Int) -> Void
    ) -> (values: Tensor, features: Tensor?) {
        var h = h
        for (level, block) in upsample.dropLast().enumerated() {
            h = compute.apply(.silu, block.first(h, compute))
            finished(2 * level)
            h = SparseTensor(features: block.subdivided(h, compute), coordinates: h.coordinates.finer().set)
            finished(2 * level + 1)
        }
        let last = upsample[upsample.count - 1]
        h = compute.apply(.silu, last.first(h, compute))
        finished(4)
        let head = ConvolutionHead(weight: output.weight.value, bias: output.bias!.value, function: .tanh)
        guard keepsFeatures else {
            let values = last.subdivided(h, head: head, compute)
            finished(5)
            return (values, nil)
        }
        let features = last.subdivided(h, compute)
        finished(5)
        return (compute.apply(.tanh, output(features, compute)), features)
    }
}

/// Places of the 512 children of a cell: the order of nested subdivision, three digits of three bits with the coarsest
/// first, and the order of a brick's mask, x·64 + y·8 + z.
enum ChildOrder {
    /// Child number of each mask bit.
    static let nested: [Int] = (0..<512).map { bit in
        let (x, y, z) = (bit >> 6, bit >> 3 & 7, bit & 7)
        return (0..<3).reduce(0) { child, level in
            let shift = 2 - level
            return child << 3 | (x >> shift & 1) << 2 | (y >> shift & 1) << 1 | z >> shift & 1
        }
    }
}
