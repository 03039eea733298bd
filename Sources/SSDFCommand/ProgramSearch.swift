import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where the programs of ssdf are: beside the one that runs, in its libexec folder, or on the path.
package struct ProgramSearch: Sendable {
    /// Folders in the order in which they are searched.
    package var folders: [String]

    /// A search of these folders alone.
    package init(folders: [String]) { self.folders = folders }

    /// The folders of this process.
    package static var standard: Self {
        let own = programFolder().map { [$0, "\($0)/../libexec/ssdf"] } ?? []
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return Self(folders: own + path.split(separator: ":").map(String.init))
    }

    /// The path of a program, or nil when no folder has it.
    /// - Precondition: the name is not a path.
    package func locate(_ name: String) -> String? {
        precondition(!name.contains("/"), "a name, not a path")
        for folder in folders {
            let path = "\(folder)/\(name)"
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, access(path, X_OK) == 0 else {
                continue
            }
            return path
        }
        return nil
    }
}

/// Becomes another program, in this process: its signals and its exit status are then those of this one.
/// - Parameter arguments: all of them, the program's name first.
/// - Throws: `unavailable` when the system does not start it; nothing has happened then.
package func become(_ program: String, _ arguments: [String]) throws(Failure) -> Never {
    var words = arguments.map { strdup($0) } + [nil]
    execv(program, &words)
    let code = errno
    for word in words { free(word) }
    throw Failure(.unavailable, file: program, "cannot start: \(systemMessage(code))")
}
