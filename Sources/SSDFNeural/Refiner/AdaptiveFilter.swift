import SSDFCore
import SSDFTensor

/// A filter whose 27 weights a small network chooses anew for every voxel: applied three times with the same weights
/// (SPEC §13). Parameters `0.weight`, `0.bias`, `2.weight`.
package struct AdaptiveFilter: Sendable {
    let first: VolumeConvolution
    let second: VolumeConvolution

    /// - Parameter hidden: channels between the two convolutions that choose the weights.
    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, channels: Int, hidden: Int = 8) throws(Failure) {
        first = try VolumeConvolution(source.scoped("0"), inputs: channels, outputs: hidden, window: .three)
        second = try VolumeConvolution(
            source.scoped("2"), inputs: hidden, outputs: 27, window: .three, hasBias: false)
    }

    /// - Parameters:
    ///   - x: `[B, X, Y, Z, C]`, what is filtered.
    ///   - guide: `[B, X, Y, Z, channels]`, what the weights come from.
    package func callAsFunction(_ x: Tensor, guide: Tensor, _ compute: Compute) -> Tensor {
        let weights = second(compute.apply(.relu, first(guide, compute)), compute)
        Self.normalize(weights, threads: compute.backend.threads)
        var h = x
        for _ in 0..<3 { h = Self.filter(h, weights: weights, compute) }
        return h
    }

    /// Divides the 27 weights of each voxel by max(Σ|w|, 1e-12), in place: nobody else has seen them.
    private static func normalize(_ weights: Tensor, threads: Int) {
        let pointer = Unchecked(weights.pointer)
        parallelFor(weights.count / 27, threads: threads, grain: 4096) { range in
            for voxel in range {
                let row = pointer.value + voxel * 27
                var sum: Float = 0
                for tap in 0..<27 { sum += abs(row[tap]) }
                let factor = 1 / max(sum, 1e-12)
                for tap in 0..<27 { row[tap] *= factor }
            }
        }
        withExtendedLifetime(weights) {}
    }

    /// out[p, c] = Σ x[p + offset(t), c]·w[p, t], zero outside; the taps' z varies fastest (SPEC Q14).
    /// - Parameters:
    ///   - x: `[B, X, Y, Z, C]`
    ///   - weights: `[B, X, Y, Z, 27]`
    package static func filter(_ x: Tensor, weights: Tensor, _ compute: Compute) -> Tensor {
        let y = compute.empty(x.shape)
        let (sx, sy, sz, channels) = (x.shape[1], x.shape[2], x.shape[3], x.shape[4])
        let (source, factors, target) = (Unchecked(x.pointer), Unchecked(weights.pointer), Unchecked(y.pointer))
        parallelFor(x.shape[0] * sx * sy, threads: compute.backend.threads, grain: 4) { range in
            for line in range {
                let (px, py) = (line / sy % sx, line % sy)
                for pz in 0..<sz {
                    let place = line * sz + pz
                    let weight = factors.value + place * 27
                    let out = target.value + place * channels
                    if channels == 8 {
                        var sum = SIMD8<Float>()
                        forEachNeighbour(px, py, pz, sx, sy, sz) { tap, step in
                            let row = UnsafeRawPointer(source.value + (place + step) * 8)
                            sum += weight[tap] * row.loadUnaligned(as: SIMD8<Float>.self)
                        }
                        UnsafeMutableRawPointer(out).storeBytes(of: sum, as: SIMD8<Float>.self)
                    } else {
                        for channel in 0..<channels { out[channel] = 0 }
                        forEachNeighbour(px, py, pz, sx, sy, sz) { tap, step in
                            let row = source.value + (place + step) * channels
                            for channel in 0..<channels { out[channel] += weight[tap] * row[channel] }
                        }
                    }
                }
            }
        }
        withExtendedLifetime((x, weights)) {}
        return y
    }

    /// Calls `body` with the taps whose neighbour lies inside, and how many voxels away it is in memory.
    @inline(__always)
    private static func forEachNeighbour(
        _ x: Int, _ y: Int, _ z: Int, _ sx: Int, _ sy: Int, _ sz: Int, _ body: (_ tap: Int, _ step: Int) -> Void
    ) {
        for i in max(-1, -x)...min(1, sx - 1 - x) {
            for j in max(-1, -y)...min(1, sy - 1 - y) {
                for k in max(-1, -z)...min(1, sz - 1 - z) {
                    body((i + 1) * 9 + (j + 1) * 3 + k + 1, (i * sy + j) * sz + k)
                }
            }
        }
    }
}
