#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A race that Tests/Threads/run expects ThreadSanitizer to find before it believes it: two threads write a number without
/// a lock.
@main enum Race {
    static func main() {
        let number = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        number.initialize(to: 0)
        var other = pthread_t()
        let failure = pthread_create(
            &other, nil,
            { @Sendable number in
                number!.assumingMemoryBound(to: Int.self).pointee += 1
                return nil
            }, number)
        guard failure == 0 else { exit(1) }
        number.pointee += 1
        pthread_join(other, nil)
        print(number.pointee)
    }
}
