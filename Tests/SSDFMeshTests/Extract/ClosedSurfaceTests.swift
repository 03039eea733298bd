import FixtureMeshes
import SSDFCore
import SSDFMesh
import SSDFVolume
import Testing

/// Surfaces that ran out of their bricks, continued.
@Suite struct ClosedSurfaceTests {
    private static let side = 64
    private static let unit: Float = 4 * 2 / 64

    /// The whole bricks of a field that `keeps` says, those within the band; values clamped to ±4 voxels.
    private static func volume(
        iso: Double = 0, _ field: (Float, Float, Float) -> Float, keeps: (BrickCoordinate) -> Bool
    ) -> SparseVolume {
        var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: side)
        metadata.truncation = Double(unit)
        metadata.background = Double(unit)
        metadata.isoValue = iso
        var voxels: [VoxelCoordinate] = []
        var values: [Float] = []
        for x in 0..<Int32(side / 8) {
            for y in 0..<Int32(side / 8) {
                for z in 0..<Int32(side / 8) {
                    let brick = BrickCoordinate(x, y, z)
                    let all = (0..<512).map { bit -> Float in
                        let v = brick.voxel(atBit: bit)
                        let p = [v.x, v.y, v.z].map { -1 + 2 * Float($0) / Float(side) }
                        return min(max(field(p[0], p[1], p[2]), -unit), unit)
                    }
                    guard all.contains(where: { abs($0) < unit }), keeps(brick) else { continue }
                    voxels += (0..<512).map { brick.voxel(atBit: $0) }
                    values += all
                }
            }
        }
        return SparseVolume(metadata: metadata, voxels: voxels, values: values)
    }

    private static func ball(_ x: Float, _ y: Float, _ z: Float) -> Float { (x * x + y * y + z * z).squareRoot() - 0.7 }

    private static func mesh(_ volume: borrowing SparseVolume) throws -> TriangleMesh {
        try extractSurface(volume, options: ExtractOptions(method: .mc, threads: 2))
    }

    @Test func leavesAClosedSurfaceAsItIs() throws {
        var volume = Self.volume(Self.ball) { _ in true }
        let before = Self.volume(Self.ball) { _ in true }
        #expect(volume.close(threads: 2) == 0)
        #expect(volume.brickCount == before.brickCount)
        #expect(volume.values.array == before.values.array)
    }

    /// A ball that lacks bricks is closed, as one piece without a second skin, and nearly the ball.
    @Test(arguments: [1, 2, 3, 5, 17], [0, 0.02]) func closesGaps(step: Int, iso: Double) throws {
        var number = 0
        var volume = Self.volume(iso: iso, Self.ball) { _ in
            number += 1
            return step == 1 ? number != 20 : number % step != 0
        }
        let open = try Self.mesh(volume)
        #expect(!MeshReport(open, threads: 1).isClosed)
        let continued = volume.close(threads: 2)
        #expect(continued > 0)
        let report = MeshReport(try Self.mesh(volume), threads: 1)
        #expect(report.isClosedOrientedManifold)
        if step == 1 || step == 17 {
            #expect(report.components == 1)
            let radius = 0.7 + iso
            let expected = 4 / 3 * Double.pi * radius * radius * radius
            #expect(abs(report.volume / expected - 1) < 0.03, "\(report.volume), \(expected)")
        }
    }

    /// Half a ball gets a flat base rather than an inner skin.
    @Test func closesAHalf() throws {
        var volume = Self.volume(Self.ball) { $0.y >= 4 }
        volume.close(threads: 1)
        let report = MeshReport(try Self.mesh(volume), threads: 1)
        #expect(report.isClosedOrientedManifold && report.components == 1)
        #expect(report.volume > 0.5 && report.volume < 1.1, "\(report.volume)")
    }

    /// What goes through the wall of the cube ends there.
    @Test func closesAtTheWall() throws {
        var volume = Self.volume({ x, y, _ in (x * x + y * y).squareRoot() - 0.5 }) { _ in true }
        volume.close(threads: 2)
        let report = MeshReport(try Self.mesh(volume), threads: 1)
        #expect(report.isClosedOrientedManifold && report.components == 1)
        let expected = Double.pi / 4 * 2
        #expect(abs(report.volume / expected - 1) < 0.06, "\(report.volume)")
    }

    /// Nonsense is closed too, alike on any number of threads, and a second time changes nothing.
    @Test(arguments: 0..<4) func closesNoise(seed: UInt64) throws {
        func noise() -> SparseVolume {
            let random = GaussianNoise(seed: seed, stream: 9)
            let numbers = Buffer<Float>(zeros: 512 * 512 + 512)
            random.fill(UnsafeMutableBufferPointer(start: numbers.pointer, count: numbers.count), threads: 1)
            var next = 0
            let volume = Self.volume({ x, y, z in x * y + z * 0.3 }) { _ in
                next += 1
                return numbers.pointer[512 * 512 + next % 512] > 0.4
            }
            for row in 0..<volume.activeCount {
                volume.values.pointer[row] = min(max(numbers.pointer[row % (512 * 512)] * 0.1, -Self.unit), Self.unit)
            }
            return volume
        }
        var one = noise()
        var two = noise()
        one.close(threads: 1)
        two.close(threads: 3)
        #expect(one.values.array == two.values.array)
        let report = MeshReport(try Self.mesh(one), threads: 1)
        #expect(report.isClosedOrientedManifold)
        let bricks = one.brickCount
        let values = one.values.array
        one.close(threads: 2)
        #expect(one.brickCount == bricks && one.values.array == values)
    }
}
