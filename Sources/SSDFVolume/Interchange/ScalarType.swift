import SSDFCore

/// The number types that arrays of other programs hold.
enum ScalarType: Sendable, Equatable {
    case float16, float32, float64
    case signed(bytes: Int), unsigned(bytes: Int)

    var byteCount: Int {
        switch self {
        case .float16: 2
        case .float32: 4
        case .float64: 8
        case .signed(let bytes), .unsigned(let bytes): bytes
        }
    }

    var isInteger: Bool {
        switch self {
        case .float16, .float32, .float64: false
        case .signed, .unsigned: true
        }
    }
}

/// Numbers of one type in a file's bytes, some distance apart from one another.
struct ScalarRun {
    let base: UnsafeRawPointer
    let type: ScalarType
    let isBigEndian: Bool

    /// Numbers `start`, `start + stride`, … as floats, rounded to nearest.
    func copy(from start: Int, stride: Int, count: Int, into out: UnsafeMutablePointer<Float>) {
        switch type {
        case .float16: load(UInt16.self, start, stride, count) { out[$0] = Float(Float16(bitPattern: $1)) }
        case .float32: load(UInt32.self, start, stride, count) { out[$0] = Float(bitPattern: $1) }
        case .float64: load(UInt64.self, start, stride, count) { out[$0] = Float(Double(bitPattern: $1)) }
        case .signed(1): load(Int8.self, start, stride, count) { out[$0] = Float($1) }
        case .signed(2): load(Int16.self, start, stride, count) { out[$0] = Float($1) }
        case .signed(4): load(Int32.self, start, stride, count) { out[$0] = Float($1) }
        case .signed: load(Int64.self, start, stride, count) { out[$0] = Float($1) }
        case .unsigned(1): load(UInt8.self, start, stride, count) { out[$0] = Float($1) }
        case .unsigned(2): load(UInt16.self, start, stride, count) { out[$0] = Float($1) }
        case .unsigned(4): load(UInt32.self, start, stride, count) { out[$0] = Float($1) }
        case .unsigned: load(UInt64.self, start, stride, count) { out[$0] = Float($1) }
        }
    }

    /// The same numbers as integers that fit in 32 bits.
    /// - Returns: the index of the first that does not fit, or nil.
    /// - Precondition: the type is one of integers.
    func copy(from start: Int, stride: Int, count: Int, into out: UnsafeMutablePointer<Int32>) -> Int? {
        var bad: Int?
        func put(_ index: Int, _ value: some BinaryInteger) {
            if let exact = Int32(exactly: value) { out[index] = exact } else if bad == nil { bad = index }
        }
        switch type {
        case .signed(1): load(Int8.self, start, stride, count) { put($0, $1) }
        case .signed(2): load(Int16.self, start, stride, count) { put($0, $1) }
        case .signed(4): load(Int32.self, start, stride, count) { out[$0] = $1 }
        case .signed: load(Int64.self, start, stride, count) { put($0, $1) }
        case .unsigned(1): load(UInt8.self, start, stride, count) { put($0, $1) }
        case .unsigned(2): load(UInt16.self, start, stride, count) { put($0, $1) }
        case .unsigned(4): load(UInt32.self, start, stride, count) { put($0, $1) }
        case .unsigned: load(UInt64.self, start, stride, count) { put($0, $1) }
        case .float16, .float32, .float64: preconditionFailure("coordinates are integers")
        }
        return bad
    }

    /// One number in full precision.
    func double(at index: Int) -> Double {
        guard type != .float64 else {
            let bits = base.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
            return Double(bitPattern: isBigEndian ? UInt64(bigEndian: bits) : UInt64(littleEndian: bits))
        }
        var value = Float(0)
        copy(from: index, stride: 1, count: 1, into: &value)
        return Double(value)
    }

    @inline(__always) private func load<Number: FixedWidthInteger & BitwiseCopyable>(
        _: Number.Type, _ start: Int, _ stride: Int, _ count: Int, _ take: (Int, Number) -> Void
    ) {
        let size = MemoryLayout<Number>.size
        if isBigEndian {
            for index in 0..<count {
                take(
                    index,
                    Number(
                        bigEndian: base.loadUnaligned(fromByteOffset: (start + index * stride) * size, as: Number.self))
                )
            }
        } else {
            for index in 0..<count {
                take(
                    index,
                    Number(
                        littleEndian: base.loadUnaligned(
                            fromByteOffset: (start + index * stride) * size, as: Number.self)))
            }
        }
    }
}
