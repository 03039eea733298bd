#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Real meshes, images and recorded cases that stand beside the checkout, not in it.
///
/// Tests use them when they are there and say so when they are not. `SSDF_SHARED` names another folder.
package enum SharedData {
    /// The folder, or nil (with a note on standard error) when there is none.
    package static func folder(_ name: String, from file: String = #filePath) -> String? {
        let root =
            getenv("SSDF_SHARED").map { String(cString: $0) }
            ?? file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
            + "/../shared"
        let path = "\(root)/\(name)"
        guard access(path, R_OK) == 0 else {
            let note = "note: \(path) is not there; what needs it is not tested\n"
            _ = note.withCString { write(2, $0, strlen($0)) }
            return nil
        }
        return path
    }

    /// Path of one real mesh, or nil when the meshes are not there.
    package static func mesh(_ name: String) -> String? { folder("meshes").map { "\($0)/\(name)" } }
}
