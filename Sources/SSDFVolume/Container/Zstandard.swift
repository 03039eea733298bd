import CZstd
import SSDFCore

/// A compression context, kept by one worker: making one costs more than compressing a small section.
final class ZstdCompressor {
    private let context: OpaquePointer
    private let level: Int32

    init(level: Int) {
        guard let context = ZSTD_createCCtx() else { preconditionFailure("no memory for a compression context") }
        self.context = context
        self.level = Int32(clamping: level)
    }

    deinit { ZSTD_freeCCtx(context) }

    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// Compresses into `output`, which has room for `bound(input.count)`. Returns the bytes written, or nil when
    /// that failed.
    func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        let size = ZSTD_compressCCtx(
            context, output.baseAddress, output.count, input.baseAddress, input.count, level)
        return ZSTD_isError(size) == 0 ? size : nil
    }
}

/// A decompression context, kept by one worker.
final class ZstdDecompressor {
    private let context: OpaquePointer

    init() {
        guard let context = ZSTD_createDCtx() else { preconditionFailure("no memory for a decompression context") }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    /// Decompresses one frame, which must fill `output` to the byte. Never writes past it.
    /// - Throws: `badData` with zstd's own words.
    func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, place: String
    ) throws(Failure) {
        let size = ZSTD_decompressDCtx(context, output.baseAddress, output.count, input.baseAddress, input.count)
        guard ZSTD_isError(size) == 0 else {
            throw .badData(
                place: place, "zstd: \(String(cString: ZSTD_getErrorName(size)))",
                expected: "a frame of \(output.count) bytes")
        }
        guard size == output.count else {
            throw .badData(place: place, "zstd frame holds \(size) bytes", expected: "\(output.count)")
        }
    }
}
