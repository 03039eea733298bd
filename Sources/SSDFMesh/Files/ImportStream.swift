#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import SSDFCore

/// What an importer sends, read with a deadline.
package struct ImportStream: ~Copyable {
    /// Read from, and left open.
    let descriptor: Int32
    private let deadline: Double
    /// Whether the time was over before the stream was.
    private(set) var isLate = false

    /// - Parameter seconds: until reading fails.
    package init(descriptor: Int32, seconds: Double) {
        self.descriptor = descriptor
        deadline = monotonicSeconds() + seconds
    }

    /// The next `count` elements of the stream.
    /// - Throws: `badData` when the stream ends before, or the time is over.
    mutating func read<Element: BitwiseCopyable>(_ count: Int, of: Element.Type) throws(Failure) -> [Element] {
        try [Element](upTo: count) { storage throws(Failure) in
            let bytes = UnsafeMutableRawBufferPointer(storage)
            let size = count * MemoryLayout<Element>.stride
            var received = 0
            while received < size {
                let wait = deadline - monotonicSeconds()
                guard wait > 0 else {
                    isLate = true
                    throw .badData("no answer from the importer in time", expected: "a mesh")
                }
                var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard Glibc.poll(&poll, 1, Int32(min(1000 * wait + 1, 1e6))) > 0 else { continue }
                let got = Glibc.read(descriptor, bytes.baseAddress! + received, size - received)
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else {
                    throw Failure(.inputOutput, "cannot read what the importer sends: \(systemMessage(errno))")
                }
                guard got > 0 else {
                    throw .badData("the importer stopped in the middle of its answer", expected: "a mesh")
                }
                received += got
            }
            return count
        }
    }
}

/// Seconds of a clock that nobody sets.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
