import COneDNN
import CSSDFKernels
import SSDFCore

/// Weights of a linear layer as bf16, packed by oneDNN in the layout its product likes best, and the product.
///
/// Inputs are rounded to bf16 row tile by row tile; sums and results are f32. One object serves all threads.
final class BrainFloatProduct: @unchecked Sendable {
    /// Rows of a full tile.
    static let tileRows = 256

    private let inputs: Int
    private let outputs: Int
    private let engine: dnnl_engine_t
    private var weights: dnnl_memory_desc_t
    private let packed: Buffer<UInt16>

    /// Whether this processor multiplies bf16 by instructions of its own; elsewhere f32 is faster.
    static var isNative: Bool { ssdf_processor_has_bf16() != 0 }

    /// - Parameter weight: `[O, I]`
    init(_ weight: Tensor) {
        OpenMPThreads.limitToOne()
        (outputs, inputs) = (weight.shape[0], weight.shape[1])
        var engine: dnnl_engine_t?
        Self.check(dnnl_engine_create(&engine, dnnl_cpu, 0))
        self.engine = engine!
        let rounded = Buffer<UInt16>(uninitialized: weight.count)
        ssdf_f32_to_bf16(weight.pointer, rounded.pointer, weight.count)
        // A product over a full tile says which layout it wants.
        var wished = Self.matrix(inputs, outputs, dnnl_bf16, dnnl_format_tag_any)
        let description = Self.describe(rows: Self.tileRows, inputs, outputs, &wished, engine!)
        weights = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0).pointee
        dnnl_primitive_desc_destroy(description)
        packed = Buffer(zeros: (dnnl_memory_desc_get_size(&weights) + 1) / 2)
        // [O, I] row-major is [I, O] column-major.
        var plain = Self.matrix(inputs, outputs, dnnl_bf16, dnnl_ba)
        var reorder: dnnl_primitive_desc_t?
        Self.check(dnnl_reorder_primitive_desc_create(&reorder, &plain, engine, &weights, engine, nil))
        var primitive: dnnl_primitive_t?
        Self.check(dnnl_primitive_create(&primitive, reorder))
        execute(
            primitive!,
            [
                (DNNL_ARG_FROM, plain, UnsafeMutableRawPointer(rounded.pointer)),
                (DNNL_ARG_TO, weights, UnsafeMutableRawPointer(packed.pointer)),
            ])
        dnnl_primitive_destroy(primitive)
        dnnl_primitive_desc_destroy(reorder)
    }

    deinit { dnnl_engine_destroy(engine) }

    /// y = x·Wᵀ for `rows` rows, on the calling thread.
    /// - Parameters:
    ///   - x: `[rows, I]` f32
    ///   - rounded: room for `[rows, I]` bf16
    func multiply(
        rows: Int, _ x: UnsafePointer<Float>, rounded: UnsafeMutablePointer<UInt16>,
        into y: UnsafeMutablePointer<Float>
    ) {
        OpenMPThreads.limitToOne()
        ssdf_f32_to_bf16(x, rounded, rows * inputs)
        var weights = weights
        let description = Self.describe(rows: rows, inputs, outputs, &weights, engine)
        defer { dnnl_primitive_desc_destroy(description) }
        let scratchDescription = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0).pointee
        var scratchCopy = scratchDescription
        let scratch = Buffer<UInt8>(uninitialized: dnnl_memory_desc_get_size(&scratchCopy))
        // Descriptions and primitives of one shape come from oneDNN's own cache after the first.
        var primitive: dnnl_primitive_t?
        Self.check(dnnl_primitive_create(&primitive, description))
        defer { dnnl_primitive_destroy(primitive) }
        execute(
            primitive!,
            [
                (DNNL_ARG_SRC, Self.matrix(rows, inputs, dnnl_bf16, dnnl_ab), UnsafeMutableRawPointer(rounded)),
                (DNNL_ARG_WEIGHTS, weights, UnsafeMutableRawPointer(packed.pointer)),
                (DNNL_ARG_DST, Self.matrix(rows, outputs, dnnl_f32, dnnl_ab), UnsafeMutableRawPointer(y)),
                (DNNL_ARG_SCRATCHPAD, scratchDescription, UnsafeMutableRawPointer(scratch.pointer)),
            ])
    }

    private func execute(
        _ primitive: dnnl_primitive_t, _ operands: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer)]
    ) {
        var stream: dnnl_stream_t?
        Self.check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue))
        let arguments = operands.map { argument, description, pointer -> dnnl_exec_arg_t in
            var memory: dnnl_memory_t?
            var description = description
            Self.check(dnnl_memory_create(&memory, &description, engine, pointer))
            return dnnl_exec_arg_t(arg: argument, memory: memory)
        }
        Self.check(dnnl_primitive_execute(primitive, stream, Int32(arguments.count), arguments))
        Self.check(dnnl_stream_wait(stream))
        for argument in arguments { dnnl_memory_destroy(argument.memory) }
        dnnl_stream_destroy(stream)
    }

    private static func matrix(
        _ rows: Int, _ columns: Int, _ type: dnnl_data_type_t, _ tag: dnnl_format_tag_t
    ) -> dnnl_memory_desc_t {
        var description = dnnl_memory_desc_t()
        let extents = [dnnl_dim_t(rows), dnnl_dim_t(columns)]
        check(dnnl_memory_desc_init_by_tag(&description, 2, extents, type, tag))
        return description
    }

    private static func describe(
        rows: Int, _ inputs: Int, _ outputs: Int, _ weights: inout dnnl_memory_desc_t, _ engine: dnnl_engine_t
    ) -> dnnl_primitive_desc_t {
        var source = matrix(rows, inputs, dnnl_bf16, dnnl_ab)
        var result = matrix(rows, outputs, dnnl_f32, dnnl_ab)
        var product = dnnl_matmul_desc_t()
        check(dnnl_matmul_desc_init(&product, &source, &weights, nil, &result))
        var attributes: dnnl_primitive_attr_t?
        check(dnnl_primitive_attr_create(&attributes))
        defer { dnnl_primitive_attr_destroy(attributes) }
        // The library's own scratch memory is shared between threads.
        check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user))
        var description: dnnl_primitive_desc_t?
        check(dnnl_primitive_desc_create(&description, &product, attributes, engine, nil))
        return description!
    }

    private static func check(_ status: dnnl_status_t, _ line: Int = #line) {
        precondition(status == dnnl_success, "oneDNN failed with status \(status.rawValue) at line \(line)")
    }
}

extension Precision {
    /// Whether linear layers multiply in bf16 on this processor.
    package var usesBrainFloat: Bool {
        switch self {
        case .f32: false
        case .bf16: true
        case .auto: BrainFloatProduct.isNative
        }
    }
}
