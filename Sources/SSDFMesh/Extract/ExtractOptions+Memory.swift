import SSDFVolume

extension ExtractOptions {
    /// Bytes that extraction takes beside the volume: the mesh, and what is kept of the cells.
    ///
    /// The triangles are estimated from the band: about three for every voxel of surface, whose number is that of the
    /// active voxels over the width of the band, which the truncation tells; a band of unknown width counts as three voxels.
    package func memory(for volume: borrowing SparseVolume) -> Int {
        let metadata = volume.metadata
        let width = 2 * metadata.truncation / metadata.voxelSize
        let surface = Double(volume.activeCount) / (width.isFinite && width >= 1 ? width : 3)
        // Bytes a triangle; half a vertex each, which a normal makes 12 bytes larger.
        let perTriangle =
            switch method {
            case .mc: 23.0
            case .dmc: 32.0
            case .dc: 27.0
            }
        return Int(3 * surface * (perTriangle + (normals ? 6 : 0)))
    }
}
