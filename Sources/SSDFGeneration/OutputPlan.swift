import ArgumentParser
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where the results of pictures go: one picture's to the path that was named; those of several, or of any number where
/// the path is a folder, to files of the pictures' names in it.
package struct OutputPlan: Sendable {
    /// One for each picture, in order.
    package let paths: [String]
    /// The folder that has to be there, if any.
    private let folder: String?

    /// - Parameters:
    ///   - suffix: of files in a folder, without its dot.
    ///   - option: by which a person named the output, for messages.
    /// - Throws: `ValidationError` when several pictures have one output, or would have.
    package init(_ inputs: [String], output: String, suffix: String, option: String = "-o") throws {
        let isFolder = inputs.count > 1 || output.hasSuffix("/") || Self.isFolder(output)
        guard isFolder else {
            paths = [output]
            folder = nil
            return
        }
        if output == "-" { throw ValidationError("several pictures need a folder, \(option)") }
        var base = output
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        var owners: [String: String] = [:]
        for input in inputs {
            if input == "-" { throw ValidationError("standard input has no name for a file in \(base)") }
            let name = input.split(separator: "/").last.map(String.init) ?? input
            let stem = name.lowercased().hasSuffix(".png") ? String(name.dropLast(4)) : name
            let path = "\(base)/\(stem).\(suffix)"
            if let other = owners.updateValue(input, forKey: path) {
                throw ValidationError("\(other) and \(input) would both become \(path)")
            }
        }
        paths = inputs.map { input in owners.first { $0.value == input }!.key }
        folder = base
    }

    /// Makes the folder where it is missing.
    /// - Throws: `cannotCreate`.
    package func makeFolder() throws(Failure) {
        guard let folder, !Self.isFolder(folder) else { return }
        guard mkdir(folder, 0o777) == 0 else {
            throw Failure(.cannotCreate, file: folder, "cannot create: \(systemMessage(errno))")
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
