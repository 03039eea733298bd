import ContainerCases
import SSDFCore
import SSDFVolume
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A reader in Python that was written from ssdf(5) alone must read what this project writes.
@Suite struct StrangerTests {
    private static let script =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        + "/Fixtures/conformance/read_ssdf.py"

    /// Exit code and standard output of the script; nil when there is no python3.
    private func run(_ paths: [String]) -> (code: Int32, output: String)? {
        guard system("command -v python3 >/dev/null") == 0 else { return nil }
        let quoted = ([Self.script] + paths).map { "'\($0)'" }.joined(separator: " ")
        guard let pipe = popen("python3 \(quoted) 2>/dev/null", "r") else { return nil }
        var output: [UInt8] = []
        while case let byte = getc(pipe), byte != EOF { output.append(UInt8(truncatingIfNeeded: byte)) }
        let status = pclose(pipe)
        return (status >> 8 & 0xff, String(decoding: output, as: UTF8.self))
    }

    /// What the script should print.
    private func expected(_ bytes: [UInt8]) throws -> String {
        let file = try VolumeFile(ConformanceFolder.fileBytes(bytes, name: ""))
        var text = ""
        for grid in file.grids {
            let volume = try file.read(grid, threads: 1)
            var content: [UInt8] = []
            volume.forEachActiveVoxel { row, voxel in
                for number in [voxel.x, voxel.y, voxel.z] { content += ContainerBytes.bytes(number) }
                for channel in 0..<volume.channels {
                    content += ContainerBytes.bytes(volume.values[row * volume.channels + channel].bitPattern)
                }
            }
            let digest = content.withUnsafeBytes { contentHash($0) }.dropFirst("sha256:".count)
            let m = grid.metadata
            let fields = [
                m.name, "\(m.kind.rawValue)", "\(grid.header.dtype.rawValue)", "\(grid.header.codec.rawValue)",
                "\(m.channels)", "\(m.resolution)", "\(volume.activeCount)", "\(digest)",
            ]
            text += fields.joined(separator: "\t") + "\n"
        }
        return text
    }

    @Test func readsEveryValidFile() throws {
        var path = Array("/tmp/ssdf-stranger-XXXXXX".utf8CString)
        try #require(mkdtemp(&path) != nil)
        let folder = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let file = folder + "/case.ssdf"
        defer {
            unlink(file)
            rmdir(folder)
        }
        var read = 0
        for item in ValidCases.all {
            let bytes = try item.make()
            let stream = try #require(fopen(file, "wb"))
            fwrite(bytes, 1, bytes.count, stream)
            fclose(stream)
            guard let result = run([file]) else {
                print("note: there is no python3; the reader in Python is not tested")
                return
            }
            // 77: this Python has no Zstandard.
            guard result.code != 77 else { continue }
            #expect(result.code == 0, "\(item.name)")
            let lines = try expected(bytes)
            #expect(result.output == lines, "\(item.name)")
            read += 1
        }
        #expect(read >= 8)
    }
}
