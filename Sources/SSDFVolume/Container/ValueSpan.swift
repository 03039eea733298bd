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
        var low = SIMD16<Float>(repeating: .infinity)
        var high = SIMD16<Float>(repeating: -.infinity)
        var index = 0
        while index + 16 <= count {
            let row = UnsafeRawPointer(values + index).loadUnaligned(as: SIMD16<Float>.self)
            // Comparisons with a NaN are false: it leaves both as they are.
            low.replace(with: row, where: row .< low)
            high.replace(with: row, where: row .> high)
            index += 16
        }
        var (lowest, highest) = (low.min(), high.max())
        while index < count {
            lowest = values[index] < lowest ? values[index] : lowest
            highest = values[index] > highest ? values[index] : highest
            index += 1
        }
        minimum = min(minimum, Double(lowest))
        maximum = max(maximum, Double(highest))
    }

    /// Differences are exact: both numbers and their distance fit a double.
    mutating func addErrors(given: UnsafePointer<Float>, stored: UnsafePointer<Float>, _ count: Int) {
        var largest = 0.0
        for index in 0..<count {
            let error = abs(Double(stored[index]) - Double(given[index]))
            largest = error > largest ? error : largest
        }
        errorBound = max(errorBound, largest)
    }
}
