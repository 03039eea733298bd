import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder of files that appears whole or not at all: filled under another name beside its place, then renamed.
///
/// A signal, and a value that goes away without `commit`, remove it.
struct SampleFolder: ~Copyable {
    /// Where it is being filled.
    let path: String
    private let temporary: Temporary
    private var isCommitted = false

    /// - Parameters:
    ///   - parent: the folder it is to stand in.
    ///   - name: of the sample that is being made.
    /// - Throws: `cannotCreate`.
    init(in parent: String, name: String) throws(Failure) {
        let unique = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        path = "\(parent)/.\(name).\(getpid())-\(unique)\(Self.suffix)"
        temporary = Temporary(path: path)
        guard mkdir(path, 0o777) == 0 else {
            throw Failure(.cannotCreate, file: path, "cannot create: \(systemMessage(errno))")
        }
    }

    deinit {
        if !isCommitted { removeFolder(path) }
    }

    /// What the names of unfinished folders end in.
    static let suffix = ".partial"

    /// Writes a file and returns its size.
    /// - Parameter body: gives its bytes to a sink.
    func write(_ name: String, _ body: (@escaping ByteSink) throws(Failure) -> Void) throws(Failure) -> Int {
        let full = "\(path)/\(name)"
        guard let file = fopen(full, "wxe") else {
            throw Failure(.cannotCreate, file: full, "cannot create: \(systemMessage(errno))")
        }
        let stream = Unchecked(file)
        var isOpen = true
        defer { if isOpen { fclose(file) } }
        try body { bytes throws(Failure) in
            guard fwrite(bytes.baseAddress, 1, bytes.count, stream.value) == bytes.count || bytes.isEmpty else {
                throw Failure(.inputOutput, file: full, "cannot write: \(systemMessage(errno))")
            }
        }
        let size = ftell(file)
        isOpen = false
        guard size >= 0, fclose(file) == 0 else {
            throw Failure(.inputOutput, file: full, "cannot write: \(systemMessage(errno))")
        }
        return size
    }

    /// Gives the folder its name. A folder that is there already stays: equal meshes make equal samples.
    consuming func commit(as target: String) throws(Failure) {
        if rename(path, target) == 0 {
            isCommitted = true
            return
        }
        let code = errno
        guard code == EEXIST || code == ENOTEMPTY else {
            throw Failure(.inputOutput, file: target, "cannot create: \(systemMessage(code))")
        }
    }
}

/// Removes a folder and the files in it.
func removeFolder(_ path: String) {
    for name in folderEntries(path) { unlink("\(path)/\(name)") }
    rmdir(path)
}

/// The names in a folder, but for "." and ".."; none when it cannot be read.
func folderEntries(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}
