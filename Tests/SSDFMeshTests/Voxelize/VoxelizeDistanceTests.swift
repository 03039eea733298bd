import FixtureMeshes
import SSDFCore
import SSDFMesh
import SSDFVolume
import Testing

@Suite struct VoxelizeDistanceTests {
    /// Exactly the voxels within the half width are active, with distances within 10⁻⁶ of the plain answer.
    static func check(_ mesh: TriangleMesh, _ options: VoxelizeOptions, _ name: String) throws {
        let volume = try voxelize(mesh, options: options)
        let reference = DirectReference(mesh, metadata: volume.metadata)
        let unit = volume.metadata.voxelSize
        // 10⁻⁶ of the cube's half side, whatever the grid's own units.
        let allowed = 1e-6 * max(1, unit * reference.box.longestSide / 2)
        let voxels = reference.voxels(reach: options.halfWidth + 1)
        let distances = parallelMap(voxels.count, threads: 2, grain: 256) { reference.distance(voxels[$0].point) }
        var wrongActivity = 0
        var worst = 0.0
        var active = 0
        for (voxel, distance) in zip(voxels, distances) {
            let row = volume.row(of: voxel)
            // Two programs in double precision may differ on a tie.
            let tie = abs(distance - options.halfWidth) < 1e-11
            if !tie, (row != nil) != (distance <= options.halfWidth) { wrongActivity += 1 }
            guard let row else { continue }
            active += 1
            worst = max(worst, abs(abs(Double(volume.values[row])) - distance * unit))
        }
        #expect(wrongActivity == 0, "\(name)")
        #expect(active == volume.activeCount, "\(name): voxels outside the box's reach")
        #expect(worst <= allowed, "\(name)")
        #expect(volume.metadata.truncation == options.halfWidth * unit)
        let q = Float(0x1p-26)
        let isOnGrid = volume.values.array.allSatisfy {
            abs($0) <= Float(volume.metadata.truncation) && ($0 / q).rounded() * q == $0
        }
        if options.normalize { #expect(isOnGrid, "\(name): values beyond the truncation or off the quantum") }
    }

    @Test(arguments: FixtureMesh.all.map(\.name))
    func matchesThePlainAnswerOnFixtures(name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        var options = VoxelizeOptions()
        options.resolution = mesh.triangleCount > 20000 ? 16 : 24
        options.halfWidth = 3
        options.sign = .none
        try Self.check(mesh, options, name)
    }

    @Test(arguments: [16, 31, 64, 100], [1, 2.5, 8])
    func matchesThePlainAnswerAtResolutions(resolution: Int, halfWidth: Double) throws {
        var options = VoxelizeOptions()
        options.resolution = resolution
        options.halfWidth = halfWidth
        options.threads = 2
        try Self.check(.machinedPart(), options, "machined part at \(resolution)")
    }

    @Test func isIndependentOfThreads() throws {
        var options = VoxelizeOptions()
        options.resolution = 128
        let mesh = TriangleMesh.scan()
        options.threads = 1
        let one = try voxelize(mesh, options: options)
        options.threads = 2
        let two = try voxelize(mesh, options: options)
        options.threads = 7
        let seven = try voxelize(mesh, options: options)
        #expect(one.bricks.array == two.bricks.array && one.bricks.array == seven.bricks.array)
        #expect(one.masks.array == two.masks.array && one.masks.array == seven.masks.array)
        let bits = one.values.array.map(\.bitPattern)
        #expect(bits == two.values.array.map(\.bitPattern) && bits == seven.values.array.map(\.bitPattern))
    }
}
