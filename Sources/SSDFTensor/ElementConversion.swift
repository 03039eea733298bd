import CSSDFKernels
import SSDFCore

/// Writes stored elements as f32 to `destination`.
///
/// f16 and bf16 convert exactly; f64 and wide integers round to nearest, ties to even; booleans become 0 and 1.
/// - Parameters:
///   - bytes: little-endian elements, of any alignment.
///   - destination: at least `bytes.count / type.byteCount` elements.
/// - Throws: `badData` for complex and 8-bit floating-point elements, which nothing here computes with.
package func convertToFloat(
    _ bytes: UnsafeRawBufferPointer, type: ElementType, into destination: UnsafeMutableBufferPointer<Float>
) throws(Failure) {
    let count = bytes.count / type.byteCount
    precondition(destination.count >= count, "the destination has room for \(destination.count) of \(count) elements")
    guard let source = bytes.baseAddress, let target = destination.baseAddress, count > 0 else { return }
    switch type {
    case .f32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: bytes.count)
    case .f16: ssdf_f16_to_f32(source, target, count)
    case .bf16: ssdf_bf16_to_f32(source, target, count)
    case .f64: convertEach(source, count, target) { (x: UInt64) in Float(Double(bitPattern: x)) }
    case .i64: convertEach(source, count, target) { (x: Int64) in Float(x) }
    case .i32: convertEach(source, count, target) { (x: Int32) in Float(x) }
    case .i16: convertEach(source, count, target) { (x: Int16) in Float(x) }
    case .i8: convertEach(source, count, target) { (x: Int8) in Float(x) }
    case .u64: convertEach(source, count, target) { (x: UInt64) in Float(x) }
    case .u32: convertEach(source, count, target) { (x: UInt32) in Float(x) }
    case .u16: convertEach(source, count, target) { (x: UInt16) in Float(x) }
    case .u8: convertEach(source, count, target) { (x: UInt8) in Float(x) }
    case .bool: convertEach(source, count, target) { (x: UInt8) in x == 0 ? 0 : 1 }
    case .c64, .f8e4m3, .f8e5m2:
        throw .badData("elements of type \(type.rawValue)", expected: "real numbers of 16 bits or more, or integers")
    }
}

/// Writes f32 values as f32, f16, bf16 or f64, rounding to nearest, ties to even.
/// - Parameter destination: at least `source.count · type.byteCount` bytes, of any alignment.
/// - Precondition: `type.isWeight`.
package func convertFromFloat(
    _ source: UnsafeBufferPointer<Float>, type: ElementType, into destination: UnsafeMutableRawBufferPointer
) {
    precondition(type.isWeight, "\(type.rawValue) is not a type for weights")
    precondition(destination.count >= source.count * type.byteCount, "the destination is too small")
    guard let values = source.baseAddress, let target = destination.baseAddress, source.count > 0 else { return }
    switch type {
    case .f16: ssdf_f32_to_f16(values, target, source.count)
    case .bf16: ssdf_f32_to_bf16(values, target, source.count)
    case .f64:
        for index in 0..<source.count {
            target.storeBytes(of: Double(values[index]), toByteOffset: index * 8, as: Double.self)
        }
    default: target.copyMemory(from: values, byteCount: source.count * 4)
    }
}

@inline(__always)
private func convertEach<Stored: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>, _ convert: (Stored) -> Float
) {
    for index in 0..<count {
        let stored = source.loadUnaligned(fromByteOffset: index * MemoryLayout<Stored>.size, as: Stored.self)
        target[index] = convert(Stored(littleEndian: stored))
    }
}
