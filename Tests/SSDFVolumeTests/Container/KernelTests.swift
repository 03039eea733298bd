import CSSDFKernels
import ContainerCases
import SSDFCore
import Testing

/// Every body the machine has against the scalar one.
@Suite struct KernelTests {
    private static let bodies = Int32(0)...ssdf_isa()

    /// Smooth numbers with outliers, of all magnitudes: what residuals look like, and what they never do.
    private func numbers(_ count: Int, seed: UInt64) -> Buffer<Int32> {
        var random = Philox(seed: seed)
        let numbers = Buffer<Int32>(zeros: count + 64)
        for index in 0..<count {
            let bits = UInt32(truncatingIfNeeded: random.next())
            numbers.pointer[index] = Int32(bitPattern: bits) >> Int32.random(in: 0..<32, using: &random)
        }
        return numbers
    }

    private func masks(_ bricks: Int, seed: UInt64) -> Buffer<UInt64> {
        var random = Philox(seed: seed)
        let masks = Buffer<UInt64>(zeros: bricks * 8)
        for brick in 0..<bricks {
            for word in 0..<8 {
                switch Int.random(in: 0..<5, using: &random) {
                case 0: masks.pointer[brick * 8 + word] = .max
                case 1: masks.pointer[brick * 8 + word] = random.next()
                case 2: masks.pointer[brick * 8 + word] = random.next() & random.next() & random.next()
                default: break
                }
            }
            let isEmpty = (0..<8).allSatisfy { masks.pointer[brick * 8 + $0] == 0 }
            if isEmpty { masks.pointer[brick * 8 + Int.random(in: 0..<8, using: &random)] = 1 << 37 }
        }
        return masks
    }

    @Test func checksumIsThatOfEveryBody() {
        for count in Array(0...200) + [1000, 4097] {
            var random = Philox(seed: UInt64(count))
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            for isa in Self.bodies {
                #expect(ssdf_crc32_isa(isa, 0, bytes, count) == ContainerBytes.checksum(bytes), "\(count) bytes")
                let half = ssdf_crc32_isa(isa, 0, bytes, count / 2)
                let whole = bytes.withUnsafeBufferPointer {
                    ssdf_crc32_isa(isa, half, $0.baseAddress.map { $0 + count / 2 }, count - count / 2)
                }
                #expect(whole == ContainerBytes.checksum(bytes))
            }
        }
        #expect(ssdf_crc32(0, Array("123456789".utf8), 9) == 0xcbf4_3926)
    }

    @Test func predictionUndoesItself() {
        for bricks in 1...40 {
            let masks = masks(bricks, seed: UInt64(bricks))
            let count = masks.array.reduce(0) { $0 + $1.nonzeroBitCount }
            let values = numbers(count, seed: 7)
            let expectedHeads = Buffer<Int32>(zeros: bricks)
            let expected = Buffer<Int32>(zeros: count + 64)
            ssdf_predict_with(0, masks.pointer, bricks, values.pointer, expectedHeads.pointer, expected.pointer)
            for isa in Self.bodies {
                let heads = Buffer<Int32>(zeros: bricks)
                let residuals = Buffer<Int32>(zeros: count + 64)
                let restored = Buffer<Int32>(zeros: count + 64)
                ssdf_predict_with(isa, masks.pointer, bricks, values.pointer, heads.pointer, residuals.pointer)
                #expect(heads.array == expectedHeads.array)
                #expect(residuals.array.prefix(count - bricks) == expected.array.prefix(count - bricks))
                ssdf_unpredict_with(
                    isa, masks.pointer, bricks, heads.pointer, residuals.pointer, restored.pointer)
                #expect(restored.array.prefix(count) == values.array.prefix(count))
            }
        }
    }

    /// A product of functions of two coordinates each is what the predictor is exact for.
    @Test func predictsSumsOfTwoCoordinatesExactly() {
        let masks = Buffer<UInt64>([UInt64](repeating: .max, count: 8))
        let values = Buffer<Int32>(zeros: 512 + 64)
        for x in 0..<8 {
            for y in 0..<8 {
                for z in 0..<8 { values.pointer[x * 64 + y * 8 + z] = Int32(x * x * y * y + 5 * y * z + z * z * x) }
            }
        }
        let head = Buffer<Int32>(zeros: 1)
        let residuals = Buffer<Int32>(zeros: 512 + 64)
        ssdf_predict_with(ssdf_isa(), masks.pointer, 1, values.pointer, head.pointer, residuals.pointer)
        for x in 1..<8 {
            for y in 1..<8 {
                for z in 1..<8 { #expect(residuals[x * 64 + y * 8 + z - 1] == 0) }
            }
        }
    }

    @Test func blocksAndLengthsUndoThemselves() {
        for count in Array(0...70) + [500, 1027] {
            let residuals = numbers(count, seed: UInt64(count))
            let blocks = (count + 31) / 32
            let room = 4 * count + 512
            var expected: [UInt8]?
            var expectedDigits: [UInt8]?
            for isa in Self.bodies {
                let widths = Buffer<UInt8>(zeros: blocks)
                let packed = Buffer<UInt8>(zeros: room)
                let restored = Buffer<Int32>(zeros: count + 64)
                let size = ssdf_blocks_pack_with(isa, residuals.pointer, count, widths.pointer, packed.pointer)
                #expect(size == widths.array.reduce(0) { $0 + 4 * Int($1) })
                let bytes = widths.array + packed.array.prefix(size)
                #expect(expected == nil || expected == bytes)
                expected = bytes
                ssdf_blocks_unpack_with(isa, widths.pointer, packed.pointer, size, count, restored.pointer)
                #expect(restored.array.prefix(count) == residuals.array.prefix(count))

                let lengths = Buffer<UInt8>(zeros: count + 64)
                let digits = Buffer<UInt8>(zeros: count + 64)
                let rests = Buffer<UInt32>(zeros: count + 64)
                ssdf_lengths_split_with(
                    isa, residuals.pointer, count, lengths.pointer, digits.pointer, rests.pointer)
                let used = ssdf_digits_write_with(isa, rests.pointer, digits.pointer, count, packed.pointer)
                let all = lengths.array + packed.array.prefix(used)
                #expect(expectedDigits == nil || expectedDigits == all)
                expectedDigits = all
                #expect(ssdf_lengths_count_with(isa, lengths.pointer, count, digits.pointer) <= 32)
                let read = Buffer<UInt32>(zeros: count + 64)
                #expect(
                    ssdf_digits_read_with(isa, packed.pointer, used, digits.pointer, count, read.pointer) == used)
                ssdf_lengths_join_with(isa, lengths.pointer, read.pointer, count, restored.pointer)
                #expect(restored.array.prefix(count) == residuals.array.prefix(count))
                if used > 0 {
                    let short = ssdf_digits_read_with(
                        isa, packed.pointer, used - 1, digits.pointer, count, read.pointer)
                    #expect(short == -1)
                }
            }
        }
    }

    @Test(arguments: [24, 11]) func remaindersKeepEveryBit(_ precision: Int32) {
        var random = Philox(seed: 11)
        let count = 1031
        let values = Buffer<Float>(zeros: count + 64)
        for index in 0..<count {
            let magnitude =
                Float(random.uniform()) * Float(sign: .plus, exponent: Int(random.next() % 20) - 16, significand: 1)
            let value = random.next() & 1 == 0 ? magnitude : -magnitude
            values.pointer[index] = precision == 24 ? value : Float(Float16(value))
        }
        values.pointer[5] = -0.0
        for exponent in [Int32(-20), -12, -9] {
            for isa in Self.bodies {
                let quanta = Buffer<Int32>(zeros: count + 64)
                let digits = Buffer<UInt8>(zeros: count + 64)
                let rests = Buffer<UInt32>(zeros: count + 64)
                let counted = Buffer<UInt8>(zeros: count + 64)
                let restored = Buffer<Float>(zeros: count + 64)
                ssdf_to_quanta_with(isa, values.pointer, count, exponent, quanta.pointer)
                ssdf_remainders_split_with(
                    isa, values.pointer, quanta.pointer, count, exponent, precision, digits.pointer, rests.pointer)
                ssdf_remainders_count_with(isa, quanta.pointer, count, exponent, precision, counted.pointer)
                #expect(digits.array == counted.array)
                ssdf_remainders_join_with(
                    isa, quanta.pointer, digits.pointer, rests.pointer, count, exponent, precision, restored.pointer)
                #expect(restored.array.map(\.bitPattern) == values.array.map(\.bitPattern))
            }
        }
    }
}
