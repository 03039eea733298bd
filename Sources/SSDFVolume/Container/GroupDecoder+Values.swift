import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension GroupDecoder {
    /// Decodes one channel of a group, whose masks are in place.
    /// - Throws: `badData` when a rule of ssdf(5) does not hold.
    func decode(
        channel: Int, _ cursor: inout FieldCursor, _ counts: GroupCounts, into room: BrickRoom
    ) throws(Failure) {
        let (count, channels) = (counts.activeCount, header.metadata.channels)
        if header.dtype.isQuantized { try readScales(&cursor, counts) }
        let coding: ValueCoding = try cursor.enumeration("value coding")
        guard isAllowed(coding, for: header.dtype) else {
            throw .badData(
                place: cursor.place, "value coding is \(coding.rawValue)", expected: "0 or 1 for \(header.dtype)")
        }
        let target = channels == 1 ? room.values : channelValues.pointer
        switch coding {
        case .plain:
            let size = header.dtype.size
            let bytes = try section(&cursor, "values", sizes: count * size...count * size)
            ssdf_planes_join(bytes.bytePointer, count, size, elements.pointer)
            restore(counts, room.masks, into: target)
        case .integers:
            try readElements(&cursor, counts, room.masks)
            if !header.dtype.isQuantized {
                for row in 0..<count { elements.pointer[row] = orderedBits(elements.pointer[row], header.dtype) }
            }
            restore(counts, room.masks, into: target)
        case .quanta, .quantaWithRemainders:
            let exponent = Int(try cursor.integer(Int16.self, "exponent"))
            guard quantumExponents.contains(exponent) else {
                throw .badData(
                    place: cursor.place, "exponent is \(exponent)",
                    expected: "\(quantumExponents.lowerBound) to \(quantumExponents.upperBound)")
            }
            try readElements(&cursor, counts, room.masks)
            if coding == .quanta {
                ssdf_from_quanta_with(isa, elements.pointer, count, Int32(exponent), target)
            } else {
                try readRemainders(&cursor, count, Int32(exponent), into: target)
            }
        }
        if channels > 1 {
            for row in 0..<count { room.values[row * channels + channel] = target[row] }
        }
    }

    private func readScales(_ cursor: inout FieldCursor, _ counts: GroupCounts) throws(Failure) {
        for brick in 0..<counts.brickCount {
            let scale = Float(bitPattern: try cursor.integer(UInt32.self, "scale of brick \(brick)"))
            guard scale.isFinite, scale >= 0 else {
                throw .badData(
                    place: cursor.place, "scale of brick \(brick) is \(scale)", expected: "a finite number, 0 or more")
            }
            scales.pointer[brick] = scale
        }
    }

    /// Heads and residuals to elements.
    private func readElements(
        _ cursor: inout FieldCursor, _ counts: GroupCounts, _ masks: UnsafePointer<UInt64>
    ) throws(Failure) {
        let count = counts.activeCount - counts.brickCount
        let headBytes = try cursor.take(counts.brickCount * 4, "first values")
        memcpy(heads.pointer, headBytes.baseAddress!, headBytes.count)
        let packing: ResidualPacking = try cursor.enumeration("packing")
        switch packing {
        case .blocks:
            let blocks = blockCount(count)
            let widths = try section(&cursor, "widths", sizes: blocks...blocks)
            var size = 0
            for width in widths {
                guard width <= 32 else {
                    throw .badData(place: cursor.place, "a width is \(width)", expected: "at most 32")
                }
                size += 4 * Int(width)
            }
            let bits = try cursor.take(size, "residuals")
            ssdf_blocks_unpack_with(
                isa, widths.bytePointer, bits.bytePointer, size, count, residuals.pointer)
        case .lengths:
            let lengths = try section(&cursor, "lengths", sizes: count...count)
            let longest = ssdf_lengths_count_with(isa, lengths.bytePointer, count, digits.pointer)
            guard longest <= 32 else {
                throw .badData(place: cursor.place, "a length is \(longest)", expected: "at most 32")
            }
            try readDigits(&cursor, count, "residuals")
            ssdf_lengths_join_with(isa, lengths.bytePointer, rests.pointer, count, residuals.pointer)
        }
        ssdf_unpredict_with(isa, masks, counts.brickCount, heads.pointer, residuals.pointer, elements.pointer)
    }

    private func readRemainders(
        _ cursor: inout FieldCursor, _ count: Int, _ exponent: Int32, into values: UnsafeMutablePointer<Float>
    ) throws(Failure) {
        let precision: Int32 = header.dtype == .f32 ? 24 : 11
        ssdf_remainders_count_with(isa, elements.pointer, count, exponent, precision, digits.pointer)
        try readDigits(&cursor, count, "remainders")
        ssdf_remainders_join_with(
            isa, elements.pointer, digits.pointer, rests.pointer, count, exponent, precision, values)
    }

    /// A counted run of numbers of `digits` bits each, into `rests`.
    private func readDigits(_ cursor: inout FieldCursor, _ count: Int, _ name: String) throws(Failure) {
        let size = Int(try cursor.integer(UInt32.self, "size of \(name)"))
        let bits = try cursor.take(size, name)
        let used = ssdf_digits_read_with(
            isa, bits.bytePointer, size, digits.pointer, count, rests.pointer)
        guard used == size else {
            throw .badData(
                place: cursor.place, "\(name) take \(used == -1 ? "more than" : "\(used) of") \(size) bytes",
                expected: "all of them")
        }
    }

    /// Elements to floats, for codings that store a value's own integer.
    private func restore(
        _ counts: GroupCounts, _ masks: UnsafePointer<UInt64>, into target: UnsafeMutablePointer<Float>
    ) {
        let count = counts.activeCount
        switch header.dtype {
        case .f32: memcpy(target, elements.pointer, count * 4)
        case .f16:
            raw.pointer.withMemoryRebound(to: UInt16.self, capacity: count) { halves in
                for row in 0..<count { halves[row] = UInt16(truncatingIfNeeded: elements.pointer[row]) }
                ssdf_f16_to_f32(halves, target, count)
            }
        case .i16:
            scaleElements(counts, masks, into: target) { Float(Int16(truncatingIfNeeded: $0)) }
        case .i8:
            scaleElements(counts, masks, into: target) { Float(Int8(truncatingIfNeeded: $0)) }
        }
    }

    @inline(__always) private func scaleElements(
        _ counts: GroupCounts, _ masks: UnsafePointer<UInt64>, into target: UnsafeMutablePointer<Float>,
        _ quantum: (Int32) -> Float
    ) {
        var row = 0
        for brick in 0..<counts.brickCount {
            let scale = scales.pointer[brick]
            var active = 0
            for word in 0..<8 { active += masks[brick * 8 + word].nonzeroBitCount }
            for index in row..<row + active { target[index] = quantum(elements.pointer[index]) * scale }
            row += active
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The first byte, for kernels; of an empty buffer, any address that is not read.
    var bytePointer: UnsafePointer<UInt8> {
        baseAddress?.assumingMemoryBound(to: UInt8.self) ?? UnsafePointer(bitPattern: 16)!
    }
}
