import SSDFCore

/// Writes a grid as a NRRD file with its numbers in it: a dense array of f32, x fastest, as `readNRRD` reads it and as
/// ParaView, 3D Slicer and teem do. Memory is that of a few planes.
///
/// NRRD has no active voxels: those whose value is the background, or in a grid of signed distances its mirror image, are
/// not active when the file is read.
/// - Throws: as `ExportOptions.denseBox`; what the sink throws.
/// - Precondition: `options.isHalf` is false; NRRD has no such type.
package func writeNRRD(
    _ volume: borrowing SparseVolume, options: ExportOptions, to sink: @escaping ByteSink
) throws(Failure) {
    precondition(!options.isHalf, "NRRD has no f16")
    let box = try options.denseBox(of: volume, bytesPerVoxel: volume.channels * 4)
    let header = Array(headerText(volume.metadata, box, isDeflated: options.isDeflated).utf8)
    guard options.isDeflated else {
        try header.emit(to: sink)
        try volume.forEachSlab(of: box, order: .xFastest, threads: options.threads) { slab throws(Failure) in
            try sink(UnsafeRawBufferPointer(slab.values))
        }
        return
    }
    // gzip without a name, a time or a system; deflate as a fast level makes it.
    try (header + [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]).emit(to: sink)
    var deflater = DeflateWriter(level: options.level, threads: options.threads, to: sink)
    try volume.forEachSlab(of: box, order: .xFastest, threads: options.threads) { slab throws(Failure) in
        try deflater.write(UnsafeRawBufferPointer(slab.values))
    }
    try deflater.finish()
    var trailer: [UInt8] = []
    for word in [UInt32(truncatingIfNeeded: deflater.checksum), UInt32(truncatingIfNeeded: deflater.size)] {
        withUnsafeBytes(of: word.littleEndian) { trailer.append(contentsOf: $0) }
    }
    try trailer.emit(to: sink)
}

private func headerText(_ metadata: GridMetadata, _ box: VoxelBox, isDeflated: Bool) -> String {
    let channels = metadata.channels
    let (x, y, z) = box.size
    let transform = metadata.indexToWorld
    func vector(_ v: Vector3d) -> String { "(\(v.x),\(v.y),\(v.z))" }
    let directions = [transform.x, transform.y, transform.z].map(vector).joined(separator: " ")
    let first = transform([Double(box.low.x), Double(box.low.y), Double(box.low.z)])
    var lines = [
        "NRRD0005", "# by ssdf", "type: float", "dimension: \(channels == 1 ? 3 : 4)", "space dimension: 3",
        "sizes: \(channels == 1 ? "" : "\(channels) ")\(x) \(y) \(z)",
        "space directions: \(channels == 1 ? "" : "none ")\(directions)",
        "kinds: \(channels == 1 ? "" : "list ")domain domain domain", "endian: little",
        "encoding: \(isDeflated ? "gzip" : "raw")", "space origin: \(vector(first))",
    ]
    if !metadata.unit.isEmpty {
        let unit = metadata.unit.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        lines.append(
            "space units: " + Array(repeating: "\"\(NRRDHeader.escaped(unit))\"", count: 3).joined(separator: " "))
    }
    lines.append("origin:=\(box.low.x) \(box.low.y) \(box.low.z)")
    for (name, text) in metadata.textFields { lines.append("\(name):=\(NRRDHeader.escaped(text))") }
    return lines.joined(separator: "\n") + "\n\n"
}
