import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Replaces a file as a whole, or not at all: it is written beside its place, then renamed. A signal leaves nothing.
/// - Parameter body: gives its bytes to a sink.
/// - Throws: `cannotCreate`, `inputOutput`; what `body` throws.
func replaceFile(_ path: String, _ body: (@escaping ByteSink) throws(Failure) -> Void) throws(Failure) {
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    let unique = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    let beside = "\(path[..<slash]).\(path[slash...]).\(getpid())-\(unique)\(SampleFolder.suffix)"
    let temporary = Temporary(path: beside)
    defer { withExtendedLifetime(temporary) {} }
    do throws(Failure) {
        _ = try writeNewFile(beside, name: path, body)
        guard rename(beside, path) == 0 else {
            throw Failure(.inputOutput, file: path, "cannot write: \(systemMessage(errno))")
        }
    } catch {
        unlink(beside)
        throw error
    }
}

/// Replaces a file by a text.
func replaceFile(_ path: String, with text: String) throws(Failure) {
    let bytes = Buffer(Array(text.utf8))
    try replaceFile(path) { sink throws(Failure) in try sink(UnsafeRawBufferPointer(bytes.unsafeElements)) }
}

/// Writes a file that is not there yet, and returns its size.
/// - Parameters:
///   - name: what errors call it.
///   - body: gives its bytes to a sink.
func writeNewFile(
    _ path: String, name: String, _ body: (@escaping ByteSink) throws(Failure) -> Void
) throws(Failure) -> Int {
    guard let file = fopen(path, "wxe") else {
        throw Failure(.cannotCreate, file: name, "cannot create: \(systemMessage(errno))")
    }
    let stream = Unchecked(file)
    var isOpen = true
    defer { if isOpen { fclose(file) } }
    try body { bytes throws(Failure) in
        guard fwrite(bytes.baseAddress, 1, bytes.count, stream.value) == bytes.count || bytes.isEmpty else {
            throw Failure(.inputOutput, file: name, "cannot write: \(systemMessage(errno))")
        }
    }
    let size = ftell(file)
    isOpen = false
    guard size >= 0, fclose(file) == 0 else {
        throw Failure(.inputOutput, file: name, "cannot write: \(systemMessage(errno))")
    }
    return size
}
