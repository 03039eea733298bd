import SSDFCore

/// How a file of another program is read, where it does not say itself.
package struct ImportOptions: Sendable {
    /// The array of an .npz that holds the values; nil for "values", or the only one that may.
    package var array: String?
    /// What values mean; nil for what the file says, else signed distances.
    package var kind: GridMetadata.Kind?
    /// The value of inactive voxels; nil for what the file says, else 0.
    package var background: Double?
    /// World units a voxel; nil for what the file says, else the array fills the cube [-1,1]³ along its longest side.
    package var voxelSize: Double?
    /// The most bytes that may be unpacked into memory.
    package var memory = Int.max
    /// Told about how many bytes reading will take, as soon as that is known and before they are taken; it may refuse.
    package var foresee: @Sendable (_ bytes: Int) throws(Failure) -> Void = { _ in }
    /// To work on; the volume does not depend on it.
    package var threads = 1

    /// The defaults.
    package init() {}
}

/// How a volume is written for another program.
package struct ExportOptions: Sendable {
    /// What an .npz holds.
    package enum Layout: String, Sendable, CaseIterable {
        /// A list of the active voxels.
        case voxels
        /// Every voxel of a box.
        case dense
    }

    /// What an .npz holds.
    package var layout = Layout.voxels
    /// Whether values are stored as f16, where the format has it.
    package var isHalf = false
    /// Whether to compress.
    package var isDeflated = true
    /// The voxels of a dense array; nil for all (`SparseVolume.denseBox`).
    package var box: VoxelBox?
    /// The most bytes that a dense array may have.
    package var memory = Int.max
    /// To compress on; the bytes do not depend on it.
    package var threads = 1

    /// The defaults.
    package init() {}

    /// The level of zlib: fast, as most of a dense array is one value.
    var level: Int { isDeflated ? 1 : 0 }
}

extension ExportOptions {
    /// The box of a volume's dense array.
    /// - Throws: `badData` when it has no voxels; `unavailable` when the array is larger than `memory`.
    func denseBox(of volume: borrowing SparseVolume, bytesPerVoxel: Int) throws(Failure) -> VoxelBox {
        guard let box = box ?? volume.denseBox else {
            throw .badData(
                place: "grid \"\(volume.metadata.name)\"", "no active voxel and no cube", expected: "a box to fill")
        }
        let (bytes, overflow) = (box.count ?? .max).multipliedReportingOverflow(by: bytesPerVoxel)
        guard !overflow, bytes <= memory else {
            let (x, y, z) = box.size
            throw Failure(
                .unavailable, place: "grid \"\(volume.metadata.name)\"",
                "a dense array of \(x)×\(y)×\(z) voxels takes \(overflow ? "more than 8 EiB" : byteText(bytes)), "
                    + "expected at most \(byteText(memory)): see --max-memory, --from and --through")
        }
        return box
    }
}
