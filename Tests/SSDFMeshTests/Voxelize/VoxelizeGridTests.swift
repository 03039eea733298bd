import FixtureMeshes
import SSDFCore
import SSDFMesh
import SSDFVolume
import Testing

/// Where the voxels of a volume are: size, place and orientation of the grid.
@Suite struct VoxelizeGridTests {
    static func part() -> TriangleMesh {
        // Off the origin, and no two sides alike.
        TriangleMesh.box(size: [1, 0.6, 0.3], center: [0.2, -0.1, 0.4], divisions: 2)
    }

    @Test func withoutNormalizingCoordinatesStay() throws {
        var options = VoxelizeOptions()
        options.resolution = 32
        options.normalize = false
        let volume = try voxelize(Self.part(), options: options)
        #expect(volume.metadata.indexToWorld == AffineTransform3(scale: 2.0 / 32, translation: [-1, -1, -1]))
        #expect(volume.metadata.worldToSource(Vector3d(0.3, -0.2, 0.1)) == Vector3d(0.3, -0.2, 0.1))
        // A voxel at (0.1875, -0.125, 0.4375): the nearest face is that at z = 0.55.
        let found = volume.row(of: VoxelCoordinate(19, 14, 23))
        let row = try #require(found)
        #expect(abs(volume.values[row] + 0.1125) < 1e-6)
        try VoxelizeDistanceTests.check(Self.part(), options, "not normalised")
    }

    @Test func normalizingCentresTheBox() throws {
        var options = VoxelizeOptions()
        options.resolution = 64
        let volume = try voxelize(Self.part(), options: options)
        let center = volume.metadata.worldToSource(.zero)
        #expect((center - Vector3d(0.2, -0.1, 0.4)).length < 1e-6)
        let end = volume.metadata.worldToSource(Vector3d(0.95, 0, 0))
        #expect((end - Vector3d(0.7, -0.1, 0.4)).length < 1e-6)
    }

    @Test func voxelSizeIsInTheMeshsUnits() throws {
        var options = VoxelizeOptions()
        options.voxelSize = 0.05
        let normalized = try voxelize(Self.part(), options: options)
        // The longest side of 1 becomes 1.9 of the cube's units.
        #expect(abs(normalized.metadata.voxelSize - 0.095) < 1e-7)
        #expect(normalized.metadata.resolution == Int((2 / 0.095).rounded(.up)))
        try VoxelizeDistanceTests.check(Self.part(), options, "by voxel size")
        options.normalize = false
        let placed = try voxelize(Self.part(), options: options)
        #expect(placed.metadata.indexToWorld == AffineTransform3(scale: 0.05, translation: .zero))
        try VoxelizeDistanceTests.check(Self.part(), options, "by voxel size, not normalised")
    }

    @Test(arguments: UpAxis.allCases)
    func upTurnsAnAxisToY(up: UpAxis) throws {
        var options = VoxelizeOptions()
        options.resolution = 48
        options.up = up
        let volume = try voxelize(Self.part(), options: options)
        var turned = Self.part()
        turned.transform(by: up.rotationToY)
        options.up = .y
        let expected = try voxelize(turned, options: options)
        #expect(volume.bricks.array == expected.bricks.array && volume.masks.array == expected.masks.array)
        let differences = zip(volume.values.array, expected.values.array).map { abs($0 - $1) }
        #expect(differences.max()! < 1e-6)
        // Up in the grid is that axis of the mesh.
        let way = volume.metadata.worldToSource(Vector3d(0, 1, 0)) - volume.metadata.worldToSource(.zero)
        let axis = [UpAxis.x, .y, .z].firstIndex(of: up)!
        #expect(way.normalized[axis] > 0.999999)
    }

    @Test func refusesSizesThatMakeNoGrid() {
        var options = VoxelizeOptions()
        for size in [0, -1, .infinity, .nan, 1e-9] {
            options.voxelSize = size
            #expect(throws: Failure.self) { try voxelize(Self.part(), options: options) }
        }
        options.voxelSize = nil
        for resolution in [15, 4097] {
            options.resolution = resolution
            #expect(throws: Failure.self) { try voxelize(Self.part(), options: options) }
        }
        options.resolution = 64
        for halfWidth in [0.5, 65, .nan] {
            options.halfWidth = halfWidth
            #expect(throws: Failure.self) { try voxelize(Self.part(), options: options) }
        }
    }
}
