import ArgumentParser
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An amount of memory: a number and one of K, M, G, T (powers of 1024; "KiB" and "KB" mean the same), or plain bytes.
package struct ByteSize: ExpressibleByArgument, Sendable, Equatable {
    /// The amount in bytes, > 0.
    package let bytes: Int

    /// The amount that a person typed; nil when it is none, 0, or beyond 4 EiB.
    package init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number > 0 else { return nil }
        let powers = ["": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40]
        var unit = argument.dropFirst(digits.count).lowercased()
        if unit.hasSuffix("ib") {
            unit.removeLast(2)
        } else if unit.count == 2, unit.hasSuffix("b") {
            unit.removeLast()
        }
        guard let power = powers[unit] else { return nil }
        let size = (number * Double(1 << power)).rounded()
        guard size >= 1, size < 0x1p62 else { return nil }
        bytes = Int(size)
    }
}

/// Makes the system refuse this process more than `bytes` of memory of its own; an allocation beyond that ends it with exit
/// status 69. Mapped input files do not count, nor does what is reserved now without being used: stacks of threads above
/// all.
/// - Throws: `unavailable` when the limit cannot be set.
func limitMemory(to bytes: Int) throws(Failure) {
    var limit = rlimit()
    getrlimit(dataLimit, &limit)
    limit.rlim_cur = min(rlim_t(bytes + reservedMemory()), limit.rlim_max)
    guard setrlimit(dataLimit, &limit) == 0 else {
        throw Failure(.unavailable, "cannot limit memory: \(systemMessage(errno))")
    }
}
