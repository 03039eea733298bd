import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes all of `bytes`, however many calls that takes. A descriptor that another program made non-blocking is waited
/// for.
/// - Throws: `inputOutput` with the system's words. A closed pipe raises SIGPIPE first, and ends a process that did not
///   ask to ignore it.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, name: String) throws(Failure) {
    var rest = bytes[...]
    while !rest.isEmpty {
        // One call moves at most 2 GiB less a page.
        let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
        let sent = write(descriptor, part.baseAddress, part.count)
        if sent > 0 {
            rest = rest.dropFirst(sent)
        } else if errno == EAGAIN {
            var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&wait, 1, -1)
        } else if errno != EINTR {
            throw Failure(.inputOutput, file: name, "cannot write: \(systemMessage(errno))")
        }
    }
}
