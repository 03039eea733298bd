import SSDFCore
import SSDFTensor

/// Which patches of pictures show the object, and the tokens that a sparse condition keeps (SPEC §10).
package struct PatchMask: Sendable {
    /// `[B, across, across]`: whether any pixel of the patch is part of the object, rows of the picture first.
    package let isCovered: [Bool]
    private let across: Int
    private let items: Int

    /// - Parameter mask: `[B, S, S]`, above 0 on the object.
    package init(_ mask: Tensor, patch: Int) {
        let (items, side) = (mask.shape[0], mask.shape[2])
        let across = side / patch
        var covered = [Bool](repeating: false, count: items * across * across)
        for item in 0..<items {
            for y in 0..<across * patch {
                for x in 0..<across * patch where mask.pointer[(item * side + y) * side + x] > 0 {
                    covered[(item * across + y / patch) * across + x / patch] = true
                }
            }
        }
        isCovered = covered
        (self.across, self.items) = (across, items)
    }

    /// The class and register tokens at (0, 0, 1), then the covered patches at (column, row, 0).
    /// - Parameters:
    ///   - tokens: `[B, leading + across², C]`
    ///   - leading: tokens before the patches.
    package func condition(
        _ tokens: Tensor, leading: Int, _ compute: Compute
    ) throws(Failure) -> SparseTensor {
        let length = tokens.shape[1]
        var rows: [SIMD4<Int32>] = []
        var kept: [Int32] = []
        for item in 0..<items {
            for token in 0..<leading {
                rows.append(SIMD4(Int32(item), 0, 0, 1))
                kept.append(Int32(item * length + token))
            }
            for place in 0..<across * across where isCovered[item * across * across + place] {
                rows.append(SIMD4(Int32(item), Int32(place % across), Int32(place / across), 0))
                kept.append(Int32(item * length + leading + place))
            }
        }
        let flat = compute.reshape(tokens, [items * length, tokens.shape[2]])
        return SparseTensor(
            features: compute.gather(flat, RowMap(Buffer(kept), targets: flat.rows)),
            coordinates: try CoordinateSet(Buffer(rows)))
    }
}
