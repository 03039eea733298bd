import CZstd
import SSDFCore

/// A compression context, kept by one worker: making one costs more than compressing a small section.
final class ZstdCompressor {
    /// What sections hold, which decides how to go about them.
    enum Contents: Sendable {
        /// Bytes with repetitions.
        case general
        /// Bytes whose frequencies alone can be used: entropy coding, no search for matches.
        case symbols
    }

    private let context: OpaquePointer

    init(level: Int, contents: Contents) {
        guard let context = ZSTD_createCCtx() else { preconditionFailure("no memory for a compression context") }
        self.context = context
        switch contents {
        case .general:
            ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(clamping: level))
        case .symbols:
            // Levels below zero give up on matches ever sooner, and on entropy coding unless it is asked for.
            ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, -1000)
            let literalCompressionMode = ZSTD_cParameter(rawValue: 1002)
            ZSTD_CCtx_setParameter(context, literalCompressionMode, 1)
        }
    }

    deinit { ZSTD_freeCCtx(context) }

    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// Compresses into `output`. Returns the bytes written, or nil when they do not fit.
    func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        let size = ZSTD_compress2(context, output.baseAddress, output.count, input.baseAddress, input.count)
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

/// The version of the zstd library in use, for reports.
package var zstdVersion: String { String(cString: ZSTD_versionString()) }
