import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where a tool's data goes: a file that appears whole or not at all, or standard output.
///
/// A regular file is written as a temporary beside the target and renamed by `commit()`; until then the target is what
/// it was, whatever ends the process. A symbolic link is followed, so that the file behind it is replaced and the link
/// stays. Devices, pipes and sockets are written directly.
package final class Output {
    /// Where the bytes go before `commit()`.
    private enum Destination {
        case direct
        case temporary(path: String, target: String)
    }

    /// The name for messages: the path as given, or "standard output".
    package let name: String
    private let descriptor: Int32
    private let destination: Destination
    private let temporary: Temporary?
    private var pending: [UInt8] = []
    private var isOpen = true

    /// Small writes are gathered up to this many bytes.
    private static var pendingLimit: Int { 1 << 18 }

    /// Opens the output, so that a path that cannot be written fails before work starts.
    /// - Parameters:
    ///   - path: "-" is standard output.
    ///   - isBinary: whether the data would garble a terminal.
    /// - Throws: `usage` for binary data to a terminal; `cannotCreate` when the path is a directory or cannot be written.
    package init(path: String, isBinary: Bool = true) throws(Failure) {
        if path == "-" {
            guard !isBinary || isatty(1) == 0 else {
                throw Failure(
                    .usage, file: "standard output", "is a terminal, expected a file or a pipe; name a file with -o")
            }
            // A larger pipe means fewer changes between the two programs; it may be refused, and nothing depends on it.
            _ = fcntl(1, setPipeSize, 1 << 20)
            name = "standard output"
            descriptor = 1
            destination = .direct
            temporary = nil
            return
        }
        name = path
        let target = try resolveTarget(path)
        var status = stat()
        let exists = stat(target, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR {
            throw Failure(.cannotCreate, file: path, "is a directory, expected a file")
        }
        if exists, access(target, W_OK) != 0 {
            throw Failure(.cannotCreate, file: path, "cannot write: \(systemMessage(errno))")
        }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            descriptor = open(target, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw Failure(.cannotCreate, file: path, "cannot open: \(systemMessage(errno))")
            }
            destination = .direct
            temporary = nil
            return
        }
        let beside = temporaryPath(for: target)
        temporary = Temporary(path: beside)
        descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw Failure(.cannotCreate, file: path, "cannot create: \(systemMessage(errno))")
        }
        destination = .temporary(path: beside, target: target)
    }

    deinit { abandon() }

    /// Takes the engine's bytes.
    package var sink: ByteSink { { bytes throws(Failure) in try self.write(bytes) } }

    /// Appends bytes.
    /// - Throws: `inputOutput` when they cannot be written.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        if pending.count + bytes.count <= Self.pendingLimit {
            pending.append(contentsOf: bytes)
            return
        }
        try flush()
        if bytes.count <= Self.pendingLimit / 4 {
            pending.append(contentsOf: bytes)
        } else {
            try writeAll(bytes, to: descriptor, name: name)
        }
    }

    /// Appends text.
    package func write(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        let result: Result<Void, Failure> = bytes.withUnsafeBytes { raw in
            do throws(Failure) { return .success(try self.write(raw)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Writes what is pending and gives the output its name. Nothing may be written afterwards.
    /// - Throws: `inputOutput`; the target is then what it was before.
    package func commit() throws(Failure) {
        precondition(isOpen, "an output is committed once")
        try flush()
        guard descriptor != 1 else {
            isOpen = false
            return
        }
        isOpen = false
        let closed = close(descriptor)
        guard case .temporary(let path, let target) = destination else { return }
        // A file system may report a failed write only here.
        guard closed == 0, rename(path, target) == 0 else {
            let code = errno
            unlink(path)
            throw Failure(.inputOutput, file: name, "cannot write: \(systemMessage(code))")
        }
    }

    private func flush() throws(Failure) {
        guard !pending.isEmpty else { return }
        let bytes = pending
        pending.removeAll(keepingCapacity: true)
        let result: Result<Void, Failure> = bytes.withUnsafeBytes { raw in
            do throws(Failure) {
                return .success(try writeAll(raw, to: descriptor, name: name))
            } catch { return .failure(error) }
        }
        try result.get()
    }

    private func abandon() {
        guard isOpen, descriptor > 2 else { return }
        isOpen = false
        close(descriptor)
        if case .temporary(let path, _) = destination { unlink(path) }
    }
}

/// `F_SETPIPE_SZ`, which the C library declares for GNU sources only.
private let setPipeSize: Int32 = 1031

/// The path behind symbolic links, which need not exist yet.
private func resolveTarget(_ path: String) throws(Failure) -> String {
    var target = path
    guard !path.isEmpty else { throw Failure(.usage, "the output's name is empty, expected a path or -") }
    // The limit that path look-up itself has.
    for _ in 0..<40 {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink(target, &buffer, buffer.count - 1)
        guard length > 0 else { return target }
        let link = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if link.hasPrefix("/") {
            target = link
        } else {
            let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? ""
            target = folder + link
        }
    }
    throw Failure(.cannotCreate, file: path, "cannot open: \(systemMessage(ELOOP))")
}

/// A name beside `target` that no other process uses.
private func temporaryPath(for target: String) -> String {
    let slash = target.lastIndex(of: "/")
    let folder = slash.map { String(target[...$0]) } ?? ""
    let name = slash.map { String(target[target.index(after: $0)...]) } ?? target
    // A file name has at most 255 bytes.
    let kept = String(decoding: name.utf8.prefix(200), as: UTF8.self)
    let unique = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    return "\(folder).\(kept).\(getpid())-\(unique).partial"
}
