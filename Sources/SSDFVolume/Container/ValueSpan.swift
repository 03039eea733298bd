import CSSDFKernels

/// What stored values span, and how far they are from those that were given.
struct ValueSpan {
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var errorBound = 0.0

    mutating func merge(_ other: Self) {
        minimum = min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
        errorBound = max(errorBound, other.errorBound)
    }

    mutating func add(_ values: UnsafePointer<Float>, _ count: Int) {
        var (low, high) = (Float(0), Float(0))
        ssdf_value_range_with(ssdf_isa(), values, count, &low, &high)
        minimum = min(minimum, Double(low))
        maximum = max(maximum, Double(high))
    }

    mutating func addErrors(given: UnsafePointer<Float>, stored: UnsafePointer<Float>, _ count: Int) {
        errorBound = max(errorBound, ssdf_largest_difference_with(ssdf_isa(), given, stored, count))
    }
}
