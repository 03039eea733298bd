import SSDFCore

/// What decides on which side of the surface a voxel lies.
package enum SignChoice: String, Sendable, CaseIterable {
    /// Orients the patches of the mesh, closes its holes, and takes the winding number of the result; falls back to
    /// `flood`, then to no inside at all, for meshes that enclose nothing. The grid's metadata say what was used.
    case auto
    /// Inside where the generalised winding number of the mesh as it is reaches ½.
    case winding
    /// Inside where a flood from far away does not come, the voxels at the surface being the wall. Closes gaps
    /// narrower than a voxel; orientation does not matter.
    case flood
    /// Inside where most of three axis-parallel lines cross the surface an odd number of times.
    case parity
    /// No sign: the grid holds unsigned distances.
    case none
}

/// The axis of the input that points up. The grid's up is +y.
package enum UpAxis: String, Sendable, CaseIterable {
    case x, y, z

    /// The rotation that brings this axis to +y.
    package var rotationToY: AffineTransform3 {
        switch self {
        case .x: AffineTransform3(x: [0, 1, 0], y: [-1, 0, 0], z: [0, 0, 1], translation: .zero)
        case .y: .identity
        case .z: AffineTransform3(x: [1, 0, 0], y: [0, 0, -1], z: [0, 1, 0], translation: .zero)
        }
    }
}

/// How a mesh becomes a sparse signed distance volume.
package struct VoxelizeOptions: Sendable {
    /// Samples along a side of the cube [-1, 1]³, 16…4096: sample i is at -1 + 2i/resolution.
    package var resolution = 512
    /// Side of a voxel in the mesh's own units; takes the place of `resolution`. Without normalisation the samples are
    /// then at the multiples of it.
    package var voxelSize: Double?
    /// Half width of the band in voxels, 1…64: exactly the voxels at most this far from the surface are active.
    package var halfWidth: Double = 4
    /// Whether the mesh is moved and scaled so that its longest side is 1.9 in [-1, 1]³, its box centred. Without,
    /// coordinates stay; what lies outside the cube is voxelized all the same, in bricks outside the cube.
    package var normalize = true
    /// How inside is told from outside.
    package var sign = SignChoice.auto
    /// The mesh's axis that becomes y.
    package var up = UpAxis.y
    /// To work on; the volume does not depend on it.
    package var threads = 1
    /// Told how far the work is.
    package var progress: ProgressHandler?

    /// The defaults.
    package init() {}

    /// The resolutions that may be asked for.
    package static let resolutions = 16...4096
    /// The half widths that may be asked for, in voxels.
    package static let halfWidths = 1.0...64.0
    /// Longest side of a normalised mesh, in the cube's units.
    package static let normalizedSide = 1.9
}
