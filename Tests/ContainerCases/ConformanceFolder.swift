import SSDFCore
import SSDFVolume

/// The table of Fixtures/conformance: what each file shows or breaks, and what readers say.
package enum ConformanceFolder {
    /// The first rule that a file breaks, as the check reports it; nil when there is none.
    package static func firstProblem(_ bytes: [UInt8]) -> String? {
        VolumeReport(checking: fileBytes(bytes, name: "")).problems.first?.description
    }

    /// Bytes as a file.
    package static func fileBytes(_ bytes: [UInt8], name: String) -> FileBytes {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: bytes)
        return FileBytes(copying: UnsafeRawBufferPointer(buffer), name: name)
    }

    /// README.md of the folder.
    package static func table() throws(Failure) -> String {
        var text = """
            # Conformance files

            Small files for whoever reads or writes the format of ssdf(5). A reader accepts every file of `valid` and
            refuses every file of `invalid`. The tests of the project hold its readers to this table; they also write it and
            the files, from `Tests/ContainerCases`, when `SSDF_WRITE_CONFORMANCE` names a folder.
            `read_ssdf.py` is a reader that was written from the page alone.

            ## valid

            | file | shows |
            |---|---|

            """
        for item in ValidCases.all { text += "| \(item.name).ssdf | \(item.shows) |\n" }
        text += """

            ## invalid

            Each breaks one rule. The last column is what `ssdf-inspect --check` says first.

            | file | the rule it breaks | place, found, expected |
            |---|---|---|

            """
        for item in try InvalidCases.all() {
            text += "| \(item.name).ssdf | \(item.breaks) | \(firstProblem(item.bytes) ?? "nothing") |\n"
        }
        return text
    }
}
