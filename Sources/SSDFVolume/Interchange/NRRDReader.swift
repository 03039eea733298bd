import SSDFCore

/// Reads a grid from a NRRD file: a dense array with x as its fastest axis, before which channels may be. Keys have the
/// names and the values of a grid's metadata; `origin` is the voxel of the first number.
/// - Throws: `badData` when the file breaks a rule of its format; `unavailable` when it would take more memory than the
///   options allow.
package func readNRRD(_ file: borrowing FileBytes, options: ImportOptions) throws(Failure) -> SparseVolume {
    let name = file.name
    do throws(Failure) {
        return try file.withBytes { bytes throws(Failure) in try volume(bytes, options) }
    } catch {
        throw error.inFile(name)
    }
}

private func volume(_ bytes: UnsafeRawBufferPointer, _ options: ImportOptions) throws(Failure) -> SparseVolume {
    let header = try NRRDHeader(bytes)
    let data = UnsafeRawBufferPointer(rebasing: bytes[header.dataOffset...])
    var total = header.type.byteCount
    for size in header.sizes {
        let (product, overflow) = total.multipliedReportingOverflow(by: size)
        guard !overflow else { throw .badData("sizes \(header.sizes)", expected: "an array that fits in a file") }
        total = product
    }
    guard header.isDeflated else {
        guard data.count == total else {
            throw .badData("\(data.count) bytes of numbers", expected: "\(total) for sizes \(header.sizes)")
        }
        return try volume(header, data, options)
    }
    guard total / largestDeflateRatio <= data.count else {
        throw .badData(
            "\(total) bytes of numbers out of \(data.count)", expected: "at most \(largestDeflateRatio) times as many")
    }
    guard total <= options.memory else {
        throw Failure(
            .unavailable, "\(byteText(total)) unpacked, expected at most \(byteText(options.memory)) of memory")
    }
    try options.foresee(total)
    guard let unpacked = try inflated(data, size: total, wrapping: .gzip) else {
        throw .badData("a gzip stream that is broken or of another length", expected: "\(total) bytes of numbers")
    }
    let owner = UnpackedBytes(unpacked)
    defer { withExtendedLifetime(owner) {} }
    return try volume(header, owner.bytes, options)
}

private func volume(
    _ header: NRRDHeader, _ data: UnsafeRawBufferPointer, _ options: ImportOptions
) throws(Failure) -> SparseVolume {
    var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: 0)
    metadata.signMethod = .given
    for (name, _) in metadata.textFields {
        if let text = header.pairs[name] { try metadata.apply(text: text, to: name) }
    }
    // The standard fields count more than what was copied of them; they give the place of the first number.
    var corner = VoxelCoordinate(0, 0, 0)
    if let text = header.pairs["origin"] {
        let numbers = text.split(separator: " ").compactMap { Int32($0) }
        guard numbers.count == 3 else {
            throw .badData(place: "origin", "\"\(text)\"", expected: "three voxel indices")
        }
        corner = VoxelCoordinate(numbers[0], numbers[1], numbers[2])
    }
    if let first = header.indexToWorld {
        let offset = first.direction([Double(corner.x), Double(corner.y), Double(corner.z)])
        let placed = AffineTransform3(x: first.x, y: first.y, z: first.z, translation: first.translation - offset)
        // What this program wrote has the exact transform beside the rounded place of the first number.
        if header.pairs["index_to_world"] == nil { metadata.indexToWorld = placed }
    }
    metadata.kind = options.kind ?? metadata.kind
    metadata.background = options.background ?? metadata.background
    let sizes = header.sizes
    let channels = header.hasChannels ? sizes[0] : 1
    let (x, y, z) = (sizes[sizes.count - 3], sizes[sizes.count - 2], sizes[sizes.count - 1])
    metadata.channels = channels
    try metadata.checkChannels()
    let array = DenseArray(
        scalars: ScalarRun(base: data.baseAddress!, type: header.type, isBigEndian: header.isBigEndian),
        size: (x, y, z, channels), stride: (channels, channels * x, channels * x * y, 1))
    let hasTransform = header.indexToWorld != nil || header.pairs["index_to_world"] != nil
    return try array.volume(&metadata, active: nil, corner: corner, hasTransform: hasTransform, options)
}
