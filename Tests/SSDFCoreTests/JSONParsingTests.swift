import SSDFCore
import Testing

@Suite struct JSONParsingTests {
    @Test func readsWhatIsWritten() throws {
        let value = JSONValue.object([
            .init("null", .null), .init("flags", [.bool(true), .bool(false)]), .init("count", -12),
            .init("size", .number(0.1)), .init("tiny", .number(-1.5e-300)),
            .init("text", "a \"quoted\" \\ line\n\ttab \u{1} \u{7f} ä 🦆"), .init("empty", .object([])),
            .init("none", []),
        ])
        #expect(try JSONValue(parsing: value.description) == value)
        #expect(try JSONValue(parsing: " \r\n\t" + value.description + "\n ") == value)
        #expect(value["count"]?.int == -12 && value["size"]?.double == 0.1 && value["count"]?.double == -12)
        #expect(value["flags"]?.elements?.count == 2 && value["absent"] == nil && value["null"]?.string == nil)
    }

    @Test func understandsEscapes() throws {
        #expect(try JSONValue(parsing: #""\u0041\u00e4\ud83e\udd86\/\b\f\n\r\t\"\\""#) == "Aä🦆/\u{8}\u{c}\n\r\t\"\\")
    }

    @Test func keepsLargeNumbersThatFit() throws {
        #expect(try JSONValue(parsing: "9223372036854775807") == .integer(.max))
        #expect(try JSONValue(parsing: "9223372036854775808") == .number(9223372036854775808))
        #expect(try JSONValue(parsing: "-0") == .integer(0))
        #expect(try JSONValue(parsing: "1E+2") == .number(100))
    }

    @Test(arguments: [
        ("", "byte 0: the end, expected a value"), ("{", "byte 1: the end, expected a key"),
        ("[1,]", "byte 3: \"]\", expected a value"), ("{\"a\" 1}", "byte 5: \"1\", expected \":\""),
        ("{\"a\":1,\"a\":2}", "byte 7: key \"a\" a second time, expected each key once"),
        ("01", "byte 1: \"1\", expected the end"), ("1.", "byte 2: the end, expected a digit"),
        ("-", "byte 1: the end, expected a digit"), ("+1", "byte 0: \"+\", expected a value"),
        ("1e999", "byte 0: 1e999, expected a number that fits 64 bits"), ("nul", "byte 3: the end, expected null"),
        ("\"a", "byte 2: the end, expected the rest of a string"), ("\"\\x\"", "byte 2: \"x\", expected an escape"),
        ("\"\\ud83e\"", "byte 7: \"\"\", expected the second half of a surrogate pair"),
        ("\"\\udd86\"", "byte 7: \"\"\", expected half of a surrogate pair before it"),
        ("\"a\nb\"", "byte 2: byte 10, expected an escaped control character"),
        ("1 2", "byte 2: \"2\", expected the end"),
        ("NaN", "byte 0: \"N\", expected a value"),
    ]) func saysWhereItIsWrong(text: String, message: String) {
        #expect {
            _ = try JSONValue(parsing: text)
        } throws: { "\($0)" == message }
    }

    @Test func everyTruncationIsRefused() throws {
        let text = #"{"a":[1,2.5e-3,"x\u00e4"],"b":{"c":null,"d":true}}"#
        let bytes = Array(text.utf8)
        for length in 0..<bytes.count {
            bytes[..<length].withUnsafeBytes { part in
                #expect(throws: Failure.self) { try JSONValue(parsing: part) }
            }
        }
    }

    @Test func refusesDepthAndBadEncoding() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: Failure.self) { try JSONValue(parsing: deep) }
        let levels = JSONValue.maximumDepth - 1
        let allowed = String(repeating: "[", count: levels) + "1" + String(repeating: "]", count: levels)
        #expect(throws: Never.self) { try JSONValue(parsing: allowed) }
        let bytes: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
        bytes.withUnsafeBytes { raw in #expect(throws: Failure.self) { try JSONValue(parsing: raw) } }
    }
}
