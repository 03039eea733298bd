import CSSDFKernels
import SSDFCore

/// The operations on the processor: kernels in C for rows and tiles, OpenBLAS or oneDNN for dense products, and the
/// engine's own loops over threads. How work is cut into tiles depends on the problem alone, so results do not depend
/// on the number of threads.
package struct CPUBackend: Backend {
    package let threads: Int
    let precision: Precision
    let pool: MemoryPool
    /// The kernels of the instruction set in use.
    private let table: Unchecked<UnsafePointer<ssdf_neural_kernels>>
    let product: MatrixProduct

    /// - Parameter instructionSet: of the kernels; the processor must have it.
    package init(threads: Int, precision: Precision, pool: MemoryPool, instructionSet: Int32 = ssdf_isa()) {
        precondition(threads > 0)
        self.threads = threads
        self.precision = precision
        self.pool = pool
        table = Unchecked(ssdf_neural_kernels(instructionSet))
        product = .shared
    }

    /// Whether linear layers multiply in bf16.
    var usesBrainFloat: Bool {
        switch precision {
        case .f32: false
        case .bf16: true
        case .auto: BrainFloatProduct.isNative
        }
    }

    /// Whether the engine's own product kernel has registers wide enough to keep up with the libraries'.
    var hasWideKernels: Bool { kernels.panel >= 16 }

    var kernels: ssdf_neural_kernels { table.value.pointee }

    /// Runs `body` over `0..<count` in ranges of `grain`. The body writes only to what belongs to its own indices.
    func parallel(_ count: Int, grain: Int = 1, _ body: (_ worker: Int, Range<Int>) -> Void) {
        withoutActuallyEscaping(body) { body in
            let shared = Unchecked(body)
            parallelFor(count, threads: threads, grain: grain) { worker, range in shared.value(worker, range) }
        }
    }

    /// Runs `body` over rows, in ranges of about 64 Ki elements.
    func parallelRows(_ rows: Int, columns: Int, _ body: (Range<Int>) -> Void) {
        parallel(rows, grain: Self.rowGrain(columns: columns)) { _, range in body(range) }
    }

    static func rowGrain(columns: Int) -> Int { max(1, (64 << 10) / max(columns, 1)) }

    /// Scratch memory of `count` floats from the pool; it lives as long as the storage that is returned.
    func scratch(_ count: Int) -> Storage { pool.take(count) }
}
