import ContainerCases
import SSDFCore
import SSDFVolume
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct ConformanceTests {
    private static let folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        + "/Fixtures/conformance"

    private func content(_ path: String) throws -> [UInt8] {
        let file = try FileBytes(path: path)
        return Array(file.bytes)
    }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        let file = try #require(fopen(path, "wb"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
    }

    /// Reads everything by the index.
    private func readMapped(_ bytes: [UInt8]) throws {
        let file = try VolumeFile(ConformanceFolder.fileBytes(bytes, name: ""))
        for grid in file.grids { _ = try file.read(grid, threads: 1) }
    }

    /// Reads everything front to back.
    private func readStream(_ bytes: [UInt8]) throws {
        var stream = try VolumeStream(source(of: bytes))
        while let event = try stream.next() { _ = consume event }
    }

    /// Writes the folder where the variable says; otherwise holds it to the cases.
    @Test func folderIsThatOfTheCases() throws {
        let table = try ConformanceFolder.table()
        if let target = getenv("SSDF_WRITE_CONFORMANCE").map({ String(cString: $0) }) {
            for folder in [target, target + "/valid", target + "/invalid"] { mkdir(folder, 0o755) }
            try write(Array(table.utf8), target + "/README.md")
            for item in ValidCases.all { try write(try item.make(), "\(target)/valid/\(item.name).ssdf") }
            for item in try InvalidCases.all() { try write(item.bytes, "\(target)/invalid/\(item.name).ssdf") }
        }
        #expect(String(decoding: try content(Self.folder + "/README.md"), as: UTF8.self) == table)
        #expect(!table.contains("| nothing |"))
    }

    @Test func acceptsEveryValidFile() throws {
        for item in ValidCases.all {
            let bytes = try content("\(Self.folder)/valid/\(item.name).ssdf")
            #expect(ConformanceFolder.firstProblem(bytes) == nil, "\(item.name)")
            let stored = try VolumeFile(ConformanceFolder.fileBytes(bytes, name: ""))
            let fresh = try VolumeFile(ConformanceFolder.fileBytes(try item.make(), name: ""))
            #expect(stored.grids.map(\.header) == fresh.grids.map(\.header), "\(item.name)")
            #expect(stored.ancillaryChunks == fresh.ancillaryChunks)
            for (a, b) in zip(stored.grids, fresh.grids) {
                let same = identical(try stored.read(a, threads: 1), try fresh.read(b, threads: 2))
                #expect(same, "\(item.name)")
                #expect(a.ancillaryChunks == b.ancillaryChunks)
            }
            try readStream(bytes)
        }
    }

    @Test func refusesEveryInvalidFile() throws {
        var seen: Set<String> = []
        for item in try InvalidCases.all() {
            let bytes = try content("\(Self.folder)/invalid/\(item.name).ssdf")
            #expect(seen.insert(item.name).inserted)
            // Frames of another version of zstd may differ: what is wrong with them may not.
            #expect(ConformanceFolder.firstProblem(bytes) == ConformanceFolder.firstProblem(item.bytes), "\(item.name)")
            // The range of values is not worth decoding a whole file for: the check alone compares it.
            if item.name != "wrong-minimum" {
                #expect(throws: Failure.self, "\(item.name)") { try readMapped(bytes) }
            }
            #expect(throws: Failure.self, "\(item.name)") { try readStream(bytes) }
        }
        #expect(seen.count >= 30)
    }
}

/// A source that hands out bytes in awkward pieces.
func source(of bytes: [UInt8]) -> ByteSource {
    let position = Position()
    return { (buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int in
        let count = min(buffer.count, bytes.count - position.at, 1 + position.at % 977)
        buffer.copyBytes(from: bytes[position.at..<position.at + count])
        position.at += count
        return count
    }
}

private final class Position {
    var at = 0
}
