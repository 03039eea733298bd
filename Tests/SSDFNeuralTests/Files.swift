import SSDFCore
import Testing

/// The text of a file under Fixtures.
func textOfFixture(_ name: String) throws -> String { try text(path: fixturePath(name)) }

/// A file under Fixtures.
func fixturePath(_ name: String, from file: String = #filePath) -> String {
    file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/") + "/Fixtures/"
        + name
}

func text(path: String) throws -> String {
    let file = try FileBytes(path: path)
    return String(decoding: file.bytes, as: UTF8.self)
}
