import SSDFCore

/// A safetensors file, mapped: opening it reads the header alone, and a tensor's pages come in when they are used.
package struct SafetensorsFile: ~Copyable, Sendable {
    private let file: FileBytes
    /// What its header says.
    package let header: SafetensorsHeader
    private let positions: [String: Int]

    /// Opens and checks a file; "-" is standard input.
    /// - Throws: `noInput` when it cannot be opened, `badData` when it is not a well-formed safetensors file.
    package init(path: String) throws(Failure) {
        let file = try FileBytes(path: path)
        let header = try file.withBytes { bytes throws(Failure) in try headerOf(bytes, name: file.name) }
        var positions: [String: Int] = [:]
        positions.reserveCapacity(header.entries.count)
        for (index, entry) in header.entries.enumerated() { positions[entry.name] = index }
        self.file = file
        self.header = header
        self.positions = positions
    }

    /// The file as the person named it.
    package var name: String { file.name }

    /// Length of the file in bytes.
    package var byteCount: Int { file.bytes.count }

    /// All tensors, in the order of their bytes.
    package var entries: [SafetensorsEntry] { header.entries }

    /// The tensor of that name, or nil.
    package func entry(_ name: String) -> SafetensorsEntry? { positions[name].map { header.entries[$0] } }

    /// A tensor's bytes, in the mapping; valid while this file lives. They need not be aligned to the element.
    /// - Precondition: the entry is one of this file's.
    package func bytes(of entry: SafetensorsEntry) -> UnsafeRawBufferPointer {
        let start = header.dataOffset + entry.range.lowerBound
        return UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + entry.range.count])
    }

    /// Gives back the pages of a part of a tensor, when it will not be used again soon.
    package func forget(_ entry: SafetensorsEntry, _ part: Range<Int>) {
        let start = header.dataOffset + entry.range.lowerBound
        file.forget(start + part.lowerBound..<start + part.upperBound)
    }

    /// Writes a tensor's values as f32 to `destination`, which must have room for all of them.
    /// - Throws: `badData` for complex and 8-bit floating-point elements, which nothing here computes with.
    /// - Complexity: O(elements).
    package func readFloats(
        of entry: SafetensorsEntry, into destination: UnsafeMutableBufferPointer<Float>
    ) throws(Failure) {
        do {
            try convertToFloat(bytes(of: entry), type: entry.type, into: destination)
        } catch {
            throw Failure(error.cause, file: name, place: "tensor \"\(entry.name)\"", error.message)
        }
    }

    /// A tensor's values as f32.
    /// - Throws: as `readFloats(of:into:)`.
    package func floats(of entry: SafetensorsEntry) throws(Failure) -> Buffer<Float> {
        let buffer = Buffer<Float>(uninitialized: entry.elementCount)
        try readFloats(of: entry, into: buffer.unsafeElements)
        return buffer
    }
}

private func headerOf(_ bytes: UnsafeRawBufferPointer, name: String) throws(Failure) -> SafetensorsHeader {
    do {
        return try SafetensorsHeader(bytes)
    } catch {
        throw error.inFile(name)
    }
}
