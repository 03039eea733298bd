import SSDFCore
import SSDFTensor

/// How a cubic volume is cut into overlapping patches along each axis.
package struct PatchLayout: Sendable, Equatable {
    /// Voxels along a side of the volume, and of a patch.
    package let side: Int
    /// Voxels along a side of a patch.
    package let patch: Int
    /// First voxels of the patches along an axis.
    package let origins: [Int]
    /// Voxels that neighbours share and that are blended.
    private let overlap: Int

    /// Patches that share 32 voxels and are blended there: {0, 160, 320} for 192 of 512.
    /// - Throws: `badData` when patches of this size do not tile the volume.
    package static func blended(side: Int, patch: Int) throws(Failure) -> PatchLayout {
        let overlap = 32
        let stride = patch - overlap
        guard patch == side || (stride >= overlap && side > patch && (side - overlap) % stride == 0) else {
            throw .badData("patches of \(patch) over \(side) voxels", expected: "patches that overlap by \(overlap)")
        }
        let count = patch == side ? 1 : (side - overlap) / stride
        return PatchLayout(side: side, patch: patch, origins: (0..<count).map { $0 * stride }, overlap: overlap)
    }

    /// Three patches an axis, of which later ones win: {0, 128, 256} of 512.
    /// - Throws: `badData` when a patch does not fit.
    package static func overwriting(side: Int, patch: Int) throws(Failure) -> PatchLayout {
        guard side % 4 == 0, patch > 0, side / 2 + patch <= side else {
            throw .badData("patches of \(patch) over \(side) voxels", expected: "at most half of them")
        }
        return PatchLayout(side: side, patch: patch, origins: [0, side / 4, side / 2], overlap: 0)
    }

    private init(side: Int, patch: Int, origins: [Int], overlap: Int) {
        (self.side, self.patch, self.origins, self.overlap) = (side, patch, origins, overlap)
    }

    /// Patches of the whole volume.
    package var count: Int { origins.count * origins.count * origins.count }

    /// First voxel of a patch; the last axis varies fastest.
    package func origin(of number: Int) -> (x: Int, y: Int, z: Int) {
        let n = origins.count
        return (origins[number / (n * n)], origins[number / n % n], origins[number % n])
    }

    /// What share patch `index` of an axis has in each of its voxels: where two patches meet it rises from 0 to 1 over
    /// their overlap, both ends included.
    func weights(ofAxisPatch index: Int) -> [Float] {
        let last = Float(overlap - 1)
        return (0..<patch).map { place in
            if index > 0, place < overlap { return Float(place) / last }
            let left = patch - 1 - place
            if index + 1 < origins.count, left < overlap { return 1 - Float(overlap - 1 - left) / last }
            return 1
        }
    }

    /// Adds a patch's share to a volume.
    /// - Parameters:
    ///   - values: `[patch, patch, patch]`
    ///   - volume: `[side, side, side]`
    package func blend(
        _ values: UnsafePointer<Float>, of number: Int, into volume: UnsafeMutablePointer<Float>, threads: Int
    ) {
        let n = origins.count
        let (i, j, k) = (number / (n * n), number / n % n, number % n)
        let (wx, wy, wz) = (weights(ofAxisPatch: i), weights(ofAxisPatch: j), weights(ofAxisPatch: k))
        let start = origin(of: number)
        let (source, target) = (Unchecked(values), Unchecked(volume))
        parallelFor(patch, threads: threads, grain: 4) { range in
            for x in range {
                for y in 0..<patch {
                    let weight = wx[x] * wy[y]
                    let row = target.value + ((start.x + x) * side + start.y + y) * side + start.z
                    let from = source.value + (x * patch + y) * patch
                    for z in 0..<patch { row[z] += weight * wz[z] * from[z] }
                }
            }
        }
    }
}
