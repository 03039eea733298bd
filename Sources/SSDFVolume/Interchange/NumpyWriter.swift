import CSSDFKernels
import SSDFCore

/// Writes a grid as an .npz archive that `numpy.load` reads without pickle: see `readNumpy` for its arrays. Memory is that of
/// a few planes.
/// - Throws: as `ExportOptions.denseBox` for a dense array; what the sink throws.
package func writeNumpy(
    _ volume: borrowing SparseVolume, options: ExportOptions, to sink: @escaping ByteSink
) throws(Failure) {
    var zip = ZipWriter(to: sink)
    let channels = volume.channels
    switch options.layout {
    case .voxels:
        try writeCoordinates(volume, options, &zip)
        let shape = channels == 1 ? [volume.activeCount] : [volume.activeCount, channels]
        try zip.beginArray("values", options.valueHeader(shape), options)
        try zip.write(UnsafeBufferPointer(start: volume.values.pointer, count: volume.values.count), options)
        try zip.end()
    case .dense:
        let box = try options.denseBox(of: volume, bytesPerVoxel: channels * (options.isHalf ? 2 : 4) + 1)
        let shape = [box.size.x, box.size.y, box.size.z]
        try zip.beginArray("values", options.valueHeader(channels == 1 ? shape : shape + [channels]), options)
        try volume.forEachSlab(of: box, order: .zFastest, threads: options.threads) { slab throws(Failure) in
            try zip.write(slab.values, options)
        }
        try zip.end()
        try zip.beginArray(
            "active", NumpyHeader(.scalar(.unsigned(bytes: 1), isBigEndian: false), shape: shape), options)
        try volume.forEachSlab(of: box, order: .zFastest, threads: options.threads) { slab throws(Failure) in
            try zip.write(UnsafeRawBufferPointer(slab.active))
        }
        try zip.end()
        var origin: [UInt8] = []
        for number in [box.low.x, box.low.y, box.low.z] { origin.append(contentsOf: number.littleEndianBytes) }
        try zip.writeArray("origin", .scalar(.signed(bytes: 4), isBigEndian: false), shape: [3], origin)
    }
    for (name, value) in volume.metadata.fields { try zip.writeField(name, value) }
    try zip.finish()
}

private func writeCoordinates(
    _ volume: borrowing SparseVolume, _ options: ExportOptions, _ zip: inout ZipWriter
) throws(Failure) {
    let type = NumpyHeader.Element.scalar(.signed(bytes: 4), isBigEndian: false)
    try zip.beginArray("coordinates", NumpyHeader(type, shape: [volume.activeCount, 3]), options)
    // A few thousand bricks at a time.
    let step = 4096
    let rows = Buffer<Int32>(uninitialized: step * 512 * 3)
    for start in stride(from: 0, to: volume.brickCount, by: step) {
        var count = 0
        for brick in start..<min(start + step, volume.brickCount) {
            let coordinate = volume.bricks.pointer[brick]
            for word in 0..<8 {
                var bits = volume.masks.pointer[brick * 8 + word]
                while bits != 0 {
                    let voxel = coordinate.voxel(atBit: word << 6 | bits.trailingZeroBitCount)
                    bits &= bits - 1
                    rows.pointer[count] = voxel.x
                    rows.pointer[count + 1] = voxel.y
                    rows.pointer[count + 2] = voxel.z
                    count += 3
                }
            }
        }
        try zip.write(UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows.pointer, count: count)))
    }
    try zip.end()
}

extension ExportOptions {
    /// The header of an array of values.
    fileprivate func valueHeader(_ shape: [Int]) -> NumpyHeader {
        NumpyHeader(.scalar(isHalf ? .float16 : .float32, isBigEndian: false), shape: shape)
    }
}

extension ZipWriter {
    fileprivate mutating func beginArray(
        _ name: String, _ header: NumpyHeader, _ options: ExportOptions
    ) throws(Failure) {
        try begin("\(name).npy", level: options.level, threads: options.threads)
        try write(bytes: header.encoded)
    }

    /// Adds values, as f16 if that is wanted.
    fileprivate mutating func write(_ values: UnsafeBufferPointer<Float>, _ options: ExportOptions) throws(Failure) {
        guard options.isHalf else { return try write(UnsafeRawBufferPointer(values)) }
        let step = 1 << 20
        let halves = Buffer<UInt16>(uninitialized: min(step, values.count))
        for start in stride(from: 0, to: values.count, by: step) {
            let count = min(step, values.count - start)
            ssdf_f32_to_f16(values.baseAddress! + start, halves.pointer, count)
            try write(UnsafeRawBufferPointer(UnsafeBufferPointer(start: halves.pointer, count: count)))
        }
    }

    /// A small array, stored as it is.
    fileprivate mutating func writeArray(
        _ name: String, _ element: NumpyHeader.Element, shape: [Int], _ bytes: [UInt8]
    ) throws(Failure) {
        try begin("\(name).npy", level: 0, threads: 1)
        try write(bytes: NumpyHeader(element, shape: shape).encoded + bytes)
        try end()
    }

    fileprivate mutating func writeField(_ name: String, _ value: MetadataField) throws(Failure) {
        let number = NumpyHeader.Element.scalar(.float64, isBigEndian: false)
        switch value {
        case .text(let text): try writeTexts(name, [text], shape: [])
        case .list(let texts): try writeTexts(name, texts, shape: [texts.count])
        case .number(let value): try writeArray(name, number, shape: [], value.bitPattern.littleEndianBytes)
        case .integer(let value):
            try writeArray(
                name, .scalar(.unsigned(bytes: 8), isBigEndian: false), shape: [], value.littleEndianBytes)
        case .transform(let transform):
            try writeArray(name, number, shape: [3, 4], transform.rows.flatMap(\.bitPattern.littleEndianBytes))
        }
    }

    private mutating func writeTexts(_ name: String, _ texts: [String], shape: [Int]) throws(Failure) {
        // NumPy has no texts without room for a letter.
        let length = max(1, texts.map(\.unicodeScalars.count).max() ?? 0)
        var bytes: [UInt8] = []
        for text in texts {
            for scalar in text.unicodeScalars { bytes += scalar.value.littleEndianBytes }
            bytes += [UInt8](repeating: 0, count: (length - text.unicodeScalars.count) * 4)
        }
        try writeArray(name, .text(length: length), shape: shape, bytes)
    }

    private mutating func write(bytes: [UInt8]) throws(Failure) {
        var failure: Failure?
        bytes.withUnsafeBytes { raw in
            do throws(Failure) { try self.write(raw) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

extension FixedWidthInteger {
    fileprivate var littleEndianBytes: [UInt8] { Swift.withUnsafeBytes(of: littleEndian) { Array($0) } }
}
