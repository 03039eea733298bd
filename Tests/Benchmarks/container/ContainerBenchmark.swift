import SSDFCore
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes and reads a band in every value type and codec and prints a line of JSON for each: bytes, seconds, voxels.
///
/// `container-benchmark BAND FOLDER THREADS [EXPONENT]`: the band is one that the other form wrote, or any .ssdf;
/// EXPONENT rounds its values to multiples of that power of two first. The best of five runs counts: files stay in the page cache.
///
/// `container-benchmark export FILE.ssdf BAND` writes a grid as `peers/vdb_container.cpp` reads it.
@main struct ContainerBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        if arguments.count == 4, arguments[1] == "export" { return try export(from: arguments[2], to: arguments[3]) }
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
        var writing = Seconds(wall: .infinity, processor: .infinity)
        var reading = writing
        for _ in 0..<5 {
            unlink(path)
            let start = Seconds.now
            guard let file = fopen(path, "wb") else { throw Failure(.cannotCreate, file: path, "cannot create") }
            setvbuf(file, nil, _IONBF, 0)
            try writeVolume(volume, options: options) { (bytes) throws(Failure) in
                guard fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count else {
                    throw Failure(.inputOutput, file: path, "cannot write")
                }
            }
            fclose(file)
            writing = writing.least(start.elapsed)
            let middle = Seconds.now
            let read = try loadVolume(path: path, threads: threads)
            reading = reading.least(middle.elapsed)
            guard read.activeCount == volume.activeCount else { throw Failure(.internal, "a different volume") }
        }
        var status = stat()
        stat(path, &status)
        let name = "ssdf \(options.dtype) \(options.codec)"
        print(
            "{\"format\": \"\(name)\", \"threads\": \(threads), \"voxels\": \(volume.activeCount), "
                + "\"bytes\": \(status.st_size), \"write\": \(writing.wall), \"read\": \(reading.wall), "
                + "\"write_cpu\": \(writing.processor), \"read_cpu\": \(reading.processor)}")
    }

    /// A grid as a band.
    private static func export(from path: String, to target: String) throws {
        let volume = try loadVolume(path: path, threads: availableProcessors())
        guard let file = fopen(target, "wb") else { throw Failure(.cannotCreate, file: target, "cannot create") }
        var count = Int32(volume.brickCount)
        fwrite(&count, 4, 1, file)
        for brick in 0..<volume.brickCount {
            let row = volume.offsets.pointer[brick]
            fwrite(volume.bricks.pointer + brick, 12, 1, file)
            fwrite(volume.masks.pointer + brick * 8, 8, 8, file)
            fwrite(volume.values.pointer + row, 4, volume.offsets.pointer[brick + 1] - row, file)
        }
        guard fclose(file) == 0 else { throw Failure(.inputOutput, file: target, "cannot write") }
    }

    /// The bands that the peer reads too: a count of bricks, and for each its position, mask and values.
    private static func band(path: String) throws -> SparseVolume {
        let file = try FileBytes(path: path)
        defer { _ = file.bytes.count }
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
}

/// Time by the clock, and spent by this process's threads together, which other programs disturb less.
private struct Seconds {
    var wall: Double
    var processor: Double

    static var now: Self { Self(wall: clock(CLOCK_MONOTONIC), processor: clock(CLOCK_PROCESS_CPUTIME_ID)) }

    var elapsed: Self {
        let now = Self.now
        return Self(wall: now.wall - wall, processor: now.processor - processor)
    }

    func least(_ other: Self) -> Self {
        Self(wall: min(wall, other.wall), processor: min(processor, other.processor))
    }

    private static func clock(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
