import FixtureMeshes
import SSDFCore
import Testing

import SSDFTensor

#if canImport(Glibc)
    import Glibc
#endif

/// A safetensors file of a header text and data.
private func file(_ header: String, data: [UInt8] = []) -> [UInt8] {
    let text = Array(header.utf8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + data
}

private func parse(_ bytes: [UInt8]) throws -> SafetensorsHeader {
    try bytes.withUnsafeBytes { try SafetensorsHeader($0) }
}

/// Why a file is refused; nil when it is accepted.
private func refusal(_ header: String, data: Int = 0) -> String? {
    do {
        _ = try parse(file(header, data: [UInt8](repeating: 0, count: data)))
        return nil
    } catch {
        return "\(error)"
    }
}

private func written(
    _ items: [SafetensorsWriter.Item], metadata: [String: String] = [:], data: (SafetensorsWriter.Item) -> [UInt8]
) throws -> [UInt8] {
    var writer = try SafetensorsWriter(items: items, metadata: metadata)
    nonisolated(unsafe) var bytes: [UInt8] = []
    let sink: ByteSink = { (piece) throws(Failure) in bytes.append(contentsOf: piece) }
    try writer.writeHeader(to: sink)
    for item in writer.items {
        let content = data(item)
        // In two pieces, one of them possibly empty.
        let middle = content.count / 2
        try content.withUnsafeBytes { try writer.write(UnsafeRawBufferPointer(rebasing: $0[..<middle]), to: sink) }
        try content.withUnsafeBytes { try writer.write(UnsafeRawBufferPointer(rebasing: $0[middle...]), to: sink) }
    }
    let isComplete = writer.isComplete()
    #expect(isComplete)
    #expect(bytes.count == writer.byteCount)
    return bytes
}

@Suite struct SafetensorsHeaderTests {
    @Test func readsNamesTypesShapesAndMetadata() throws {
        let header = try parse(
            file(
                #" {"b\u0041\ud83d\ude00\n":{"data_offsets":[0,8],"shape":[2,1],"dtype":"F32"}, "#.dropFirst()
                    + #""__metadata__":{"z":"1","a":"x\"y"},"s":{"dtype":"I64","shape":[],"data_offsets":[8,16]},"#
                    + #" "empty":{"dtype":"BF16","shape":[0,9223372036854775807],"data_offsets":[16,16]}}  "#,
                data: [UInt8](repeating: 0, count: 16)))
        #expect(header.entries.map(\.name) == ["bA😀\n", "s", "empty"])
        #expect(header.entries.map(\.type) == [.f32, .i64, .bf16])
        #expect(header.entries.map(\.shape) == [[2, 1], [], [0, .max]])
        #expect(header.entries.map(\.elementCount) == [2, 1, 0])
        #expect(header.metadata.map(\.key) == ["a", "z"])
        #expect(header.metadata.map(\.value) == ["x\"y", "1"])
    }

    @Test func refusesWhatTheFormatForbids() {
        let cases: [(header: String, data: Int, message: String)] = [
            (#"[]"#, 0, "expected {"),
            (#" {}"#, 0, "expected {"),
            (#"{}x"#, 0, "only spaces"),
            (#"{} "#, 1, "1 bytes after the last tensor"),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3, "data ends at 4"),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "1 bytes after"),
            (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "expected 8 for F32 [2]"),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "begin <= end"),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 8, "at most 2 numbers"),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}"#, 4, "[begin, end]"),
            (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "a whole number"),
            (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4, "expected ']'"),
            (#"{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}"#, 4, "leading zeros"),
            (#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}"#, 4, "below 2^63"),
            (
                #"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}"#, 4,
                "larger than any file"
            ),
            (#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}"#, 4, "dtype \"F4\", expected one of F64"),
            (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "no data_offsets"),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, 4, "key \"x\""),
            (#"{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4, "appears twice"),
            (#"{"__metadata__":{"a":1}}"#, 0, "expected '\"'"),
            (#"{"__metadata__":{"a":"1","a":"2"}}"#, 0, "appears twice"),
            (#"{"__metadata__":{},"__metadata__":{}}"#, 0, "appears twice"),
            (#"{"a":null}"#, 0, "expected '{'"),
            (#"{"\ud800":{}}"#, 0, "surrogate"),
            (#"{"\x":{}}"#, 0, "an escape of JSON"),
            ("{\"a\u{1}\":{}}", 0, "no control characters"),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}"#, 4, "expected '\"'"),
        ]
        for (header, data, message) in cases {
            let found = refusal(header, data: data)
            #expect(found?.contains(message) == true, "\(header): \(found ?? "accepted")")
        }
    }

    @Test func refusesOverlapsHolesAndDuplicates() {
        func two(_ first: String, _ second: String, name: String = "b") -> String {
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":\#(first)},"#
                + #""\#(name)":{"dtype":"F32","shape":[1],"data_offsets":\#(second)}}"#
        }
        #expect(refusal(two("[0,4]", "[4,8]"), data: 8) == nil)
        #expect(refusal(two("[4,8]", "[0,4]"), data: 8) == nil)
        #expect(refusal(two("[0,4]", "[0,4]"), data: 4)?.contains("overlaps") == true)
        #expect(refusal(two("[0,4]", "[2,6]"), data: 6)?.contains("overlaps") == true)
        #expect(refusal(two("[0,4]", "[5,9]"), data: 9)?.contains("leaves a hole") == true)
        #expect(refusal(two("[4,8]", "[8,12]"), data: 12)?.contains("leaves a hole") == true)
        #expect(refusal(two("[0,4]", "[4,8]", name: "a"), data: 8)?.contains("appears twice") == true)
    }

    @Test func refusesLyingLengths() {
        #expect(throws: Failure.self) { try parse([]) }
        #expect(throws: Failure.self) { try parse([2, 0, 0, 0, 0, 0, 0]) }
        #expect(throws: Failure.self) { try parse([0, 0, 0, 0, 0, 0, 0, 0]) }
        #expect(throws: Failure.self) { try parse([UInt8](repeating: 255, count: 64)) }
        #expect(throws: Failure.self) { try parse([3, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8)) }
        #expect(throws: Never.self) { try parse([2, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8)) }
    }

    @Test func refusesEveryTruncationAndSurvivesEveryChangedByte() throws {
        let whole = try written(
            [.init(name: "w", type: .f32, shape: [2, 3]), .init(name: "b", type: .f16, shape: [3])],
            metadata: ["format": "pt"]
        ) { [UInt8](repeating: 7, count: $0.shape.reduce($0.type.byteCount, *)) }
        for length in 0..<whole.count {
            #expect(throws: Failure.self, "length \(length)") { try parse(Array(whole[..<length])) }
        }
        for index in 0..<whole.count {
            for value in [0, 0xff, UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "9"), whole[index] ^ 1] {
                var copy = whole
                copy[index] = value
                _ = try? parse(copy)
            }
        }
    }
}

@Suite struct SafetensorsWriterTests {
    @Test func writesWhatTheReaderReads() throws {
        let items: [SafetensorsWriter.Item] = [
            .init(name: "half", type: .f16, shape: [3]),
            .init(name: "quote\"\\\u{1}é", type: .f32, shape: [2, 2]),
            .init(name: "empty", type: .f32, shape: [0, 4]),
            .init(name: "scalar", type: .f64, shape: []),
            .init(name: "mask", type: .bool, shape: [5]),
        ]
        let bytes = try written(items, metadata: ["b": "2", "a": "1"]) { item in
            [UInt8](repeating: UInt8(item.name.utf8.count), count: item.shape.reduce(item.type.byteCount, *))
        }
        let header = try parse(bytes)
        #expect(header.dataOffset % 8 == 0)
        #expect(header.entries.map(\.name) == ["scalar", "empty", "quote\"\\\u{1}é", "half", "mask"])
        for entry in header.entries {
            let item = try #require(items.first { $0.name == entry.name })
            #expect(entry.type == item.type && entry.shape == item.shape)
            #expect(entry.range.lowerBound % entry.type.byteCount == 0)
            let content = bytes[
                (header.dataOffset + entry.range.lowerBound)..<(header.dataOffset + entry.range.upperBound)]
            #expect(content.allSatisfy { $0 == UInt8(item.name.utf8.count) })
        }
        let shuffled = try written(items.reversed(), metadata: ["a": "1", "b": "2"]) { item in
            [UInt8](repeating: UInt8(item.name.utf8.count), count: item.shape.reduce(item.type.byteCount, *))
        }
        #expect(shuffled == bytes)
    }

    @Test func refusesNamesThatCannotBeStored() {
        #expect(throws: Failure.self) {
            try SafetensorsWriter(items: [
                .init(name: "a", type: .f32, shape: []), .init(name: "a", type: .f16, shape: []),
            ])
        }
        #expect(throws: Failure.self) {
            try SafetensorsWriter(items: [.init(name: "__metadata__", type: .f32, shape: [])])
        }
        #expect(throws: Failure.self) {
            try SafetensorsWriter(items: [.init(name: "a", type: .f32, shape: [.max, 2])])
        }
    }
}

@Suite struct SafetensorsFileTests {
    @Test func opensTheRecordedFiles() throws {
        guard let folder = SharedData.folder("parity") else { return }
        let file = try SafetensorsFile(path: folder + "/a_conv3d_k1.data.safetensors")
        #expect(!file.entries.isEmpty)
        for entry in file.entries where entry.type == .f32 {
            let values = try file.floats(of: entry)
            #expect(values.count == entry.shape.reduce(1, *))
            #expect(values.array.allSatisfy { $0.isFinite })
        }
    }

    @Test func namesTheFileInItsFailures() throws {
        let path = "/tmp/ssdf-safetensors-\(getpid())"
        let stream = try #require(fopen(path, "w"))
        fputs("nothing of the kind", stream)
        fclose(stream)
        defer { unlink(path) }
        do {
            _ = try SafetensorsFile(path: path)
            Issue.record("accepted")
        } catch {
            #expect(error.file == path)
            #expect(error.cause == .badData)
        }
        #expect(throws: Failure.self) { _ = try SafetensorsFile(path: path + ".missing") }
    }
}
