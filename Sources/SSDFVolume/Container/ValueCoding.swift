import CSSDFKernels

/// How the values of one channel of one group are turned into bytes. The encoder chooses; ssdf(5) describes each.
enum ValueCoding: UInt8, CaseIterable {
    /// Byte planes of the values as they are.
    case plain = 0
    /// Residuals of the values' integers: the quanta of i16 and i8; of floats, their bits in the order of their values.
    case integers = 1
    /// Residuals of multiples of a power of two.
    case quanta = 2
    /// The same with what lies below the multiple.
    case quantaWithRemainders = 3
}

/// How residuals are turned into bits.
enum ResidualPacking: UInt8, CaseIterable {
    /// 32 share a width: the fastest.
    case blocks = 0
    /// Each has its own length, and the lengths are entropy coded: the smallest.
    case lengths = 1
}

/// The exponents that quanta may have: far enough from both ends for the scaling to be exact.
let quantumExponents = -120...120

/// What a channel's floats call for.
struct QuantumChoice: Equatable {
    var coding: ValueCoding
    var exponent = 0

    /// - Parameter precision: binary digits of the value type: 24 for f32, 11 for f16.
    init(_ span: ssdf_float_span, precision: Int) {
        // Bits of a NaN or an infinity have no magnitude to predict from.
        guard span.largest < 0x7f80_0000 else {
            coding = .integers
            return
        }
        guard span.lowest_bit != Int32.max else {
            coding = span.negative_zero == 0 ? .quanta : .integers
            return
        }
        let field = max(1, Int(span.largest >> 23))
        // Exponent of the last digit of the largest value.
        let finest = field - 127 - (precision - 1)
        let lowest = Int(span.lowest_bit)
        // Finer multiples cost every residual a digit; remainders cost about one for each value.
        let isExact = span.negative_zero == 0 && lowest >= finest - 1
        exponent = isExact ? lowest : max(finest, lowest)
        coding = isExact ? .quanta : .quantaWithRemainders
        if !quantumExponents.contains(exponent) {
            coding = .integers
            exponent = 0
        }
    }
}

/// Whether a value type's coding is among those ssdf(5) allows it.
func isAllowed(_ coding: ValueCoding, for dtype: ValueType) -> Bool {
    !dtype.isQuantized || coding == .plain || coding == .integers
}

/// Blocks of residuals that share a width.
func blockCount(_ residuals: Int) -> Int { (residuals + Int(SSDF_BLOCK) - 1) / Int(SSDF_BLOCK) }

/// Bytes of a section besides its contents.
let sectionOverhead = 8
