import SSDFCore
import Testing

@Suite struct ReportTests {
    @Test func writesJSONInOrderAndEscaped() {
        let value = JSONValue.object([
            .init("b", .array([1, .number(0.5), .null, .bool(true)])), .init("a", "x\"\\\n\u{1}"),
            .init("n", .number(.nan)),
        ])
        #expect(value.description == #"{"b":[1,0.5,null,true],"a":"x\"\\\n\u0001","n":null}"#)
    }

    @Test func alignsTextAndKeepsUnlabelledRowsForPrograms() {
        var report = Report(title: "thing")
        report.add("count", label: "count", "3", 3)
        report.add("hidden", 4)
        report.add("long_name", label: "long name", "a\nb", "ab")
        #expect(report.text == "thing\n  count      3\n  long name  a\n             b")
        #expect(report.json.description == #"{"count":3,"hidden":4,"long_name":"ab"}"#)
    }

    @Test func writesNumbersForPeople() {
        #expect([0, 999, 1000, -1_234_567].map(grouped) == ["0", "999", "1 000", "-1 234 567"])
        #expect(byteText(999) == "999 bytes")
        #expect(byteText(9_450_000) == "9.45 MB")
        #expect([0, 1, 0.00390625, -2.5, 1e-7].map { rounded($0) } == ["0", "1", "0.00390625", "-2.5", "1e-07"])
        #expect(rounded(1.0 / 3, digits: 3) == "0.333")
        #expect(rounded(-1.274460572631142e-07) == "-1.27446e-07")
        #expect(rounded(1e-6) == "1e-06")
        #expect(rounded(1.2345678e300, digits: 3) == "1.23e+300")
        #expect(rounded(.infinity) == "inf")
    }
}
