import COneDNN

/// A bare oneDNN product bf16 × bf16 → f32 over whole matrices that are bf16 already, on the library's own threads.
package final class BareBrainFloat: @unchecked Sendable {
    private let primitive: dnnl_primitive_t
    private let stream: dnnl_stream_t
    private var arguments: [dnnl_exec_arg_t] = []
    private let threads: Int
    private var memory: [UnsafeMutableRawPointer] = []

    package init(rows: Int, inputs: Int, outputs: Int, threads: Int) {
        self.threads = threads
        OpenMP.setThreads(threads)
        var engine: dnnl_engine_t?
        dnnl_engine_create(&engine, dnnl_cpu, 0)
        func matrix(_ m: Int, _ n: Int, _ type: dnnl_data_type_t, _ tag: dnnl_format_tag_t) -> dnnl_memory_desc_t {
            var description = dnnl_memory_desc_t()
            dnnl_memory_desc_init_by_tag(&description, 2, [dnnl_dim_t(m), dnnl_dim_t(n)], type, tag)
            return description
        }
        var source = matrix(rows, inputs, dnnl_bf16, dnnl_ab)
        var weights = matrix(inputs, outputs, dnnl_bf16, dnnl_format_tag_any)
        var result = matrix(rows, outputs, dnnl_f32, dnnl_ab)
        var product = dnnl_matmul_desc_t()
        dnnl_matmul_desc_init(&product, &source, &weights, nil, &result)
        var description: dnnl_primitive_desc_t?
        dnnl_primitive_desc_create(&description, &product, nil, engine, nil)
        weights = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0).pointee
        var primitive: dnnl_primitive_t?
        dnnl_primitive_create(&primitive, description)
        self.primitive = primitive!
        var stream: dnnl_stream_t?
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue)
        self.stream = stream!
        for (argument, shape) in [(DNNL_ARG_SRC, source), (DNNL_ARG_WEIGHTS, weights), (DNNL_ARG_DST, result)] {
            var shape = shape
            let size = dnnl_memory_desc_get_size(&shape)
            let bytes = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
            bytes.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            var handle: dnnl_memory_t?
            dnnl_memory_create(&handle, &shape, engine, bytes)
            arguments.append(dnnl_exec_arg_t(arg: argument, memory: handle))
            memory.append(bytes)
        }
    }

    deinit {
        for pointer in memory { pointer.deallocate() }
    }

    package func run() {
        OpenMP.setThreads(threads)
        dnnl_primitive_execute(primitive, stream, Int32(arguments.count), arguments)
        dnnl_stream_wait(stream)
        OpenMP.setThreads(1)
    }
}
