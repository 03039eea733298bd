import SSDFCore
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Sines and cosines of coordinates: for each axis value p, sin(p·ωᵢ) then cos(p·ωᵢ), ωᵢ = 10000^(−i/F), i < F =
/// ⌊⌊C/3⌋/2⌋; x, y and z one after the other, zeros up to C (SPEC §3). In f32 throughout, as released networks saw it.
package struct PositionEmbedding: Sendable {
    package let channels: Int
    private let frequencies: [Float]

    package init(channels: Int) {
        self.channels = channels
        let count = channels / 3 / 2
        frequencies = (0..<count).map { 1 / powf(10_000, Float($0) / Float(count)) }
    }

    /// `[N, C]` of the x, y and z of `coordinates`, each multiplied by `factor` first.
    package func callAsFunction(_ coordinates: CoordinateSet, factor: Float = 1, _ compute: Compute) -> Tensor {
        let y = compute.empty([coordinates.count, channels])
        let (pointer, rows, width) = (Unchecked(y.pointer), coordinates, channels)
        let frequencies = frequencies
        if let table = Table(coordinates, factor: factor, frequencies) {
            let size = 2 * frequencies.count
            parallelFor(coordinates.count, threads: compute.backend.threads, grain: 64) { range in
                for row in range {
                    let target = pointer.value + row * width
                    let c = rows.rows.pointer[row]
                    for axis in 1...3 {
                        (target + (axis - 1) * size).update(from: table.row(c[axis]), count: size)
                    }
                    (target + 3 * size).update(repeating: 0, count: width - 3 * size)
                }
            }
            return y
        }
        parallelFor(coordinates.count, threads: compute.backend.threads, grain: 64) { range in
            for row in range {
                let target = pointer.value + row * width
                let c = rows.rows.pointer[row]
                var at = 0
                for axis in 1...3 {
                    let p = Float(c[axis]) * factor
                    for (i, frequency) in frequencies.enumerated() {
                        target[at + i] = sinf(p * frequency)
                        target[at + frequencies.count + i] = cosf(p * frequency)
                    }
                    at += 2 * frequencies.count
                }
                while at < width {
                    target[at] = 0
                    at += 1
                }
            }
        }
        return y
    }
}

extension PositionEmbedding {
    /// The sines and cosines of every number from the lowest coordinate to the highest.
    private final class Table: Sendable {
        private let low: Int32
        private let size: Int
        private let values: Buffer<Float>

        /// Nil where there are hardly more rows than numbers.
        init?(_ coordinates: CoordinateSet, factor: Float, _ frequencies: [Float]) {
            guard coordinates.count > 0 else { return nil }
            var (low, high) = (Int32.max, Int32.min)
            for row in 0..<coordinates.count {
                let c = coordinates.rows.pointer[row]
                low = min(low, c.y, c.z, c.w)
                high = max(high, c.y, c.z, c.w)
            }
            let count = Int(high) - Int(low) + 1
            guard count <= coordinates.count else { return nil }
            self.low = low
            size = 2 * frequencies.count
            values = Buffer(uninitialized: count * size)
            for number in 0..<count {
                let p = Float(Int(low) + number) * factor
                let target = values.pointer + number * size
                for (i, frequency) in frequencies.enumerated() {
                    target[i] = sinf(p * frequency)
                    target[frequencies.count + i] = cosf(p * frequency)
                }
            }
        }

        func row(_ coordinate: Int32) -> UnsafePointer<Float> {
            UnsafePointer(values.pointer + Int(coordinate - low) * size)
        }
    }
}

/// A timestep on the scale 0 … 1000 as C numbers: 128 cosines, 128 sines, linear, SiLU, linear. Parameters `mlp.0.*`,
/// `mlp.2.*` (SPEC §3).
package struct TimestepEmbedding: Sendable {
    let first: Linear
    let second: Linear

    package init(_ source: ParameterSource, channels: Int) throws(Failure) {
        first = try Linear(source.scoped("mlp.0"), inputs: 256, outputs: channels)
        second = try Linear(source.scoped("mlp.2"), inputs: channels, outputs: channels)
    }

    /// cos then sin of t·10000^(−j/128).
    /// - Parameter t: `[B]`
    /// - Returns: `[B, 256]`
    package static func frequencies(_ t: [Float]) -> Tensor {
        let values = t.flatMap { t -> [Float] in
            let arguments = (0..<128).map { j in t * expf(Float(-log(10_000.0)) * Float(j) / 128) }
            return arguments.map(cosf) + arguments.map(sinf)
        }
        return Tensor(values, shape: [t.count, 256])
    }

    /// `[B]` → `[B, C]`
    package func callAsFunction(_ t: [Float], _ compute: Compute) -> Tensor {
        second(compute.apply(.silu, first(Self.frequencies(t), compute)), compute)
    }
}
