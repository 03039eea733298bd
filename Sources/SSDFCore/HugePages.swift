#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Asks for huge pages under a large allocation that has not been touched yet. Advice only: it changes no contents.
package func adviseHugePages(_ memory: UnsafeMutableRawBufferPointer) {
    let hugePage = 2 << 20
    guard let base = memory.baseAddress, memory.count >= 2 * hugePage else { return }
    let start = (UInt(bitPattern: base) + UInt(hugePage - 1)) & ~UInt(hugePage - 1)
    let end = (UInt(bitPattern: base) + UInt(memory.count)) & ~UInt(hugePage - 1)
    guard end > start, let address = UnsafeMutableRawPointer(bitPattern: start) else { return }
    madvise(address, Int(end - start), MADV_HUGEPAGE)
}

extension Array where Element: BitwiseCopyable {
    /// An array of `count` elements that `fill` must initialise in full; large ones sit on huge pages.
    /// `fill` may hand parts to several threads.
    package init(filling count: Int, _ fill: (UnsafeMutableBufferPointer<Element>) -> Void) {
        self.init(unsafeUninitializedCapacity: count) { storage, initialized in
            adviseHugePages(UnsafeMutableRawBufferPointer(storage))
            fill(UnsafeMutableBufferPointer(rebasing: storage[..<count]))
            initialized = count
        }
    }
}
