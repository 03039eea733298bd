import SSDFCore

extension ExportOptions {
    /// Bytes that writing a volume takes beside the volume itself, about: what the writers of this folder and that of
    /// containers hold at a time, and for .vdb the tree and the file, which are made whole.
    /// - Complexity: O(1).
    package func memory(for volume: borrowing SparseVolume, as format: VolumeFormat) -> Int {
        let packing = isDeflated ? threads * (8 << 20) : 0
        switch format {
        case .ssdf: return min(threads * (6 << 20), 2 * volume.byteCount) + (1 << 20)
        case .vdb: return volume.brickCount * (3 * 2048 * volume.channels + 256)
        case .npz where layout == .voxels:
            // Coordinates of so many bricks at a time.
            return packing + 12 * min(volume.activeCount, 4096 * 512)
        case .npz, .nrrd:
            guard let box = box ?? volume.denseBox else { return packing }
            let plane = box.size.y * (format == .nrrd ? box.size.x : box.size.z)
            let planes = min(8, format == .nrrd ? box.size.z : box.size.x)
            return packing + planes * plane * (4 * volume.channels + 1) + 8 * volume.brickCount
        }
    }
}
