import CSSDFKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Owned, 64-byte aligned storage for `count` trivial elements.
///
/// Large buffers are mapped directly and advised to use huge pages: a fresh 4 KiB page costs about 1.6 µs, ten times
/// what a huge page costs per byte, and the engine's buffers are large. Mapped memory starts as zeros; so does every
/// buffer made with `init(zeros:)`.
///
/// A buffer has one owner; it lends spans. Kernels take the raw pointer.
@usableFromInline package struct Buffer<Element: BitwiseCopyable>: ~Copyable {
    /// The first element; valid for `count` elements while the buffer lives.
    @usableFromInline package private(set) var pointer: UnsafeMutablePointer<Element>
    @usableFromInline package private(set) var count: Int
    private var mappedBytes: Int

    /// Buffers of at least this many bytes are mapped rather than taken from the heap.
    private static var mappingThreshold: Int { 1 << 20 }

    /// Storage for `count` elements with unspecified contents.
    /// - Complexity: O(1); pages are touched on first use.
    package init(uninitialized count: Int) {
        precondition(count >= 0, "a buffer cannot have a negative size")
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        precondition(!overflow, "a buffer of \(count) elements does not fit in memory")
        self.count = count
        if bytes >= Self.mappingThreshold {
            let hugePage = 2 << 20
            let size = (bytes + hugePage - 1) & ~(hugePage - 1)
            let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            guard let address, address != MAP_FAILED else { ssdf_end_without_memory(bytes) }
            madvise(address, size, MADV_HUGEPAGE)
            pointer = address.bindMemory(to: Element.self, capacity: count)
            mappedBytes = size
        } else {
            var address: UnsafeMutableRawPointer?
            guard posix_memalign(&address, 64, max(bytes, 64)) == 0, let address else {
                ssdf_end_without_memory(bytes)
            }
            pointer = address.bindMemory(to: Element.self, capacity: max(count, 1))
            mappedBytes = 0
        }
    }

    /// Storage for `count` elements, all bits zero.
    package init(zeros count: Int) {
        self.init(uninitialized: count)
        if mappedBytes == 0 { memset(pointer, 0, count * MemoryLayout<Element>.stride) }
    }

    /// A copy of the elements of an array.
    package init(_ elements: [Element]) {
        self.init(uninitialized: elements.count)
        elements.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { pointer.update(from: base, count: source.count) }
        }
    }

    deinit {
        if mappedBytes > 0 { munmap(pointer, mappedBytes) } else { free(pointer) }
    }

    /// Forgets the elements from `count` on; their pages beyond the new end go back to the system.
    package mutating func shrink(to newCount: Int) {
        precondition(newCount >= 0 && newCount <= count, "a buffer can only shrink")
        count = newCount
        guard mappedBytes > 0 else { return }
        let page = 4096
        let used = (newCount * MemoryLayout<Element>.stride + page - 1) & ~(page - 1)
        if used < mappedBytes {
            madvise(UnsafeMutableRawPointer(pointer) + used, mappedBytes - used, MADV_DONTNEED)
        }
    }

    /// Makes room for more elements; those there keep their values, the new ones are unspecified. The address changes.
    /// - Complexity: O(1) for mapped buffers, whose pages move without being copied.
    package mutating func grow(to newCount: Int) {
        precondition(newCount >= count, "a buffer cannot grow to a smaller size")
        let (bytes, overflow) = newCount.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        precondition(!overflow, "a buffer of \(newCount) elements does not fit in memory")
        if bytes <= mappedBytes {
            count = newCount
        } else if mappedBytes > 0 {
            let hugePage = 2 << 20
            let size = (bytes + hugePage - 1) & ~(hugePage - 1)
            guard let address = ssdf_remap(pointer, mappedBytes, size) else { ssdf_end_without_memory(bytes) }
            madvise(address, size, MADV_HUGEPAGE)
            pointer = address.bindMemory(to: Element.self, capacity: newCount)
            mappedBytes = size
            count = newCount
        } else {
            let larger = Buffer(uninitialized: newCount)
            larger.pointer.update(from: pointer, count: count)
            self = larger
        }
    }

    @inlinable package subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "index out of range")
            return pointer[index]
        }
        set {
            precondition(index >= 0 && index < count, "index out of range")
            pointer[index] = newValue
        }
    }

    /// The elements, read only.
    package var span: Span<Element> {
        @_lifetime(borrow self) borrowing get {
            let buffer = UnsafeBufferPointer(start: pointer, count: count)
            return unsafe _overrideLifetime(Span(_unsafeElements: buffer), borrowing: self)
        }
    }

    /// The elements as a pointer pair, for kernels and for loops that several threads share.
    @inlinable package var unsafeElements: UnsafeMutableBufferPointer<Element> {
        UnsafeMutableBufferPointer(start: pointer, count: count)
    }

    /// A copy as an array.
    package var array: [Element] { Array(unsafeElements) }
}

extension Buffer: @unchecked Sendable where Element: Sendable {}
