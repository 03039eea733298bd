import CSSDFKernels
import SSDFCore
import SSDFTensor
import Testing

@Suite struct ElementConversionTests {
    @Test func widensEveryHalfExactly() {
        let halves = (0...UInt16.max).map { $0 }
        for isa in 0...ssdf_isa() {
            var floats = [Float](repeating: -1, count: halves.count)
            ssdf_f16_to_f32_with(isa, halves, &floats, halves.count)
            for (bits, value) in zip(halves, floats) {
                let expected = Float(Float16(bitPattern: bits))
                let same = expected.isNaN ? value.isNaN : value.bitPattern == expected.bitPattern
                if !same { Issue.record("isa \(isa): 0x\(String(bits, radix: 16)) became \(value)") }
            }
        }
    }

    @Test func narrowsToTheNearestHalf() {
        // Every half, the middle between it and the next, and the floats beside that middle.
        var values: [Float] = [
            .infinity, -.infinity, .nan, 65519.99, 65520, 1e-8, 3e-8, 1e30, -0.0, 0x1p-25, 0x1.000002p-25,
        ]
        for bits in stride(from: 0, to: 0x7c00, by: 1) {
            let low = Float(Float16(bitPattern: UInt16(bits)))
            let high = bits + 1 == 0x7c00 ? 65536 : Float(Float16(bitPattern: UInt16(bits + 1)))
            let middle = (low + high) / 2
            values += [low, middle.nextDown, middle, middle.nextUp, -middle]
        }
        for isa in 0...ssdf_isa() {
            var halves = [UInt16](repeating: 0, count: values.count)
            ssdf_f32_to_f16_with(isa, values, &halves, values.count)
            for (value, bits) in zip(values, halves) {
                let expected = Float16(value)
                let same = expected.isNaN ? Float16(bitPattern: bits).isNaN : bits == expected.bitPattern
                if !same { Issue.record("isa \(isa): \(value) became 0x\(String(bits, radix: 16))") }
            }
        }
    }

    @Test func narrowsToTheNearestBrainFloat() {
        var values: [Float] = [
            .infinity, -.infinity, .nan, .greatestFiniteMagnitude, 1e-40, -0.0, Float(bitPattern: 0x7f80_0001),
        ]
        for bits in stride(from: UInt32(0), to: 0x7f80, by: 7) {
            let (low, high) = (Float(bitPattern: bits << 16), Float(bitPattern: (bits << 16) + 0x8000))
            values += [low, high.nextDown, high, high.nextUp, -high]
        }
        for isa in 0...ssdf_isa() {
            var narrow = [UInt16](repeating: 0, count: values.count)
            ssdf_f32_to_bf16_with(isa, values, &narrow, values.count)
            for (value, half) in zip(values, narrow) {
                let back = Float(bitPattern: UInt32(half) << 16)
                let (below, above) = (
                    Float(bitPattern: value.bitPattern & 0xffff_0000),
                    Float(bitPattern: (value.bitPattern | 0xffff) &+ 1)
                )
                // The nearer of the two neighbours; the even one in the middle.
                let down = Double(value.magnitude) - Double(below.magnitude),
                    up = Double(above.magnitude) - Double(value.magnitude)
                let isEven = below.bitPattern >> 16 & 1 == 0
                let expected = value.bitPattern & 0xffff == 0 || down < up || (down == up && isEven) ? below : above
                let same =
                    value.isNaN
                    ? back.isNaN : !value.isFinite || above.isInfinite ? true : back.bitPattern == expected.bitPattern
                if !same { Issue.record("isa \(isa): \(value) became \(back), not \(expected)") }
                if value.isInfinite { #expect(back == value) }
            }
        }
    }

    @Test func handlesEveryLengthAndAlignment() {
        for count in 0...65 {
            for shift in 0..<2 {
                let source = (0..<count).map { Float($0) * 0.37 - 9 }
                for type in [ElementType.f16, .bf16, .f32, .f64] {
                    var bytes = [UInt8](repeating: 0xab, count: shift + count * type.byteCount + 1)
                    bytes.withUnsafeMutableBytes { raw in
                        source.withUnsafeBufferPointer {
                            convertFromFloat(
                                $0, type: type,
                                into: UnsafeMutableRawBufferPointer(rebasing: raw[shift..<(raw.count - 1)]))
                        }
                    }
                    #expect(bytes.last == 0xab)
                    var back = [Float](repeating: 99, count: count + 1)
                    bytes.withUnsafeBytes { raw in
                        back.withUnsafeMutableBufferPointer { out in
                            try? convertToFloat(
                                UnsafeRawBufferPointer(rebasing: raw[shift..<(raw.count - 1)]), type: type, into: out)
                        }
                    }
                    #expect(back.last == 99)
                    let tolerance: Float = type == .bf16 ? 0x1p-8 : type == .f16 ? 0x1p-11 : 0
                    for (a, b) in zip(source, back) { #expect(abs(a - b) <= abs(a) * tolerance) }
                }
            }
        }
    }

    @Test func roundsToBrainFloatsEvenly() {
        let values: [Float] = [
            1, Float(bitPattern: 0x3f80_8000), Float(bitPattern: 0x3f81_8000), Float(bitPattern: 0x3f80_8001),
            .infinity,
            Float(bitPattern: 0x7f80_0001), -.greatestFiniteMagnitude,
        ]
        var out = [UInt16](repeating: 0, count: values.count)
        ssdf_f32_to_bf16(values, &out, values.count)
        #expect(out == [0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7fc0, 0xff80])
    }

    @Test func readsIntegersBooleansAndDoubles() throws {
        func floats<T: BitwiseCopyable>(_ values: [T], _ type: ElementType) throws -> [Float] {
            var out = [Float](repeating: -1, count: values.count)
            try values.withUnsafeBytes { raw in
                try out.withUnsafeMutableBufferPointer { try convertToFloat(raw, type: type, into: $0) }
            }
            return out
        }
        #expect(try floats([Int64.min, -1, 7], .i64) == [-0x1p63, -1, 7])
        #expect(try floats([Int32(-5), 6], .i32) == [-5, 6])
        #expect(try floats([Int16(-300)], .i16) == [-300])
        #expect(try floats([Int8(-128)], .i8) == [-128])
        #expect(try floats([UInt8(255)], .u8) == [255])
        #expect(try floats([UInt16.max], .u16) == [65535])
        #expect(try floats([UInt32.max], .u32) == [0x1p32])
        #expect(try floats([UInt64.max], .u64) == [0x1p64])
        #expect(try floats([UInt8(0), 1, 2], .bool) == [0, 1, 1])
        #expect(try floats([0.1, 1e300], .f64) == [0.1, .infinity])
        #expect(throws: Failure.self) { try floats([UInt8(1)], .f8e4m3) }
        #expect(throws: Failure.self) { try floats([Double(1)], .c64) }
    }
}
