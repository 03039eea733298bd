import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

/// A band as an auto-encoder sees it: the active voxels go in, all voxels of the bricks are to come out.
package struct AutoencoderSample: Sendable {
    /// The active voxels, `[N, 1]`.
    package let input: SparseTensor
    /// `[bricks · 512, 1]`, the children of each brick in the order of nested subdivision.
    package let target: Tensor
    /// What each voxel counts in the loss: those of the input together 1, the others together 1.
    package let weights: Tensor
    package let brickCount: Int

    /// - Parameter sharpEdges: how much more an input voxel at a sharp edge weighs.
    /// - Throws: `badData` when the band has no active voxel.
    package init(_ band: borrowing BandSamples, sharpEdges: Double = 0) throws(Failure) {
        let count = 512 * band.bricks.count
        self.target = Tensor(repeating: 0, shape: [count, 1])
        self.weights = Tensor(repeating: 0, shape: [count, 1])
        // Addresses once: reading one counts a reference, and that of a table which all threads share holds them up.
        let (target, weights, bits) = (self.target.pointer, self.weights.pointer, Self.bitOfChild)
        var active = 0
        for index in 0..<count where abs(band.values.pointer[index]) < 1 { active += 1 }
        guard active > 0 else { throw .badData("a band without active voxels", expected: "at least one") }
        let rows = Buffer<SIMD4<Int32>>(uninitialized: active)
        let features = Tensor(repeating: 0, shape: [active, 1])
        let values = features.pointer
        let extra = 1 / Float(max(count - active, 1))
        var row = 0
        var total = 0.0
        for brick in 0..<band.bricks.count {
            let place = band.bricks[brick]
            for child in 0..<512 {
                let bit = bits[child]
                let value = band.values.pointer[512 * brick + bit]
                target[512 * brick + child] = value
                guard abs(value) < 1 else {
                    weights[512 * brick + child] = extra
                    continue
                }
                let voxel = place.voxel(atBit: bit)
                rows.pointer[row] = SIMD4(0, voxel.x, voxel.y, voxel.z)
                values[row] = value
                let weight = sharpEdges > 0 ? 1 + Float(sharpEdges) * Self.sharpness(band, brick, bit) : 1
                weights[512 * brick + child] = weight
                total += Double(weight)
                row += 1
            }
        }
        let scale = Float(1 / total)
        for index in 0..<count where abs(target[index]) < 1 { weights[index] *= scale }
        input = SparseTensor(features: features, coordinates: try CoordinateSet(rows))
        brickCount = band.bricks.count
    }

    /// The mask bit of each voxel of a brick in the order of nested subdivision: the halves first, x before y before z.
    package static let bitOfChild: [Int] = (0..<512).map { child in
        var (x, y, z) = (0, 0, 0)
        for level in 0..<3 {
            let digits = child >> (3 * (2 - level)) & 7
            x = 2 * x + (digits >> 2)
            y = 2 * y + (digits >> 1 & 1)
            z = 2 * z + (digits & 1)
        }
        return x << 6 | y << 3 | z
    }

    /// What the band says of a voxel's nearness to sharp edges, or what its values tell.
    private static func sharpness(_ band: borrowing BandSamples, _ brick: Int, _ bit: Int) -> Float {
        band.sharpness.count > 0
            ? band.sharpness.pointer[512 * brick + bit] : sharpness(band.values.pointer + 512 * brick, bit)
    }

    /// 0 where the distance is that of a plane, towards 1 where the gradient turns: one minus the length of the central
    /// difference, which is 1 voxel per voxel in front of a flat surface. 0 at the brick's border and beside the band's end.
    private static func sharpness(_ values: UnsafePointer<Float>, _ bit: Int) -> Float {
        let (x, y, z) = (bit >> 6, bit >> 3 & 7, bit & 7)
        guard (1...6).contains(x), (1...6).contains(y), (1...6).contains(z) else { return 0 }
        var square: Float = 0
        for step in [64, 8, 1] {
            let (low, high) = (values[bit - step], values[bit + step])
            guard abs(low) < 1, abs(high) < 1 else { return 0 }
            let slope = (high - low) * BandSamples.halfWidth / 2
            square += slope * slope
        }
        return max(0, 1 - square.squareRoot())
    }
}
