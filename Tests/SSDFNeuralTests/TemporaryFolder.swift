import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A folder that is removed with what is in it.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/ssdf-neural-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit { _ = system("rm -rf '\(path)'") }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try #require(fopen("\(path)/\(name)", "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
    }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }
}
