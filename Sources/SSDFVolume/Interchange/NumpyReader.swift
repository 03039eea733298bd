import SSDFCore

/// Reads a grid from an .npz or .npy file.
///
/// An .npz holds either the active voxels, as `coordinates` `[N, 3]` and `values` `[N]` or `[N, channels]`, or every voxel of
/// a box, as one array `[x, y, z]` or `[x, y, z, channels]` with, if there are, `active` of the same size and `origin`, the
/// voxel of its first element. Further arrays have the names and the values of a grid's metadata.
/// - Throws: `badData` when the file breaks a rule of its format or has no such arrays; `unavailable` when it would take
///   more memory than the options allow.
package func readNumpy(_ file: borrowing FileBytes, options: ImportOptions) throws(Failure) -> SparseVolume {
    let name = file.name
    do throws(Failure) {
        return try file.withBytes { bytes throws(Failure) in
            let arrays = try NumpyArchive(bytes, memory: options.memory)
            return try arrays.volume(options)
        }
    } catch {
        throw error.inFile(name)
    }
}

/// The arrays of a file, by name.
private struct NumpyArchive {
    private var arrays: [NumpyArray] = []
    /// Bytes of the arrays that the file holds compressed.
    private var unpackedBytes = 0

    /// - Parameter bytes: outlive the archive.
    init(_ bytes: UnsafeRawBufferPointer, memory: Int) throws(Failure) {
        guard !bytes.starts(with: NumpyHeader.magic) else {
            arrays = [try NumpyArray(bytes, name: "values")]
            return
        }
        let zip = try ZipArchive(bytes)
        var left = memory
        for entry in zip.entries {
            // Other programs may have put other things beside.
            guard entry.name.hasSuffix(".npy") else { continue }
            let name = String(entry.name.dropLast(4))
            switch entry.method {
            case .stored:
                let content = ZipArchive.storedBytes(of: entry, in: bytes)
                try ZipArchive.check(entry, content)
                arrays.append(try NumpyArray(content, name: name))
            case .deflated:
                guard entry.size <= left else {
                    throw Failure(
                        .unavailable, place: "array \"\(name)\"",
                        "\(byteText(entry.size)) unpacked, expected at most \(byteText(left)) of memory")
                }
                left -= entry.size
                unpackedBytes += entry.size
                let unpacked = UnpackedBytes(try ZipArchive.inflate(entry, in: bytes, limit: entry.size))
                arrays.append(try NumpyArray(unpacked.bytes, name: name, owner: unpacked))
            }
        }
    }

    private subscript(name: String) -> NumpyArray? { arrays.first { $0.name == name } }

    func volume(_ options: ImportOptions) throws(Failure) -> SparseVolume {
        let values = try valueArray(options)
        var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: 0)
        metadata.signMethod = .given
        var hasTransform = false
        for (name, wish) in metadata.fields {
            guard let array = self[name] else { continue }
            guard let value = try array.field(like: wish) else {
                throw .badData(
                    place: "array \"\(name)\"", "shape \(NumpyHeader.text(array.shape))", expected: wish.article)
            }
            try metadata.apply(name, value)
            if name == "index_to_world" { hasTransform = true }
        }
        metadata.kind = options.kind ?? metadata.kind
        metadata.background = options.background ?? metadata.background
        if let coordinates = self["coordinates"] {
            metadata.place(hasTransform: hasTransform, extent: 0, options)
            let voxels = try list(coordinates, values, &metadata, options)
            return try SparseVolume(metadata: metadata, voxels)
        }
        return try dense(values, &metadata, hasTransform: hasTransform, options)
    }

    /// The array that holds the values.
    private func valueArray(_ options: ImportOptions) throws(Failure) -> NumpyArray {
        let usable = arrays.filter { $0.scalars != nil }
        let names = usable.map { "\"\($0.name)\"" }.joined(separator: ", ")
        let list = names.isEmpty ? "an array of numbers" : "one of \(names)"
        if let wish = options.array {
            guard let array = usable.first(where: { $0.name == wish }) else {
                throw .badData("no array \"\(wish)\"", expected: list)
            }
            return array
        }
        if let array = usable.first(where: { $0.name == "values" }) { return array }
        let candidates = usable.filter { $0.name != "active" && (3...4).contains($0.shape.count) }
        guard candidates.count == 1 else {
            throw .badData(
                "no array \"values\" and \(candidates.count) of three or four dimensions",
                expected: "one: --array names it, \(list)")
        }
        return candidates[0]
    }

    private func list(
        _ coordinates: NumpyArray, _ values: NumpyArray, _ metadata: inout GridMetadata, _ options: ImportOptions
    ) throws(Failure) -> VoxelList {
        guard coordinates.shape.count == 2, coordinates.shape[1] == 3, let places = coordinates.scalars,
            places.type.isInteger
        else {
            throw .badData(
                place: "array \"coordinates\"", "shape \(NumpyHeader.text(coordinates.shape))",
                expected: "whole numbers of shape (N, 3)")
        }
        let count = coordinates.shape[0]
        guard (1...2).contains(values.shape.count), values.shape[0] == count, let numbers = values.scalars else {
            throw .badData(
                place: "array \"\(values.name)\"", "shape \(NumpyHeader.text(values.shape))",
                expected: "(\(count),) or (\(count), channels) as there are coordinates")
        }
        metadata.channels = values.shape.count == 2 ? values.shape[1] : 1
        try metadata.checkChannels()
        try options.foresee(unpackedBytes + VoxelList.memory(count: count, channels: metadata.channels))
        let voxels = Buffer<Int32>(uninitialized: count * 3)
        let out = Buffer<Float>(uninitialized: count * metadata.channels)
        for index in 0..<count {
            let start = index * coordinates.strides[0]
            let bad = places.copy(
                from: start, stride: coordinates.strides[1], count: 3, into: voxels.pointer + index * 3)
            if bad != nil {
                throw .badData(
                    place: "array \"coordinates\"", "row \(index) does not fit in 32 bits", expected: "voxels that do")
            }
        }
        let row = values.strides[0]
        let channel = values.shape.count == 2 ? values.strides[1] : 1
        if row == metadata.channels, channel == 1 {
            numbers.copy(from: 0, stride: 1, count: count * metadata.channels, into: out.pointer)
        } else {
            for index in 0..<count {
                numbers.copy(
                    from: index * row, stride: channel, count: metadata.channels,
                    into: out.pointer + index * metadata.channels)
            }
        }
        return VoxelList(coordinates: voxels, values: out)
    }

    private func dense(
        _ values: NumpyArray, _ metadata: inout GridMetadata, hasTransform: Bool, _ options: ImportOptions
    ) throws(Failure) -> SparseVolume {
        guard (3...4).contains(values.shape.count), let array = dense(values) else {
            throw .badData(
                place: "array \"\(values.name)\"", "shape \(NumpyHeader.text(values.shape))",
                expected: "(x, y, z) or (x, y, z, channels), or coordinates beside it")
        }
        metadata.channels = array.size.channels
        try metadata.checkChannels()
        // How many voxels are active shows as they are read.
        try options.foresee(unpackedBytes)
        var active: DenseArray?
        if let flags = self["active"] {
            guard flags.shape == Array(values.shape.prefix(3)), let own = dense(flags) else {
                throw .badData(
                    place: "array \"active\"", "shape \(NumpyHeader.text(flags.shape))",
                    expected: NumpyHeader.text(Array(values.shape.prefix(3))))
            }
            active = own
        }
        var corner = VoxelCoordinate(0, 0, 0)
        if let origin = self["origin"] {
            var position: [Int32] = [0, 0, 0]
            guard origin.shape == [3], let scalars = origin.scalars, scalars.type.isInteger,
                scalars.copy(from: 0, stride: 1, count: 3, into: &position) == nil
            else {
                throw .badData(
                    place: "array \"origin\"", "shape \(NumpyHeader.text(origin.shape))",
                    expected: "three voxel indices"
                )
            }
            corner = VoxelCoordinate(position[0], position[1], position[2])
        }
        return try array.volume(&metadata, active: active, corner: corner, hasTransform: hasTransform, options)
    }

    private func dense(_ array: NumpyArray) -> DenseArray? {
        guard let scalars = array.scalars else { return nil }
        let (shape, strides) = (array.shape, array.strides)
        let hasChannels = shape.count == 4
        return DenseArray(
            scalars: scalars, size: (shape[0], shape[1], shape[2], hasChannels ? shape[3] : 1),
            stride: (strides[0], strides[1], strides[2], hasChannels ? strides[3] : 1))
    }
}

extension DenseArray {
    /// The volume of the array, placed where the metadata says or where the options do.
    /// - Throws: `badData` when the array is empty or reaches beyond 32-bit positions, or a value is not finite.
    func volume(
        _ metadata: inout GridMetadata, active: DenseArray?, corner: VoxelCoordinate, hasTransform: Bool,
        _ options: ImportOptions
    ) throws(Failure) -> SparseVolume {
        let extents = [size.x, size.y, size.z]
        guard !extents.contains(0) else { throw .badData("an array without voxels", expected: "some") }
        let corners = [corner.x, corner.y, corner.z]
        let range = BrickCoordinate.range
        for (first, extent) in zip(corners, extents) {
            guard extent <= Int(Int32.max), range.contains(first >> 3),
                (Int(first) + extent - 1) >> 3 <= Int(range.upperBound)
            else {
                throw .badData("an array of \(extent) voxels from \(first)", expected: "positions of 32 bits")
            }
        }
        metadata.place(hasTransform: hasTransform, extent: extents.max() ?? 0, options)
        return try SparseVolume(
            metadata: metadata, self, active: active, corner: corner, threads: options.threads)
    }
}

extension GridMetadata {
    /// Where voxels lie: as the options say, else as the file does, else so that `extent` voxels fill the cube.
    mutating func place(hasTransform: Bool, extent: Int, _ options: ImportOptions) {
        if let side = options.voxelSize {
            indexToWorld = AffineTransform3(scale: side, translation: .zero)
        } else if !hasTransform, extent > 0 {
            indexToWorld = GridMetadata(name: "sdf", kind: kind, resolution: extent).indexToWorld
            if resolution == 0 { resolution = extent }
        }
    }

    /// - Throws: `badData` when no volume has so many channels.
    func checkChannels() throws(Failure) {
        guard (1...ContainerFormat.largestChannelCount).contains(channels) else {
            throw .badData("\(channels) channels", expected: "1 to \(ContainerFormat.largestChannelCount)")
        }
    }
}
