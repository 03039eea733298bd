import SSDFCore
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes and reads a band in every value type and codec and prints a line of JSON for each: bytes, seconds, voxels.
///
/// `container-benchmark BAND FOLDER THREADS [EXPONENT]`: the band is a file of `peers/vdb-container`, or any .ssdf;
/// EXPONENT rounds its values to multiples of that power of two first. The best of five runs counts: files stay in the page cache.
@main struct ContainerBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 4, let threads = Int(arguments[3]) else {
            throw Failure(.usage, "usage: container-benchmark BAND FOLDER THREADS [EXPONENT]")
        }
        let volume =
            arguments[1].hasSuffix(".ssdf")
            ? try loadVolume(path: arguments[1], threads: threads) : try band(path: arguments[1])
        if arguments.count > 4, let exponent = Int(arguments[4]) { round(volume, exponent: exponent) }
        for dtype in ValueType.allCases {
            for codec in Codec.allCases {
                try measure(
                    volume, VolumeWriteOptions(dtype: dtype, codec: codec, threads: threads), folder: arguments[2],
                    threads: threads)
            }
        }
    }

    private static func measure(
        _ volume: borrowing SparseVolume, _ options: VolumeWriteOptions, folder: String, threads: Int
    ) throws {
        let path = "\(folder)/container-benchmark.ssdf"
        defer { unlink(path) }
        var (writing, reading) = (Double.infinity, Double.infinity)
        for _ in 0..<5 {
            unlink(path)
            let start = seconds()
            guard let file = fopen(path, "wb") else { throw Failure(.cannotCreate, file: path, "cannot create") }
            setvbuf(file, nil, _IONBF, 0)
            try writeVolume(volume, options: options) { (bytes) throws(Failure) in
                guard fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count else {
                    throw Failure(.inputOutput, file: path, "cannot write")
                }
            }
            fclose(file)
            writing = min(writing, seconds() - start)
            let middle = seconds()
            let read = try loadVolume(path: path, threads: threads)
            reading = min(reading, seconds() - middle)
            guard read.activeCount == volume.activeCount else { throw Failure(.internal, "a different volume") }
        }
        var status = stat()
        stat(path, &status)
        let name = "ssdf \(options.dtype) \(options.codec)"
        print(
            "{\"format\": \"\(name)\", \"threads\": \(threads), \"voxels\": \(volume.activeCount), "
                + "\"bytes\": \(status.st_size), \"write\": \(writing), \"read\": \(reading)}")
    }

    /// The bands that the peer leaves: a count of bricks, and for each its position, mask and values.
    private static func band(path: String) throws -> SparseVolume {
        let file = try FileBytes(path: path)
        let bytes = file.bytes
        let brickCount = Int(bytes.loadUnaligned(as: Int32.self))
        let bricks = Buffer<BrickCoordinate>(uninitialized: brickCount)
        let masks = Buffer<UInt64>(uninitialized: brickCount * 8)
        let values = Buffer<Float>(uninitialized: (bytes.count - 4 - 76 * brickCount) / 4)
        var (at, row) = (4, 0)
        for brick in 0..<brickCount {
            bricks.pointer[brick] = bytes.loadUnaligned(fromByteOffset: at, as: BrickCoordinate.self)
            memcpy(masks.pointer + brick * 8, bytes.baseAddress! + at + 12, 64)
            var count = 0
            for word in 0..<8 { count += masks.pointer[brick * 8 + word].nonzeroBitCount }
            memcpy(values.pointer + row, bytes.baseAddress! + at + 76, count * 4)
            at += 76 + 4 * count
            row += count
        }
        return SparseVolume(
            metadata: GridMetadata(name: "sdf", kind: .sdf, resolution: 0), bricks: bricks, masks: masks,
            values: values)
    }

    private static func round(_ volume: borrowing SparseVolume, exponent: Int) {
        let scale = Float(sign: .plus, exponent: -exponent, significand: 1)
        for row in 0..<volume.values.count {
            // Adding 0 turns a negative zero into zero.
            volume.values.pointer[row] = (volume.values.pointer[row] * scale).rounded() / scale + 0
        }
    }

    private static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
