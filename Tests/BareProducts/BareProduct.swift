import COneDNN
import COpenBLAS
import Dispatch
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A bare f32 product x·Wᵀ by the faster of OpenBLAS and oneDNN for its shape, on the library's own threads.
package final class BareProduct: @unchecked Sendable {
    private let (rows, outputs, inputs): (Int, Int, Int)
    private let threads: Int
    private let x: Tensor, weight: Tensor, y: Tensor
    /// Which library it is.
    package private(set) var library = MatrixProduct.Library.openBLAS

    package init(rows: Int, inputs: Int, outputs: Int, threads: Int) {
        (self.rows, self.outputs, self.inputs, self.threads) = (rows, outputs, inputs, threads)
        x = Tensor(repeating: 0.5, shape: [rows, inputs])
        weight = Tensor(repeating: 0.25, shape: [outputs, inputs])
        y = Tensor(repeating: 0, shape: [rows, outputs])
        // The first call of either is spent on threads and work space.
        let seconds = [MatrixProduct.Library.openBLAS, .oneDNN].map { library in
            (0..<3).map { _ in Self.seconds { run(library) } }.dropFirst().min()!
        }
        library = seconds[0] <= seconds[1] ? .openBLAS : .oneDNN
    }

    /// Floating-point operations.
    package var work: Double { 2 * Double(rows) * Double(inputs) * Double(outputs) }

    package func run() { run(library) }

    private func run(_ library: MatrixProduct.Library) {
        switch library {
        case .openBLAS:
            openblas_set_num_threads(Int32(threads))
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rows), Int32(outputs), Int32(inputs), 1, x.pointer,
                Int32(inputs), weight.pointer, Int32(inputs), 0, y.pointer, Int32(outputs))
            openblas_set_num_threads(1)
        case .oneDNN:
            OpenMP.setThreads(threads)
            dnnl_sgemm(
                CChar(UInt8(ascii: "N")), CChar(UInt8(ascii: "T")), dnnl_dim_t(rows), dnnl_dim_t(outputs),
                dnnl_dim_t(inputs), 1, x.pointer, dnnl_dim_t(inputs), weight.pointer, dnnl_dim_t(inputs), 0, y.pointer,
                dnnl_dim_t(outputs))
            OpenMP.setThreads(1)
        }
    }

    static func seconds(_ body: () -> Void) -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        body()
        return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
}

/// oneDNN's threads.
enum OpenMP {
    private typealias SetThreads = @convention(c) (Int32) -> Void

    private static let set: SetThreads? = dlsym(nil, "omp_set_num_threads").map {
        unsafeBitCast($0, to: SetThreads.self)
    }

    /// How many threads a product that the calling thread starts may use.
    static func setThreads(_ count: Int) { set?(Int32(count)) }
}
