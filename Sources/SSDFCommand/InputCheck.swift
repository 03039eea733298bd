import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Checks that an input can be read, without opening it: a pipe's writer would notice.
/// - Parameter path: "-" is standard input.
/// - Throws: `noInput` when there is no such file, it is a directory or may not be read; `usage` when standard input is
///   a terminal.
package func checkInput(_ path: String) throws(Failure) {
    if path == "-" {
        guard isatty(0) == 0 else {
            throw Failure(.usage, file: "standard input", "is a terminal, expected a file or a pipe")
        }
        return
    }
    var status = stat()
    guard stat(path, &status) == 0, access(path, R_OK) == 0 else {
        throw Failure(.noInput, file: path, "cannot open: \(systemMessage(errno))")
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
        throw Failure(.noInput, file: path, "is a directory, expected a file")
    }
}
