import CSSDFKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Memory that a worker keeps and enlarges as it goes; a fresh page costs more than most of what is done with it.
struct ScratchBuffer<Element: BitwiseCopyable>: ~Copyable {
    private(set) var pointer: UnsafeMutablePointer<Element>
    private(set) var capacity: Int
    /// Elements in use, for buffers that are appended to.
    var count = 0

    init(capacity: Int = 64) {
        self.capacity = capacity
        pointer = Self.allocate(capacity)
    }

    deinit { free(pointer) }

    /// Makes room for `wanted` elements in all; the first `count` keep their values.
    mutating func reserve(_ wanted: Int) {
        guard wanted > capacity else { return }
        let larger = max(wanted, capacity + capacity / 2)
        let moved = Self.allocate(larger)
        memcpy(moved, pointer, count * MemoryLayout<Element>.stride)
        free(pointer)
        pointer = moved
        capacity = larger
    }

    @inline(__always) mutating func append(_ element: Element) {
        if count == capacity { reserve(count + 1) }
        pointer[count] = element
        count &+= 1
    }

    private static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
        var address: UnsafeMutableRawPointer?
        let bytes = max(64, count * MemoryLayout<Element>.stride)
        guard posix_memalign(&address, 64, bytes) == 0, let address else {
            ssdf_end_without_memory(bytes)
        }
        return address.bindMemory(to: Element.self, capacity: count)
    }
}

extension ScratchBuffer: @unchecked Sendable where Element: Sendable {}
