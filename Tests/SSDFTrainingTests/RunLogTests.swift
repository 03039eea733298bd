import Foundation
import SSDFCore
import SSDFTraining
import Testing

@Suite struct RunLogTests {
    private func log(_ text: String) throws -> RunLog {
        let path = "/tmp/ssdf-log-\(UInt64.random(in: 0...UInt64.max)).jsonl"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return try RunLog(path: path)
    }

    /// A run that was resumed from step 2 says steps 3 and 4 a second time.
    @Test func whatIsSaidLastCounts() throws {
        let log = try log(
            """
            {"step":1,"loss":4,"seconds":3600}
            {"step":2,"loss":3,"seconds":3600}
            {"step":3,"loss":9,"seconds":3600}
            {"step":4,"loss":9,"seconds":3600}
            {"step":3,"loss":2,"seconds":1800}

            {"step":4,"loss":1.5,"iou":0.5,"seconds":1800}
            """)
        #expect(log.steps == [1, 2, 3, 4])
        #expect(log.names == ["loss", "seconds", "iou"])
        #expect(try log.points("loss") == [[1, 4], [2, 3], [3, 2], [4, 1.5]])
        #expect(try log.points("loss", hours: true) == [[1, 4], [2, 3], [2.5, 2], [3, 1.5]])
        #expect(try log.points("iou") == [[4, 0.5]])
    }

    @Test func aLineThatIsBeingWrittenIsPassedOver() throws {
        #expect(try log("{\"step\":1,\"loss\":4}\n{\"step\":2,\"lo").steps == [1])
        #expect {
            _ = try log("{\"step\":1,\"lo\n{\"step\":2,\"loss\":1}\n")
        } throws: { "\($0)".contains("line 1, byte") }
    }

    @Test func namesWhatIsMissing() throws {
        #expect {
            _ = try log("{\"loss\":4}\n")
        } throws: { "\($0)".hasSuffix("line 1: no step, expected an object with a whole number step") }
        let short = try log("{\"step\":1,\"loss\":4}\n")
        #expect {
            _ = try short.points("iou")
        } throws: { "\($0)".hasSuffix("no number \"iou\", expected one of loss") }
        #expect(throws: Failure.self) { try short.points("loss", hours: true) }
    }
}
