import CSSDFKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Owned, 64-byte aligned storage for `count` trivial elements.
///
/// Large buffers are mapped directly and advised to use huge pages: a fresh 4 KiB page costs about 1.6 µs, ten times
/// what a huge page costs per byte, and the engine's buffers are large. Only a buffer made with `init(zeros:)` is sure to
/// start as zeros.
///
/// A buffer has one owner; it lends spans. Kernels take the raw pointer.
@usableFromInline package struct Buffer<Element: BitwiseCopyable>: ~Copyable {
    /// The first element; valid for `count` elements while the buffer lives.
    @usableFromInline package private(set) var pointer: UnsafeMutablePointer<Element>
    /// Number of elements.
    @usableFromInline package private(set) var count: Int
    /// Of a mapped buffer, as the allocator counts; 0 for one on the heap.
    private var mappedBytes: Int
    /// Whether no element had a value before this buffer was made.
    private let startsZeroed: Bool

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
            var isZeroed: CInt = 0
            mappedBytes = 0
            guard let address = ssdf_map(bytes, &mappedBytes, &isZeroed) else { ssdf_end_without_memory(bytes) }
            pointer = address.bindMemory(to: Element.self, capacity: count)
            startsZeroed = isZeroed != 0
        } else {
            var address: UnsafeMutableRawPointer?
            guard posix_memalign(&address, 64, max(bytes, 64)) == 0, let address else {
                ssdf_end_without_memory(bytes)
            }
            pointer = address.bindMemory(to: Element.self, capacity: max(count, 1))
            mappedBytes = 0
            startsZeroed = false
        }
    }

    /// Storage for `count` elements, all bits zero.
    package init(zeros count: Int) {
        self.init(uninitialized: count)
        if !startsZeroed { memset(pointer, 0, count * MemoryLayout<Element>.stride) }
    }

    /// A copy of the elements of an array.
    package init(_ elements: [Element]) {
        self.init(uninitialized: elements.count)
        elements.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { pointer.update(from: base, count: source.count) }
        }
    }

    deinit {
        if mappedBytes > 0 { ssdf_unmap(pointer, mappedBytes) } else { free(pointer) }
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
            guard let address = ssdf_remap(pointer, bytes, &mappedBytes) else { ssdf_end_without_memory(bytes) }
            pointer = address.bindMemory(to: Element.self, capacity: newCount)
            count = newCount
        } else {
            let larger = Buffer(uninitialized: newCount)
            larger.pointer.update(from: pointer, count: count)
            self = larger
        }
    }

    /// The element at `index`.
    /// - Precondition: `0 <= index < count`; kernels and inner loops go by `pointer` instead.
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

/// Keeps the memory of buffers that go away for those to come, as `ssdf_keep_memory` says.
/// - Parameter heap: whether what the C library has free stays, too: for thousands of equal steps.
package func keepMemory(heap: Bool) { ssdf_keep_memory(heap ? 1 : 0) }

/// Keeps the memory of buffers that go away in `body` for those to come in it: for operations of many passes. Pages that
/// come back must be cleared, which takes a tenth of the time of such an operation.
package func keepingMemory<Result>(_ body: () -> Result) -> Result {
    ssdf_begin_keeping()
    defer { ssdf_end_keeping() }
    return body()
}

extension Buffer: @unchecked Sendable where Element: Sendable {}
