import COneDNN
import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Single-threaded f32 matrix products by the library that knows this processor.
///
/// OpenBLAS picks its kernels by the processor's model number, or by `OPENBLAS_CORETYPE`, and a release older than the
/// processor may fall back to kernels a sixth as fast without saying so. oneDNN looks at features instead. It serves
/// where what OpenBLAS picked is below what the processor has, and wherever there is AVX-512: there it was at least as
/// fast on every shape measured, by 3 to 15 % on Zen 5 beside OpenBLAS's own AVX-512 kernels, and results do not depend
/// on a variable of the environment.
package struct MatrixProduct: Sendable {
    /// The libraries that products may go to.
    package enum Library: String, Sendable { case openBLAS = "OpenBLAS", oneDNN }

    /// What f32 products go to.
    package let library: Library
    /// Nil where it does not serve.
    private let openBLAS: OpenBLASLibrary?

    /// The choice for this machine.
    package static let shared = MatrixProduct()

    private init() {
        // The processor's best, whatever SSDF_ISA lowered the engine's own kernels to.
        let available = Int32(ssdf_processor_isa())
        let mayServe = available < Int32(SSDF_ISA_AVX512.rawValue)
        if mayServe, let found = OpenBLASLibrary(), Self.instructionSet(ofCore: found.core) >= available {
            (library, openBLAS) = (.openBLAS, found)
            found.reserve(products: max(availableProcessors(), Int(ssdf_worker_count())))
        } else {
            (library, openBLAS) = (.oneDNN, nil)
        }
        OpenMPThreads.limitToOne()
    }

    /// The instruction set of the f32 kernels that OpenBLAS 0.3 has under a core name.
    static func instructionSet(ofCore name: String) -> Int32 {
        switch name.lowercased() {
        case "skylakex", "cooperlake", "sapphirerapids": 2
        case "haswell", "zen", "excavator": 1
        default: 0
        }
    }

    /// One line for a version report: which library, and why.
    package var description: String {
        if let openBLAS { return "OpenBLAS (\(openBLAS.core) kernels)" }
        // Loaded for this line alone.
        guard let other = OpenBLASLibrary() else { return "oneDNN (there is no OpenBLAS)" }
        return "oneDNN (OpenBLAS would use its \(other.core) kernels)"
    }

    /// c = a·b, or c += a·b when `accumulating`: row-major, on the calling thread.
    /// - Parameters:
    ///   - transposeA: a is stored [k, m] rather than [m, k].
    ///   - transposeB: b is stored [n, k] rather than [k, n].
    func multiply(
        m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, stride lda: Int, transposeA: Bool = false,
        _ b: UnsafePointer<Float>, stride ldb: Int, transposeB: Bool = false,
        into c: UnsafeMutablePointer<Float>, stride ldc: Int, accumulating: Bool = false
    ) {
        guard m > 0, n > 0 else { return }
        let beta: Float = accumulating ? 1 : 0
        switch library {
        case .openBLAS:
            openBLAS!.product(
                OpenBLASLibrary.rowMajor, transposeA ? OpenBLASLibrary.transposed : OpenBLASLibrary.asStored,
                transposeB ? OpenBLASLibrary.transposed : OpenBLASLibrary.asStored, Int32(m), Int32(n), Int32(k), 1, a,
                Int32(lda), b, Int32(ldb), beta, c, Int32(ldc))
        case .oneDNN:
            OpenMPThreads.limitToOne()
            let status = dnnl_sgemm(
                CChar(UInt8(ascii: transposeA ? "T" : "N")), CChar(UInt8(ascii: transposeB ? "T" : "N")),
                dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), 1, a, dnnl_dim_t(lda), b, dnnl_dim_t(ldb), beta, c,
                dnnl_dim_t(ldc))
            precondition(status == dnnl_success, "oneDNN refused a product of \(m)×\(k) and \(k)×\(n)")
        }
    }
}

/// oneDNN would start a thread team of its own inside each of ours.
enum OpenMPThreads {
    private typealias SetThreads = @convention(c) (Int32) -> Void

    private static let setThreads: SetThreads? = {
        guard let symbol = dlsym(nil, "omp_set_num_threads") else { return nil }
        return unsafeBitCast(symbol, to: SetThreads.self)
    }()

    /// Limits the OpenMP teams that the calling thread starts to itself.
    static func limitToOne() { setThreads?(1) }
}
