import CSSDFKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Takes bytes in order. Throws when they cannot be written.
package typealias ByteSink = (UnsafeRawBufferPointer) throws(Failure) -> Void

/// Fills a buffer from the front and returns how many bytes it put there; 0 at the end of the input.
package typealias ByteSource = (UnsafeMutableRawBufferPointer) throws(Failure) -> Int

/// The bytes of a file, mapped, or of a pipe, read to its end.
package struct FileBytes: ~Copyable, @unchecked Sendable {
    /// Valid while this value lives. A stored file lives as long as its owner; a local one may be given up after its
    /// last use, which reading this property can be: work on its bytes inside `withBytes`.
    package let bytes: UnsafeRawBufferPointer
    /// The name for messages: the path as given, or "standard input".
    package let name: String
    private let isMapped: Bool
    private let storage: UnsafeRawBufferPointer
    /// Under which number the mapping is known to the handler of SIGBUS, which a truncated file raises.
    private let mapping: Int32

    /// Opens `path`; "-" is standard input.
    /// - Throws: `noInput` when it does not exist, cannot be opened or is a directory; `inputOutput` when reading fails.
    package init(path: String) throws(Failure) {
        let name = path == "-" ? "standard input" : path
        let content = try contentOfFile(path, name: name)
        self.name = name
        isMapped = content.isMapped
        storage = content.storage
        mapping =
            content.isMapped ? ssdf_remember_mapping(content.storage.baseAddress!, content.storage.count, name) : -1
        bytes = UnsafeRawBufferPointer(rebasing: content.storage[content.offset...])
    }

    /// Bytes that are in memory already, copied.
    /// - Parameter name: what messages call them.
    package init(copying bytes: UnsafeRawBufferPointer, name: String) {
        let memory = UnsafeMutableRawBufferPointer(start: malloc(max(bytes.count, 1)), count: bytes.count)
        memory.copyMemory(from: bytes)
        self.name = name
        isMapped = false
        storage = UnsafeRawBufferPointer(memory)
        self.bytes = storage
        mapping = -1
    }

    /// Lends the bytes for the length of a call.
    package borrowing func withBytes<Result: ~Copyable>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// Lets the pages of a range leave this process's memory; they are read again when they are used again. A file that
    /// is read once from front to back so needs no more memory than the part being worked on.
    package func forget(_ range: Range<Int>) {
        guard isMapped, let base = bytes.baseAddress else { return }
        let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
        let start = (UInt(bitPattern: base + range.lowerBound) + page - 1) & ~(page - 1)
        let end = UInt(bitPattern: base + range.upperBound) & ~(page - 1)
        guard end > start, let address = UnsafeMutableRawPointer(bitPattern: start) else { return }
        madvise(address, Int(end - start), MADV_DONTNEED)
    }

    deinit {
        if isMapped {
            ssdf_forget_mapping(mapping)
            munmap(UnsafeMutableRawPointer(mutating: storage.baseAddress!), storage.count)
        } else {
            free(UnsafeMutableRawPointer(mutating: storage.baseAddress))
        }
    }
}

private func contentOfFile(
    _ path: String, name: String
) throws(Failure) -> (storage: UnsafeRawBufferPointer, offset: Int, isMapped: Bool) {
    let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(.noInput, file: name, "cannot open: \(systemMessage(errno))") }
    defer { if descriptor != 0 { close(descriptor) } }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
        throw Failure(.noInput, file: name, "cannot examine: \(systemMessage(errno))")
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
        throw Failure(.noInput, file: name, "is a directory, expected a file")
    }
    let size = Int(status.st_size)
    if status.st_mode & S_IFMT == S_IFREG, size > 0 {
        // A redirected standard input may be part way through its file.
        let offset = descriptor == 0 ? min(size, max(0, lseek(descriptor, 0, SEEK_CUR))) : 0
        let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
        if let address, address != MAP_FAILED {
            madvise(address, size, MADV_SEQUENTIAL)
            return (UnsafeRawBufferPointer(start: address, count: size), offset, true)
        }
    }
    return (try readToEnd(descriptor, name: name), 0, false)
}

/// The words of strerror(3) for an error number.
package func systemMessage(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// Everything from a descriptor, in memory from malloc.
private func readToEnd(_ descriptor: Int32, name: String) throws(Failure) -> UnsafeRawBufferPointer {
    var capacity = 1 << 16
    var count = 0
    guard var memory = malloc(capacity) else { throw Failure(.unavailable, file: name, "out of memory") }
    while true {
        if count == capacity {
            capacity *= 2
            guard let larger = realloc(memory, capacity) else {
                free(memory)
                throw Failure(.unavailable, file: name, "out of memory after \(count) bytes")
            }
            memory = larger
        }
        let got = read(descriptor, memory + count, capacity - count)
        if got == 0 { break }
        if got < 0 {
            if errno == EINTR { continue }
            let code = errno
            free(memory)
            throw Failure(.inputOutput, file: name, "cannot read: \(systemMessage(code))")
        }
        count += got
    }
    return UnsafeRawBufferPointer(start: memory, count: count)
}
