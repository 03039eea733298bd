import RandomModels
import SSDFCore
import Testing

private func refusal(_ bytes: [UInt8]) -> String? {
    do {
        _ = try bytes.withUnsafeBytes { try ZipArchive($0) }
        return nil
    } catch {
        return "\(error)"
    }
}

/// An archive of two members, changed at a place relative to a signature.
private func changed(
    _ signature: UInt32, _ number: Int = 0, at offset: Int, to value: [UInt8], names: [String] = ["one", "two"]
) -> [UInt8] {
    var zip = ZipBuilder()
    for name in names { zip.add(name, Array("content of \(name)".utf8)) }
    var bytes = zip.finish()
    var found = -1
    var position = 0
    while position + 4 <= bytes.count {
        if Array(bytes[position..<position + 4]) == le(signature) {
            found += 1
            if found == number { break }
        }
        position += 1
    }
    bytes.replaceSubrange(position + offset..<position + offset + value.count, with: value)
    return bytes
}

private let local: UInt32 = 0x0403_4b50
private let central: UInt32 = 0x0201_4b50
private let end: UInt32 = 0x0605_4b50

@Suite struct ZipArchiveTests {
    @Test func readsMembersAndComments() throws {
        var zip = ZipBuilder()
        zip.add("a/b", [1, 2, 3])
        zip.add("empty", [])
        var bytes = zip.finish()
        bytes.replaceSubrange(bytes.count - 2..<bytes.count, with: le(UInt16(7)) + Array("comment".utf8))
        let archive = try bytes.withUnsafeBytes { try ZipArchive($0) }
        #expect(archive.entries.map(\.name) == ["a/b", "empty"])
        #expect(archive["a/b"]?.size == 3)
        #expect(archive["nothing"] == nil)
        #expect(refusal(ZipBuilder().finish()) == nil)
    }

    @Test func refusesContradictions() {
        let cases: [([UInt8], String)] = [
            (changed(local, 1, at: 26, to: le(UInt16(2))), "names another member"),
            (changed(local, 1, at: 8, to: le(UInt16(8))), "names another member"),
            (changed(local, 0, at: 14, to: le(UInt32(1))), "other sizes or another checksum"),
            (changed(local, 0, at: 18, to: le(UInt32(1))), "other sizes or another checksum"),
            (changed(local, 0, at: 0, to: [0]), "no local header"),
            (changed(central, 0, at: 24, to: le(UInt32(1))), "1 bytes stored in 14"),
            (changed(central, 0, at: 20, to: le(UInt32(500)) + le(UInt32(500))), "other sizes or another checksum"),
            (changed(central, 0, at: 10, to: le(UInt16(12))), "compression method 12"),
            (changed(central, 0, at: 8, to: le(UInt16(1))), "encrypted"),
            (changed(central, 0, at: 42, to: le(UInt32(0x7fff_ffff))), "it starts at 2147483647"),
            (changed(central, 0, at: 28, to: le(UInt16(0xffff))), "expected 65535"),
            (changed(central, 1, at: 0, to: [0]), "expected that of member 2"),
            (changed(end, 0, at: 8, to: le(UInt16(1)) + le(UInt16(1))), "after its last member"),
            (changed(end, 0, at: 8, to: le(UInt16(3)) + le(UInt16(3))), "3 members in"),
            (changed(end, 0, at: 8, to: le(UInt16(1))), "split over several files"),
            (changed(end, 0, at: 16, to: le(UInt32(1))), "expected one that ends at"),
            (changed(end, 0, at: 10, to: le(UInt16.max)), "missing"),
            (changed(end, 0, at: 20, to: le(UInt16(1))), "no zip directory"),
            (changed(local, at: 0, to: [], names: ["same", "same"]), "two members \"same\""),
            (Array("junk".utf8) + changed(local, at: 0, to: []), "expected one that ends at"),
        ]
        for (bytes, message) in cases {
            let found = refusal(bytes)
            #expect(found?.contains(message) == true, "\(message): \(found ?? "accepted")")
        }
    }

    @Test func refusesOverlap() {
        // A member whose content is itself a member that the directory names too.
        var inner = ZipBuilder()
        inner.add("inner", [1, 2, 3, 4])
        var outer = ZipBuilder()
        outer.add("outer", inner.bytes)
        let start = outer.bytes.count - inner.bytes.count
        outer.directory += inner.directory[..<42] + le(UInt32(start)) + Array("inner".utf8)
        outer.count = 2
        #expect(refusal(outer.finish())?.contains("it overlaps \"outer\"") == true)
    }

    @Test func refusesBombsBeforeUnpacking() {
        let bomb = changed(central, 0, at: 10, to: le(UInt16(8)))
        var bytes = bomb
        // Both headers agree on a content a million times as large.
        for (signature, offset) in [(local, 22), (central, 24)] {
            for position in 0..<bytes.count - 4 where Array(bytes[position..<position + 4]) == le(signature) {
                bytes.replaceSubrange(position + offset..<position + offset + 4, with: le(UInt32(14_000_000)))
                break
            }
        }
        #expect(refusal(bytes)?.contains("expected at most 1032 times as many") == true)
    }
}
