import SSDFCore
import SSDFVolume
import Testing

import SSDFMesh

/// Shapes whose surface is known in closed form.
@Suite struct AnalyticSurfaceTests {
    static func extract(_ volume: borrowing SparseVolume, _ method: ExtractMethod) throws -> TriangleMesh {
        try extractSurface(volume, options: ExtractOptions(method: method, coordinates: .cube, threads: 2))
    }

    @Test(arguments: ExtractMethod.allCases, [16, 32, 64, 128, 256])
    func sphereIsClosedAtEveryResolution(_ method: ExtractMethod, _ resolution: Int) throws {
        let mesh = try Self.extract(
            AnalyticVolume.band(resolution: resolution, AnalyticVolume.sphere()), method)
        let report = MeshReport(mesh, threads: 2)
        #expect(report.isPerfect, "\(report)")
        #expect(report.genus == 0 && report.components == 1)
        let h = 2 / Double(resolution)
        #expect(abs(report.volume - 4 / 3 * Double.pi * 0.343) < 4 * h * h)
    }

    @Test(arguments: ExtractMethod.allCases, [32, 64, 128, 256])
    func torusHasOneHandle(_ method: ExtractMethod, _ resolution: Int) throws {
        let mesh = try Self.extract(AnalyticVolume.band(resolution: resolution, AnalyticVolume.torus()), method)
        let report = MeshReport(mesh, threads: 2)
        #expect(report.isPerfect, "\(report)")
        #expect(report.genus == 1 && report.components == 1)
    }
}
