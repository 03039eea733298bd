/// How one element of a stored tensor is written. The raw value is the name safetensors uses.
///
/// Everything in memory is f32; these are the types of files.
package enum ElementType: String, Sendable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u64 = "U64"
    case u32 = "U32"
    case u16 = "U16"
    case u8 = "U8"
    case bool = "BOOL"
    case f8e4m3 = "F8_E4M3"
    case f8e5m2 = "F8_E5M2"
    case c64 = "C64"

    /// Bytes of one element.
    package var byteCount: Int {
        switch self {
        case .f64, .i64, .u64, .c64: 8
        case .f32, .i32, .u32: 4
        case .f16, .bf16, .i16, .u16: 2
        case .i8, .u8, .bool, .f8e4m3, .f8e5m2: 1
        }
    }

    /// Whether an element is a real number that f32, f16 and bf16 can stand for: the types that weights come in.
    package var isWeight: Bool {
        switch self {
        case .f64, .f32, .f16, .bf16: true
        default: false
        }
    }

    /// The number of elements of a shape, or nil when it, or its size in bytes, does not fit in 63 bits.
    package func elementCount(of shape: [Int]) -> Int? {
        // A zero anywhere makes the tensor empty, however large its other sides.
        if shape.contains(0) { return 0 }
        var count = 1
        for side in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: side)
            guard side > 0, !overflow else { return nil }
            count = product
        }
        return count.multipliedReportingOverflow(by: byteCount).overflow ? nil : count
    }
}
