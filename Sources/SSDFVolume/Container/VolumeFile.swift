import SSDFCore

/// A container in memory or mapped: finds grids by the index, reads them whole or in part, groups in parallel.
package struct VolumeFile: ~Copyable, Sendable {
    private let file: FileBytes
    /// One for each grid, in the file's order.
    package let grids: [StoredGrid]
    /// Chunks that this version does not know and that belong to no grid.
    package let ancillaryChunks: [AncillaryChunk]

    /// Opens a container; "-" is standard input, read to its end.
    /// - Throws: `noInput` or `inputOutput` when it cannot be read; `badData` when signature, trailer, index or a
    ///   grid's header breaks a rule of ssdf(5). Bricks are checked when they are read.
    /// - Complexity: O(groups); no brick is read.
    package init(path: String) throws(Failure) {
        try self.init(FileBytes(path: path))
    }

    /// Opens a container whose bytes are at hand.
    package init(_ file: consuming FileBytes) throws(Failure) {
        let name = file.name
        do throws(Failure) {
            let contents = try VolumeContents(file.bytes)
            grids = contents.grids
            ancillaryChunks = contents.ancillaryChunks
        } catch {
            throw error.inFile(name)
        }
        self.file = file
    }

    /// The name for messages.
    package var name: String { file.name }
    /// Bytes of the whole file.
    package var byteCount: Int { file.bytes.count }

    /// The grid of a name; the first grid for nil.
    /// - Throws: `badData` when there is none, listing those there are.
    package func grid(named name: String? = nil) throws(Failure) -> StoredGrid {
        guard let name else {
            guard let first = grids.first else { throw .badData(file: file.name, "no grid", expected: "at least one") }
            return first
        }
        guard let grid = grids.first(where: { $0.metadata.name == name }) else {
            let names = grids.map { "\"\($0.metadata.name)\"" }.joined(separator: ", ")
            throw .badData(file: file.name, "no grid \"\(name)\"", expected: names.isEmpty ? "one" : "one of \(names)")
        }
        return grid
    }

    /// Reads a grid, its groups decoded in parallel straight into place.
    /// - Throws: `badData` at the first group that breaks a rule.
    package func read(_ grid: StoredGrid, threads: Int) throws(Failure) -> SparseVolume {
        do throws(Failure) {
            return try readGroups(grid, grid.entry.groups, bytes: file.bytes, threads: threads)
        } catch {
            throw error.inFile(file.name)
        }
    }

    /// Reads the part of a grid inside a box of voxels, both corners included; groups that do not meet it are not
    /// touched.
    /// - Throws: `badData` at the first group that meets the box and breaks a rule.
    /// - Complexity: O(groups) and what the groups that meet the box hold.
    package func read(
        _ grid: StoredGrid, from low: VoxelCoordinate, through high: VoxelCoordinate, threads: Int
    ) throws(Failure) -> SparseVolume {
        let groups = grid.entry.groups.filter { group in
            group.firstCorner.x <= high.brick.x && group.firstCorner.y <= high.brick.y
                && group.firstCorner.z <= high.brick.z && group.lastCorner.x >= low.brick.x
                && group.lastCorner.y >= low.brick.y && group.lastCorner.z >= low.brick.z
        }
        do throws(Failure) {
            let volume = try readGroups(grid, groups, bytes: file.bytes, threads: threads)
            return volume.clipped(from: low, through: high)
        } catch {
            throw error.inFile(file.name)
        }
    }
}

/// A grid of a container, before its bricks are read.
package struct StoredGrid: Sendable, Equatable {
    /// What the grid says of itself, and how it is stored.
    package var header: GridHeader
    /// Its counts, as its end states them.
    package var totals: GridTotals
    /// Where its parts lie in the file.
    package var entry: GridEntry
    /// The chunks inside the grid that this version does not know.
    package var ancillaryChunks: [AncillaryChunk]

    /// What the grid says of itself.
    package var metadata: GridMetadata { header.metadata }

    /// Bytes of the grid in memory.
    package var byteCount: Int {
        SparseVolume.byteCount(bricks: totals.brickCount, values: totals.activeCount * metadata.channels)
    }
}

/// Reads one grid of a container: the first unless one is named. "-" is standard input.
/// - Throws: see `VolumeFile`.
package func loadVolume(path: String, grid name: String? = nil, threads: Int) throws(Failure) -> SparseVolume {
    let file = try VolumeFile(path: path)
    return try file.read(file.grid(named: name), threads: threads)
}
