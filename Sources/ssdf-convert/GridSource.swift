import ArgumentParser
import SSDFCore
import SSDFCommand
import SSDFOpenVDB
import SSDFVolume

/// The grids of a file of any format.
struct GridSource {
    let grid: String?
    /// Whether the first grid is enough.
    let isSingle: Bool
    private(set) var options: ImportOptions
    /// The voxels to keep; nil for all.
    var box: VoxelBox?

    init(grid: String?, isSingle: Bool, options: ImportOptions) {
        self.grid = grid
        self.isSingle = isSingle
        self.options = options
    }

    /// Gives the grids that are wanted to `body`, in the file's order, with the bytes of the file.
    /// - Throws: `badData` when the file is of no known format, broken or without such a grid; `unavailable` when reading
    ///   takes more memory than there may be; what `body` throws.
    mutating func forEachGrid(
        in path: String, session: Session, _ body: (borrowing SparseVolume, _ fileBytes: Int) throws -> Void
    ) throws {
        let file = try FileBytes(path: path)
        let hash = contentHash(file.bytes)
        let fileBytes = file.bytes.count
        let box = box
        options.foresee = { bytes throws(Failure) in
            try session.foresee("reading", MemoryEstimate(bytes: bytes, mapped: fileBytes), file: path)
        }
        func give(_ volume: consuming SparseVolume) throws {
            var volume = volume
            if let box { volume = volume.clipped(from: box.low, through: box.high) }
            // What came from a program that names neither.
            if volume.metadata.tool.isEmpty {
                volume.metadata.tool = "\(Convert.toolName) \(ssdfVersion)"
                volume.metadata.sourceHash = hash
            }
            try body(volume, fileBytes)
        }
        switch VolumeFormat(contentOf: file.bytes) {
        case .ssdf: try readContainer(VolumeFile(file), give)
        case .npz: try give(checked(readNumpy(file, options: options), file.name))
        case .nrrd: try give(checked(readNRRD(file, options: options), file.name))
        case .vdb: try readOpenVDB(file, warn: { session.warn("\(path): \($0)") }, give)
        case nil:
            throw Failure.badData(
                file: file.name, "no volume of a known format", expected: ".ssdf, .npz, .nrrd or .vdb")
        }
    }

    private func readContainer(
        _ file: consuming VolumeFile, _ give: (consuming SparseVolume) throws -> Void
    ) throws {
        let grids = try grid != nil || isSingle ? [file.grid(named: grid)] : file.grids
        guard !grids.isEmpty else { throw Failure.badData(file: file.name, "no grid", expected: "at least one") }
        for stored in grids {
            guard let box else {
                try options.foresee(stored.byteCount)
                try give(file.read(stored, threads: options.threads))
                continue
            }
            try give(file.read(stored, from: box.low, through: box.high, threads: options.threads))
        }
    }

    private func readOpenVDB(
        _ file: borrowing FileBytes, warn: (String) -> Void, _ give: (consuming SparseVolume) throws -> Void
    ) throws {
        var reader = try OpenVDBReader(file, memory: options.memory)
        var count = 0
        var others: [String] = []
        while let event = try reader.next() {
            switch consume event {
            case .skipped(let name, let reason):
                others.append(name)
                guard grid == nil || grid == name else { continue }
                warn("grid \"\(name)\" is left out: it is \(reason)")
            case .grid(let volume):
                let name = volume.metadata.name
                guard grid == nil || grid == name, !isSingle || count == 0 else {
                    others.append(name)
                    continue
                }
                count += 1
                try give(volume)
            }
        }
        guard count == 0 else { return }
        let names = others.map { "\"\($0)\"" }.joined(separator: ", ")
        throw Failure.badData(
            file: file.name, grid.map { "no grid \"\($0)\" of numbers" } ?? "no grid of numbers",
            expected: others.isEmpty ? "one" : "one beside \(names)")
    }

    /// A file of one grid has it by any name, unless one is asked for.
    private func checked(_ volume: consuming SparseVolume, _ file: String) throws -> SparseVolume {
        if let grid, volume.metadata.name != grid {
            throw Failure.badData(file: file, "no grid \"\(grid)\"", expected: "\"\(volume.metadata.name)\"")
        }
        return volume
    }
}

extension VolumeFormat: ExpressibleByArgument {}
extension ExportOptions.Layout: ExpressibleByArgument {}
extension ValueType: NamedChoice {}
extension GridMetadata.Kind: NamedChoice {}

extension VoxelCoordinate: ExpressibleByArgument {
    /// The position that a person typed: three whole numbers of 32 bits between commas.
    public init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
        guard numbers.count == 3, let x = numbers[0], let y = numbers[1], let z = numbers[2] else { return nil }
        self.init(x, y, z)
    }
}
