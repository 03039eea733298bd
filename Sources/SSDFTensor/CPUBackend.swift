import CSSDFKernels
import SSDFCore

/// The operations on the processor: kernels in C for rows and tiles, OpenBLAS or oneDNN for dense products, and the
/// engine's own loops over threads. How work is cut into tiles depends on the problem alone, so results do not depend
/// on the number of threads.
package struct CPUBackend: Backend {
    /// To work on; results do not depend on it.
    package let threads: Int
    let precision: Precision
    let pool: MemoryPool
    /// The kernels of the instruction set in use.
    private let table: Unchecked<UnsafePointer<ssdf_neural_kernels>>
    /// The forward kernels of attention.
    private let forward: Unchecked<ssdf_attention_kernels>
    /// The products of rows with bf16 operands; nil in f32.
    private let rounding: Unchecked<ssdf_product_kernels?>
    /// The kernels for products with few columns: vectors of sixteen would be half empty.
    private let narrowTable: Unchecked<UnsafePointer<ssdf_neural_kernels>>
    let product: MatrixProduct

    /// - Parameters:
    ///   - instructionSet: of the kernels; the processor must have it.
    ///   - emulatesBrainFloat: lets attention and convolution round to bf16 as they do at `Precision.bf16` on a processor
    ///     with instructions for it, on any processor: for tests.
    package init(
        threads: Int, precision: Precision, pool: MemoryPool, instructionSet: Int32 = ssdf_isa(),
        emulatesBrainFloat: Bool = false
    ) {
        precondition(threads > 0)
        self.threads = threads
        self.precision = precision
        self.pool = pool
        let table = ssdf_neural_kernels(instructionSet)
        self.table = Unchecked(table)
        // bf16 in attention is for those who ask for it: on the processors it was measured on it is no faster than f32.
        let rounding =
            emulatesBrainFloat ? ssdf_bf16_kernels(0) : precision == .bf16 ? ssdf_bf16_kernels(1) : nil
        let exact = table.pointee
        forward = Unchecked(
            rounding?.pointee
                ?? ssdf_attention_kernels(
                    attention_scratch: exact.attention_scratch, attention_forward: exact.attention_forward,
                    compressed_scratch: exact.compressed_scratch, compressed_forward: exact.compressed_forward,
                    selected_scratch: exact.selected_scratch, selected_forward: exact.selected_forward))
        self.rounding = Unchecked(
            (emulatesBrainFloat ? ssdf_bf16_products(0) : precision.roundsRows ? ssdf_bf16_products(1) : nil)?.pointee)
        let narrow = min(instructionSet, Int32(SSDF_ISA_AVX2.rawValue))
        narrowTable = Unchecked(ssdf_neural_kernels(narrow))
        product = .shared
    }

    /// The forward kernels of attention: with bf16 operands at `Precision.bf16` where the processor multiplies them.
    var attentionKernels: ssdf_attention_kernels { forward.value }

    /// The products of rows that convolution rounds its operands for; nil where it is f32.
    var roundingProducts: ssdf_product_kernels? { rounding.value }

    /// Whether linear layers multiply in bf16.
    var usesBrainFloat: Bool { precision.usesBrainFloat }

    /// Whether the engine's own product kernel has registers wide enough to keep up with the libraries'.
    var hasWideKernels: Bool { kernels.panel >= Self.widePanel }

    /// Columns of a panel of such a kernel, at least.
    package static let widePanel = 16

    var kernels: ssdf_neural_kernels { table.value.pointee }

    /// The kernels for products whose results have `columns` columns; packing and multiplying must use the same.
    func kernels(columns: Int) -> ssdf_neural_kernels { (columns <= 8 ? narrowTable : table).value.pointee }

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
