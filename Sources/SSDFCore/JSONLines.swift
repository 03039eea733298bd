/// Calls `body` with every line of a file of JSON lines; empty lines are passed over.
///
/// - Parameters:
///   - toleratesCut: whether a last line without a line feed that does not parse is passed over too: a program may be in
///     the middle of writing it.
///   - body: is given the line's number, from 1, and its value.
/// - Throws: `noInput` and `inputOutput` as `FileBytes`; `badData` with the file and the line; what `body` throws.
package func forEachJSONLine(
    of path: String, toleratesCut: Bool = false, _ body: (_ line: Int, JSONValue) throws(Failure) -> Void
) throws(Failure) {
    let file = try FileBytes(path: path)
    let name = file.name
    try file.withBytes { bytes throws(Failure) in
        var start = 0
        var number = 0
        while start < bytes.count {
            number += 1
            let rest = bytes[start...]
            let end = rest.firstIndex(of: 0x0A) ?? bytes.count
            let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            start = end + 1
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
            let value: JSONValue
            do throws(Failure) {
                value = try JSONValue(parsing: line)
            } catch {
                if toleratesCut, end == bytes.count { return }
                var failure = error
                failure.file = name
                failure.place = "line \(number), \(error.place)"
                throw failure
            }
            try body(number, value)
        }
    }
}
