import SSDFCore

/// Where the voxels of a volume are with respect to a mesh.
struct VoxelGrid: Sendable {
    /// Samples along a side of the cube, or 0 when there is no cube.
    let resolution: Int
    /// Side of a voxel in world units.
    let voxelSize: Double
    let indexToWorld: AffineTransform3
    let worldToSource: AffineTransform3
    /// The mesh's coordinates → voxel index space.
    let sourceToIndex: AffineTransform3
    /// The mesh's box in index space.
    let box: Box3d
    /// World units: stored distances are multiples of it, a power of two at most 2⁻²⁶ of half the grid's longest side.
    let quantum: Double

    /// Meshes wider than this many voxels are refused: their bricks could not be counted in memory.
    static let widestMesh = 65536.0

    /// - Throws: `usage` for options out of range; `badData` for a mesh without triangles, with coordinates that are
    ///   not finite, or without extent.
    init(_ mesh: TriangleMesh, options: VoxelizeOptions) throws(Failure) {
        guard VoxelizeOptions.halfWidths.contains(options.halfWidth) else {
            throw Failure(.usage, "the half width is \(options.halfWidth) voxels, expected 1…64")
        }
        guard options.voxelSize != nil || VoxelizeOptions.resolutions.contains(options.resolution) else {
            throw Failure(.usage, "the resolution is \(options.resolution), expected 16…4096")
        }
        guard mesh.triangleCount > 0 else { throw Failure.badData("no triangles", expected: "at least one") }
        let bounds = mesh.boundingBox(threads: options.threads)
        guard bounds.minimum.isFinite, bounds.maximum.isFinite, !bounds.isEmpty else {
            throw Failure.badData("coordinates that are not finite", expected: "finite numbers")
        }
        let rotation = options.up.rotationToY
        var turned = Box3d.empty
        turned.insert(rotation(Vector3d(bounds.minimum)))
        turned.insert(rotation(Vector3d(bounds.maximum)))
        let longest = turned.longestSide
        guard longest > 0 else {
            throw Failure.badData("all triangles are in one point", expected: "a mesh with an extent")
        }
        var sourceToWorld = rotation
        var scale = 1.0
        if options.normalize {
            scale = VoxelizeOptions.normalizedSide / longest
            sourceToWorld = AffineTransform3(scale: scale, translation: turned.center * -scale).composed(
                after: rotation)
        }
        if let size = options.voxelSize {
            guard size.isFinite, size > 0, longest / size <= Self.widestMesh else {
                throw Failure(
                    .usage, "the voxel size is \(size), expected between \(longest / Self.widestMesh) and infinity")
            }
            voxelSize = size * scale
            guard voxelSize.isNormal else {
                throw Failure(.usage, "the voxel size is \(size), expected a size that the mesh can be divided by")
            }
            resolution = options.normalize ? max(1, Int((2 / voxelSize).rounded(.up))) : 0
        } else {
            resolution = options.resolution
            voxelSize = 2 / Double(resolution)
        }
        let hasCube = options.normalize || options.voxelSize == nil
        indexToWorld = AffineTransform3(scale: voxelSize, translation: hasCube ? [-1, -1, -1] : .zero)
        guard let worldToSource = sourceToWorld.inverse, let worldToIndex = indexToWorld.inverse else {
            throw Failure.badData("an extent of \(longest)", expected: "one that double precision can scale")
        }
        self.worldToSource = worldToSource
        sourceToIndex = worldToIndex.composed(after: sourceToWorld)
        var box = Box3d.empty
        box.insert(sourceToIndex(Vector3d(bounds.minimum)))
        box.insert(sourceToIndex(Vector3d(bounds.maximum)))
        self.box = box
        guard box.longestSide <= Self.widestMesh, box.minimum.min() > -0x1p29, box.maximum.max() < 0x1p29 else {
            throw Failure.badData(
                "a mesh \(Int(min(box.longestSide, 1e15))) voxels wide at \(box.minimum)",
                expected:
                    "at most \(Int(Self.widestMesh)) voxels, near the grid's origin: normalise it or use larger voxels"
            )
        }
        let half = hasCube ? 1 : longest / 2
        quantum = Double(sign: .plus, exponent: half.exponent - 26, significand: 1)
    }
}
