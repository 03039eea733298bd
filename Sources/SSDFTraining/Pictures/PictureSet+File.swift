import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension PictureSet {
    /// Changes whenever equal recipes would no longer make equal sets.
    private static let version = 1

    private static func header(_ recipe: Recipe) -> [UInt8] {
        var text =
            "ssdf-pictures \(version) \(ssdfVersion) seed \(recipe.seed) \(recipe.split) \(recipe.shapes) shapes\(recipe.mirrored ? " and mirrored" : "") \(recipe.views) views"
            + " \(recipe.side) pixels \(recipe.resolution) voxels \(recipe.data)"
        while text.utf8.count < 255 { text += " " }
        return Array((text + "\n").utf8)
    }

    /// Whether a file holds the set of a recipe, whole.
    package static func isThere(_ recipe: Recipe, path: String) -> Bool {
        guard let file = try? FileBytes(path: path) else { return false }
        let expected = header(recipe)
        let found = try? file.withBytes { bytes throws(Failure) in
            bytes.count == 256 + recipe.bytes && bytes.prefix(256).elementsEqual(expected)
        }
        return found ?? false
    }

    /// Reads the set of a recipe that is there.
    package convenience init(_ recipe: Recipe, path: String) throws(Failure) {
        guard Self.isThere(recipe, path: path) else {
            throw .badData(file: path, "not the pictures of this configuration", expected: "a file that training wrote")
        }
        let pictures = Buffer<UInt8>(uninitialized: recipe.shapes * recipe.views * recipe.pictureBytes)
        let cells = Buffer<UInt64>(uninitialized: recipe.count * recipe.cellWords)
        let (first, second) = (Unchecked(pictures.pointer), Unchecked(cells.pointer))
        let (pictureBytes, cellBytes) = (pictures.count, 8 * cells.count)
        try FileBytes(path: path).withBytes { bytes throws(Failure) in
            memcpy(first.value, bytes.baseAddress! + 256, pictureBytes)
            memcpy(second.value, bytes.baseAddress! + 256 + pictureBytes, cellBytes)
        }
        self.init(recipe: recipe, pictures: pictures, cells: cells)
    }

    /// Writes the set.
    package func write(to sink: ByteSink) throws(Failure) {
        let head = Buffer(Self.header(recipe))
        try sink(UnsafeRawBufferPointer(head.unsafeElements))
        try sink(UnsafeRawBufferPointer(pictures.unsafeElements))
        try sink(UnsafeRawBufferPointer(cells.unsafeElements))
    }
}

extension PictureSet {
    /// The set of a recipe: from the file at `cache` when it is there, else made, and kept there.
    /// - Parameter data: the folder that a recipe is of; nil for one of procedural shapes.
    package static func prepared(
        _ recipe: Recipe, data: PreparedData? = nil, cache: String?, threads: Int, progress: ProgressHandler
    ) throws -> PictureSet {
        if let cache, isThere(recipe, path: cache) { return try PictureSet(recipe, path: cache) }
        let set =
            if let data {
                try PictureSet(data, recipe, threads: threads, progress: progress)
            } else {
                try PictureSet(recipe, threads: threads, progress: progress)
            }
        if let cache { try replaceFile(cache) { sink throws(Failure) in try set.write(to: sink) } }
        return set
    }
}
