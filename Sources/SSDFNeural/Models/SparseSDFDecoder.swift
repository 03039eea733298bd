import SSDFCore
import SSDFTensor

/// Latents to signed distances at eight times the resolution (SPEC §7).
///
/// Parameters of the transformer, `upsample.i.*`, `out_layer.*`.
package struct SparseSDFDecoder: Sendable {
    let transformer: SparseTransformerBase
    let upsample: [SparseSubdivideBlock]
    let output: Linear
    /// Latent cells along a side of the cube.
    package let resolution: Int

    /// Voxels and their values, row by row; in chunked decoding a voxel may come more than once.
    package struct Voxels: Sendable {
        /// `[N]`: batch, x, y, z.
        package var rows: [SIMD4<Int32>]
        /// `[N, out]`, after the hyperbolic tangent.
        package var values: Tensor
        /// `[N, C/16]`, what the last layer reads; nil in chunked decoding, as in the reference (SPEC Q10).
        package var features: Tensor?
    }

    /// - Parameters:
    /// - channels: width of the transformer; the levels after it have a quarter, an eighth and a sixteenth.
    /// - resolution: cells along a side of the latent grid.
    /// - Throws: what the source throws.
    package init(
        _ source: ParameterSource, channels: Int, latentChannels: Int, blocks: Int, heads: Int,
        ratio: Double = 4, outputs: Int = 1, resolution: Int
    ) throws(Failure) {
        transformer = try SparseTransformerBase(
            source, inputs: latentChannels, channels: channels, blocks: blocks, heads: heads, ratio: ratio)
        let widths = [channels, channels / 4, channels / 8, channels / 16]
        var upsample: [SparseSubdivideBlock] = []
        for index in 0..<3 {
            upsample.append(
                try SparseSubdivideBlock(
                    source.scoped("upsample.\(index)"), inputs: widths[index], outputs: widths[index + 1]))
        }
        self.upsample = upsample
        output = try Linear(source.scoped("out_layer"), inputs: widths[3], outputs: outputs)
        self.resolution = resolution
    }

    /// The transformer alone: latents `[N, latent]` → `[N, C]`.
    /// - Parameter finished: told each block as it is done.
    package func transform(
        _ latents: SparseTensor, _ compute: Compute, finished: (_ block: Int) -> Void = { _ in }
    ) -> SparseTensor {
        transformer(latents, compute, finished: finished)
    }

    /// From the transformer's result to values at the fine voxels, and the features before the last layer.
    package func upsampled(
        _ h: SparseTensor, _ compute: Compute
    ) -> (values: SparseTensor, features: SparseTensor) {
        var h = h
        for block in upsample { h = block(h, compute) }
        return (h.with(compute.apply(.tanh, output(h.features, compute))), h)
    }

    /// The values of `upsampled` alone. A segment a step, the last with what it takes to values: the features of the fine
    /// voxels are by far the most.
    package func values(_ h: SparseTensor, _ compute: Compute) -> SparseTensor {
        var h = h
        for (index, block) in upsample.enumerated() {
            h = compute.segment(h) { x in
                let y = block(x, compute)
                guard index == upsample.count - 1 else { return y }
                return y.with(compute.apply(.tanh, output(y.features, compute)))
            }
        }
        return h
    }

    /// Decodes in chunks³ pieces.
    ///
    /// Piece (i, j, k) sees the cells of its part of the grid and 4 cells around, and keeps voxels up to 7 beyond its
    /// upper end: neighbouring pieces both emit the overlap, and the result holds voxels twice, as the reference's
    /// does (SPEC Q9).
    /// - Throws: `badData` when a piece would not be a multiple of four cells.
    package func callAsFunction(
        _ latents: SparseTensor, chunks: Int = 1, _ compute: Compute
    ) throws(Failure) -> Voxels {
        let h = transform(latents, compute)
        guard chunks > 1 else {
            let (values, features) = upsampled(h, compute)
            return Voxels(
                rows: values.coordinates.rows.array, values: values.features, features: features.features)
        }
        guard resolution % chunks == 0, resolution / chunks % 4 == 0 else {
            throw .badData(
                "\(chunks) chunks along \(resolution) cells", expected: "chunks of a multiple of four cells")
        }
        let side = resolution / chunks
        var rows: [SIMD4<Int32>] = []
        var values: [Tensor] = []
        for chunk in 0..<chunks * chunks * chunks {
            let place = [chunk / (chunks * chunks), chunk / chunks % chunks, chunk % chunks]
            let lower = place.map { max(0, $0 * side - 4) }
            let upper = place.map { min(($0 + 1) * side + 4, resolution) }
            let inside = (0..<h.count).filter { row in
                let c = h.coordinates.rows.pointer[row]
                return (0..<3).allSatisfy { Int(c[$0 + 1]) >= lower[$0] && Int(c[$0 + 1]) < upper[$0] }
            }
            guard !inside.isEmpty else { continue }
            let shift = SIMD4<Int32>(0, Int32(lower[0]), Int32(lower[1]), Int32(lower[2]))
            let local = try CoordinateSet(Buffer(inside.map { h.coordinates.rows.pointer[$0] &- shift }))
            let taken = compute.gather(h.features, RowMap(Buffer(inside.map(Int32.init)), targets: h.count))
            let decoded = upsampled(SparseTensor(features: taken, coordinates: local), compute).values
            let kept = (0..<decoded.count).filter { row in
                let c = decoded.coordinates.rows.pointer[row] &+ shift &* 8
                return (0..<3).allSatisfy {
                    Int(c[$0 + 1]) >= 8 * place[$0] * side && Int(c[$0 + 1]) < 8 * (place[$0] + 1) * side + 7
                }
            }
            rows.append(contentsOf: kept.map { decoded.coordinates.rows.pointer[$0] &+ shift &* 8 })
            values.append(
                compute.gather(decoded.features, RowMap(Buffer(kept.map(Int32.init)), targets: decoded.count)))
        }
        let empty = compute.empty([0, output.weight.value.rows])
        return Voxels(rows: rows, values: values.isEmpty ? empty : compute.stack(values), features: nil)
    }
}
