import SSDFCore
import SSDFVolume
import Testing

import SSDFMesh

/// Fields without any mercy: what comes out must be the surface of a solid all the same.
@Suite struct RandomFieldTests {
    static let draws: [(name: String, draw: @Sendable (inout Philox) -> Float)] = [
        ("uniform", { Float($0.uniform() * 2 - 1) }),
        ("signs", { $0.next() & 1 == 0 ? -1 : 1 }),
        ("signs and zeros", { Float(Int($0.next() % 3)) - 1 }),
        ("mostly zero", { $0.next() % 8 == 0 ? Float($0.uniform() * 2 - 1) : 0 }),
        ("tiny and huge", { Float(($0.uniform() * 2 - 1) * ($0.next() & 1 == 0 ? 1e-30 : 1e30)) }),
        ("checkerboard", { $0.next() % 16 == 0 ? 0.5 : -0.5 }),
    ]
    static let origins = [
        VoxelCoordinate(0, 0, 0), VoxelCoordinate(-5, 3, 1), VoxelCoordinate(4085, 4087, -4093),
    ]

    @Test(arguments: ExtractMethod.allCases, draws.indices)
    func surfaceIsThatOfASolid(_ method: ExtractMethod, _ kind: Int) throws {
        for seed in 0..<40 {
            for (place, origin) in Self.origins.enumerated() {
                let volume = AnalyticVolume.noise(
                    side: 5 + seed % 7, seed: UInt64(seed + 1000 * place), origin: origin, Self.draws[kind].draw)
                for coordinates in [ExtractCoordinates.index, .cube] {
                    let mesh = try extractSurface(
                        volume, options: ExtractOptions(method: method, coordinates: coordinates, threads: 1))
                    let report = MeshReport(mesh, threads: 1)
                    #expect(
                        report.isPerfect || report.triangleCount == 0,
                        "\(Self.draws[kind].name), seed \(seed), place \(place): \(report)")
                    #expect(report.volume >= 0 || method == .dc)
                }
            }
        }
    }
}
