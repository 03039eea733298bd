import SSDFCore
import SSDFNeural
import SSDFTensor

/// The latents of shapes by a sparse auto-encoder that is trained no more: means of the posterior, each shape
/// encoded once.
package final class LatentSet: Sendable {
    /// Channels of a latent.
    package let channels: Int
    /// Rows of each shape: `starts[i] ..< starts[i + 1]`.
    package let starts: [Int]
    /// `[rows]`: x, y, z in ten bits each, each shape in block order.
    package let places: Buffer<UInt32>
    /// `[rows, channels]`
    package let values: Buffer<Float>
    /// Of all values.
    package let mean: Double
    package let deviation: Double

    package var count: Int { starts.count - 1 }

    package init(
        channels: Int, starts: [Int], places: consuming Buffer<UInt32>, values: consuming Buffer<Float>
    ) {
        self.channels = channels
        self.starts = starts
        var (sum, squares) = (0.0, 0.0)
        for index in 0..<values.count {
            let value = Double(values.pointer[index])
            sum += value
            squares += value * value
        }
        let count = Double(max(values.count, 1))
        mean = sum / count
        deviation = max(squares / count - sum / count * (sum / count), 1e-12).squareRoot()
        self.places = places
        self.values = values
    }

    /// Encodes shapes, the same on any number of threads.
    /// - Parameters:
    ///   - network: of the auto-encoder, whose latents lie on cells of eight voxels.
    ///   - band: of shape i.
    package convenience init(
        count: Int, network: AutoencoderNetwork, channels: Int, threads: Int,
        band: @Sendable (Int) throws -> BandSamples, progress: ProgressHandler
    ) throws {
        struct Encoded: Sendable {
            var places: [UInt32]
            var values: [Float]
        }
        let done = Counter()
        let workers = Unchecked((0..<threads).map { _ in Compute(threads: 1) })
        let results = [Result<Encoded, any Error>](unsafeUninitializedCapacity: count) { storage, initialized in
            let target = Unchecked(storage.baseAddress)
            parallelFor(count, threads: threads) { worker, range in
                for index in range {
                    let result = Result<Encoded, any Error> {
                        let compute = workers.value[worker]
                        let h = network.encoder(try AutoencoderSample(band(index)).input, compute)
                        let mean = DiagonalGaussian(h.features, compute).mean
                        let order = try h.coordinates.blockOrder(size: 8)
                        let sorted = order.permutation.map { compute.gather(mean, $0) } ?? mean
                        let coordinates = order.coordinates
                        return Encoded(
                            places: (0..<h.count).map { row in
                                let place = coordinates.rows.pointer[row]
                                return UInt32(place.y) << 20 | UInt32(place.z) << 10 | UInt32(place.w)
                            }, values: sorted.array)
                    }
                    (target.value! + index).initialize(to: result)
                    progress(done.next(), count)
                }
            }
            initialized = count
        }
        var starts = [0]
        let encoded = try results.map { try $0.get() }
        for shape in encoded { starts.append(starts.last! + shape.places.count) }
        let places = Buffer<UInt32>(uninitialized: starts.last!)
        let values = Buffer<Float>(uninitialized: starts.last! * channels)
        for (index, shape) in encoded.enumerated() {
            shape.places.withUnsafeBufferPointer {
                (places.pointer + starts[index]).update(from: $0.baseAddress!, count: $0.count)
            }
            shape.values.withUnsafeBufferPointer {
                (values.pointer + starts[index] * channels).update(from: $0.baseAddress!, count: $0.count)
            }
        }
        self.init(channels: channels, starts: starts, places: places, values: values)
    }

    /// The cells of a shape, as one batch item.
    package func coordinates(_ shape: Int) throws(Failure) -> CoordinateSet {
        let count = tokens(shape)
        let rows = Buffer<SIMD4<Int32>>(uninitialized: count)
        for row in 0..<count { rows.pointer[row] = place(shape, row) }
        return try CoordinateSet(rows)
    }

    /// Cell of a row of a shape.
    func place(_ shape: Int, _ row: Int) -> SIMD4<Int32> {
        let place = places.pointer[starts[shape] + row]
        return SIMD4(0, Int32(place >> 20), Int32(place >> 10 & 1023), Int32(place & 1023))
    }

    /// Rows of a shape.
    package func tokens(_ shape: Int) -> Int { starts[shape + 1] - starts[shape] }
}
