import COneDNN
import CSSDFKernels
import SSDFCore
import Synchronization

/// A matrix of weights as bf16, packed by oneDNN in the layout its product likes best, and the product with it.
///
/// Operands are bf16, sums are f32. One object serves all threads.
final class BrainFloatProduct: @unchecked Sendable {
    /// What becomes of the sums.
    enum Result: Hashable {
        /// f32
        case sums
        /// GELU in its tanh form, rounded to bf16.
        case gelu
    }

    /// A product of so many rows, ready to run.
    private struct Prepared {
        let primitive: dnnl_primitive_t
        let source: dnnl_memory_desc_t, result: dnnl_memory_desc_t, scratch: dnnl_memory_desc_t
        let scratchSize: Int
    }

    private struct Shape: Hashable {
        var rows: Int
        var result: Result
        var hasBias: Bool
    }

    let inputs: Int
    let outputs: Int
    private let engine: dnnl_engine_t
    private var weights: dnnl_memory_desc_t
    private let packed: Buffer<UInt16>
    private let prepared = Mutex<[Shape: Prepared]>([:])

    /// Whether this processor multiplies bf16 by instructions of its own; elsewhere f32 is faster.
    static var isNative: Bool { ssdf_processor_has_bf16() != 0 }

    /// - Parameters:
    ///   - weight: `[outputs, inputs]`, rows `stride` apart.
    ///   - threads: that round the weights.
    init(_ weight: UnsafePointer<Float>, stride: Int, outputs: Int, inputs: Int, threads: Int = 1) {
        OpenMPThreads.limitToOne()
        (self.outputs, self.inputs) = (outputs, inputs)
        var engine: dnnl_engine_t?
        Self.check(dnnl_engine_create(&engine, dnnl_cpu, 0))
        self.engine = engine!
        let rounded = Buffer<UInt16>(uninitialized: outputs * inputs)
        let memory = Unchecked((weight, rounded.pointer))
        parallelFor(outputs, threads: threads, grain: 64) { range in
            let (weight, rounded) = memory.value
            for row in range { ssdf_f32_to_bf16(weight + row * stride, rounded + row * inputs, inputs) }
        }
        // A product over a full tile says which layout it wants.
        var wished = Self.matrix(inputs, outputs, dnnl_bf16, dnnl_format_tag_any)
        let description = Self.describe(
            Shape(rows: BrainFloatLayer.tileRows, result: .sums, hasBias: false), inputs, outputs, &wished, engine!)
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

    deinit {
        prepared.withLock { for item in $0.values { dnnl_primitive_destroy(item.primitive) } }
        dnnl_engine_destroy(engine)
    }

    /// y = x·Wᵀ + b, or GELU of that, for `rows` rows, on the calling thread.
    /// - Parameters:
    ///   - x: `[rows, inputs]` bf16
    ///   - bias: `[outputs]` f32
    ///   - y: `[rows, outputs]`
    func multiply(
        rows: Int, _ x: UnsafePointer<UInt16>, bias: UnsafePointer<Float>?, _ result: Result = .sums,
        into y: UnsafeMutableRawPointer
    ) {
        OpenMPThreads.limitToOne()
        let product = prepare(Shape(rows: rows, result: result, hasBias: bias != nil))
        let scratch = Buffer<UInt8>(uninitialized: max(product.scratchSize, 1))
        var operands = [
            (DNNL_ARG_SRC, product.source, UnsafeMutableRawPointer(mutating: x)),
            (DNNL_ARG_WEIGHTS, weights, UnsafeMutableRawPointer(packed.pointer)), (DNNL_ARG_DST, product.result, y),
            (DNNL_ARG_SCRATCHPAD, product.scratch, UnsafeMutableRawPointer(scratch.pointer)),
        ]
        if let bias {
            operands.append(
                (
                    DNNL_ARG_BIAS, Self.matrix(1, outputs, dnnl_f32, dnnl_ab),
                    UnsafeMutableRawPointer(mutating: bias)
                ))
        }
        execute(product.primitive, operands)
    }

    /// The product of a shape, made once.
    private func prepare(_ shape: Shape) -> Prepared {
        prepared.withLock { known in
            if let found = known[shape] { return found }
            var weights = weights
            let description = Self.describe(shape, inputs, outputs, &weights, engine)
            defer { dnnl_primitive_desc_destroy(description) }
            var scratch = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0).pointee
            var primitive: dnnl_primitive_t?
            Self.check(dnnl_primitive_create(&primitive, description))
            let made = Prepared(
                primitive: primitive!, source: Self.matrix(shape.rows, inputs, dnnl_bf16, dnnl_ab),
                result: Self.matrix(shape.rows, outputs, shape.result == .sums ? dnnl_f32 : dnnl_bf16, dnnl_ab),
                scratch: scratch, scratchSize: dnnl_memory_desc_get_size(&scratch))
            known[shape] = made
            return made
        }
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
        _ shape: Shape, _ inputs: Int, _ outputs: Int, _ weights: inout dnnl_memory_desc_t, _ engine: dnnl_engine_t
    ) -> dnnl_primitive_desc_t {
        var source = matrix(shape.rows, inputs, dnnl_bf16, dnnl_ab)
        var result = matrix(shape.rows, outputs, shape.result == .sums ? dnnl_f32 : dnnl_bf16, dnnl_ab)
        var bias = matrix(1, outputs, dnnl_f32, dnnl_ab)
        var product = dnnl_matmul_desc_t()
        if shape.hasBias {
            check(dnnl_matmul_desc_init(&product, &source, &weights, &bias, &result))
        } else {
            check(dnnl_matmul_desc_init(&product, &source, &weights, nil, &result))
        }
        var attributes: dnnl_primitive_attr_t?
        check(dnnl_primitive_attr_create(&attributes))
        defer { dnnl_primitive_attr_destroy(attributes) }
        // The library's own scratch memory is shared between threads.
        check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user))
        var after: dnnl_post_ops_t?
        defer { if let after { dnnl_post_ops_destroy(after) } }
        if shape.result == .gelu {
            check(dnnl_post_ops_create(&after))
            check(dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_gelu_tanh, 0, 0))
            check(dnnl_primitive_attr_set_post_ops(attributes, after))
        }
        var description: dnnl_primitive_desc_t?
        check(dnnl_primitive_desc_create(&description, &product, attributes, engine, nil))
        return description!
    }

    private static func check(_ status: dnnl_status_t, _ line: Int = #line) {
        precondition(status == dnnl_success, "oneDNN failed with status \(status.rawValue) at line \(line)")
    }
}

/// A weight `[outputs, inputs]` in bf16, cut into products of the depth at which oneDNN is fastest: at a depth of 4096
/// it reached 410 Gflop/s on a core of Zen 5, at 1024 it reached 510.
final class BrainFloatLayer: Sendable {
    /// Rows of a full tile.
    static let tileRows = 256
    private static let mostDepth = 2048
    static let partDepth = 1024

    /// Side by side along the inputs.
    let parts: [BrainFloatProduct]

    /// - Parameters:
    ///   - depth: of a part.
    ///   - threads: to make the parts on.
    init(_ weight: Tensor, depth: Int? = nil, threads: Int) {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let step = depth ?? (inputs > Self.mostDepth ? Self.partDepth : max(inputs, 1))
        let starts = Array(Swift.stride(from: 0, to: inputs, by: step))
        let memory = Unchecked(weight.pointer)
        parts = parallelMap(starts.count, threads: threads) {
            BrainFloatProduct(
                memory.value + starts[$0], stride: inputs, outputs: outputs, inputs: min(step, inputs - starts[$0]),
                threads: threads)
        }
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

    /// Whether convolution multiplies in bf16 on this processor, from a rounded copy of its rows.
    package var roundsRows: Bool { self == .bf16 && BrainFloatProduct.isNative }
}
