import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension GroupEncoder {
    /// Appends one channel of a group.
    /// - Throws: `badData` when a value cannot be stored as the header's value type.
    func encode(channel: Int, of run: BrickRun, span: inout ValueSpan) throws(Failure) {
        let (count, channels) = (run.activeCount, header.metadata.channels)
        if channels == 1 {
            memcpy(given.pointer, run.values, count * 4)
        } else {
            for row in 0..<count { given.pointer[row] = run.values[row * channels + channel] }
        }
        switch header.dtype {
        case .f32:
            span.add(given.pointer, count)
            encodeFloats(given.pointer, run, precision: 24)
        case .f16:
            try roundToHalves(count)
            span.add(stored.pointer, count)
            span.addErrors(given: given.pointer, stored: stored.pointer, count)
            encodeFloats(stored.pointer, run, precision: 11)
        case .i16, .i8:
            try quantize(run)
            span.add(stored.pointer, count)
            span.addErrors(given: given.pointer, stored: stored.pointer, count)
            let start = end
            append(ValueCoding.integers.rawValue)
            appendPredicted(run)
            if end - start > count * header.dtype.size { appendPlain(count, from: start) }
        }
    }

    // MARK: Floats

    /// - Parameter precision: 24 for f32; 11 for f16, whose values are given widened.
    private func encodeFloats(_ values: UnsafePointer<Float>, _ run: BrickRun, precision: Int) {
        let count = run.activeCount
        let start = end
        var span = ssdf_float_span()
        ssdf_float_span_with(isa, values, count, &span)
        let choice = QuantumChoice(span, precision: precision)
        append(choice.coding.rawValue)
        if choice.coding == .integers {
            storeBits(of: values, count)
            for row in 0..<count { elements.pointer[row] = orderedBits(elements.pointer[row], header.dtype) }
            appendPredicted(run)
        } else {
            append(Int16(choice.exponent))
            let exponent = Int32(choice.exponent)
            ssdf_to_quanta_with(isa, values, count, exponent, elements.pointer)
            appendPredicted(run)
            if choice.coding == .quantaWithRemainders {
                ssdf_remainders_split_with(
                    isa, values, elements.pointer, count, exponent, Int32(precision), digits.pointer, rests.pointer)
                appendCounted { ssdf_digits_write_with(isa, rests.pointer, digits.pointer, count, $0) }
            }
        }
        // Noise gains nothing from prediction.
        if end - start > count * header.dtype.size {
            storeBits(of: values, count)
            appendPlain(count, from: start)
        }
    }

    private func roundToHalves(_ count: Int) throws(Failure) {
        raw.pointer.withMemoryRebound(to: UInt16.self, capacity: count) { halves in
            ssdf_f32_to_f16(given.pointer, halves, count)
            ssdf_f16_to_f32(halves, stored.pointer, count)
        }
        for row in 0..<count where stored.pointer[row].isInfinite && !given.pointer[row].isInfinite {
            throw .badData(
                place: "grid \"\(header.metadata.name)\"", "value \(given.pointer[row]) does not fit in f16",
                expected: "a magnitude of at most 65504")
        }
    }

    /// The values' stored bits, as elements.
    private func storeBits(of values: UnsafePointer<Float>, _ count: Int) {
        if header.dtype == .f32 {
            memcpy(elements.pointer, values, count * 4)
        } else {
            raw.pointer.withMemoryRebound(to: UInt16.self, capacity: count) { halves in
                ssdf_f32_to_f16(values, halves, count)
                for row in 0..<count { elements.pointer[row] = Int32(Int16(bitPattern: halves[row])) }
            }
        }
    }

    // MARK: Quantised values

    /// Appends the scales and makes elements of the quanta.
    ///
    /// Each brick's scale is the smallest that lets its largest magnitude fit; values round to the nearest multiple,
    /// ties to even. A value nearer to 0 than half the scale becomes 0, so a sign can vanish but never turn.
    private func quantize(_ run: BrickRun) throws(Failure) {
        let largest = header.dtype.largestQuantum
        if let value = (0..<run.activeCount).lazy.map({ self.given.pointer[$0] }).first(where: { !$0.isFinite }) {
            throw .badData(
                place: "grid \"\(header.metadata.name)\"", "value \(value) cannot be quantised",
                expected: "finite values, or value type f32 or f16")
        }
        var row = 0
        for brick in 0..<run.bricks.count {
            var count = 0
            for word in 0..<8 { count += run.masks[brick * 8 + word].nonzeroBitCount }
            var (low, high) = (Float(0), Float(0))
            ssdf_value_range_with(isa, given.pointer + row, count, &low, &high)
            let magnitude = max(abs(low), abs(high))
            // A scale too small for the largest magnitude would clip it; a scale of 0 is for a brick of zeros.
            var scale = magnitude / largest
            if scale * largest < magnitude { scale = scale.nextUp }
            append(scale.bitPattern)
            ssdf_quantize_with(
                isa, given.pointer + row, count, scale, largest, elements.pointer + row, stored.pointer + row)
            row += count
        }
    }

    // MARK: Integers to bytes

    /// Appends the heads and residuals of the elements.
    private func appendPredicted(_ run: BrickRun) {
        let bricks = run.bricks.count
        let count = run.activeCount - bricks
        ssdf_predict_with(isa, run.masks, bricks, elements.pointer, heads.pointer, residuals.pointer)
        append(heads.pointer, bricks)
        if header.codec == .none {
            append(ResidualPacking.blocks.rawValue)
            // The bits follow the widths, which are known only once the bits are written.
            let blocks = blockCount(count)
            let size = ssdf_blocks_pack_with(
                isa, residuals.pointer, count, lengths.pointer, room(after: sectionOverhead + blocks))
            appendSection(lengths.pointer, blocks)
            appendWritten { _ in size }
        } else {
            append(ResidualPacking.lengths.rawValue)
            ssdf_lengths_split_with(
                isa, residuals.pointer, count, lengths.pointer, digits.pointer, rests.pointer)
            appendSection(lengths.pointer, count, contents: .symbols)
            appendCounted { ssdf_digits_write_with(isa, rests.pointer, digits.pointer, count, $0) }
        }
    }

    /// Replaces what was appended since `start` by the elements' low bytes.
    private func appendPlain(_ count: Int, from start: Int) {
        rewind(to: start)
        append(ValueCoding.plain.rawValue)
        ssdf_planes_split(elements.pointer, count, header.dtype.size, raw.pointer)
        appendSection(raw.pointer, count * header.dtype.size)
    }
}

/// Bits of a float as an integer in the order of the floats' values; its own inverse.
func orderedBits(_ bits: Int32, _ dtype: ValueType) -> Int32 {
    dtype == .f32 ? bits ^ (bits >> 31 & 0x7fff_ffff) : bits ^ (bits >> 31 & 0x7fff)
}
