import CSSDFKernels
import FixtureMeshes
import SSDFCore
import SSDFVolume
import Testing

import SSDFMesh

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What every method promises, whatever the volume.
@Suite struct ExtractSurfaceTests {
    static let resolutions: [Int] =
        getenv("SSDF_LONG_TESTS") == nil ? [16, 48, 128] : [16, 32, 64, 128, 256, 512, 1024]

    @Test(arguments: FixtureMesh.clean, ExtractMethod.allCases)
    func cleanFixturesComeBackClosed(_ fixture: FixtureMesh, _ method: ExtractMethod) throws {
        for resolution in Self.resolutions {
            var options = VoxelizeOptions()
            options.resolution = resolution
            options.halfWidth = 3
            options.threads = 2
            let volume = try voxelize(fixture.mesh, options: options)
            let mesh = try extractSurface(volume, options: ExtractOptions(method: method, threads: 2))
            let report = MeshReport(mesh, threads: 2)
            #expect(
                report.isPerfect || report.triangleCount == 0, "\(fixture.name) at \(resolution): \(report)")
            // A plate thinner than a voxel has no inside to find.
            #expect(report.triangleCount > 0 || fixture.name.hasPrefix("thin") || fixture.name == "many-components")
            #expect(report.volume > 0 || report.triangleCount == 0)
        }
    }

    @Test(arguments: FixtureMesh.awkward, ExtractMethod.allCases)
    func awkwardFixturesNeverBreakTheSurface(_ fixture: FixtureMesh, _ method: ExtractMethod) throws {
        for resolution in Self.resolutions.prefix(5) {
            var options = VoxelizeOptions()
            options.resolution = resolution
            options.halfWidth = 3
            let volume = try voxelize(fixture.mesh, options: options)
            var wanted = ExtractOptions(method: method, coordinates: .cube, threads: 2)
            if volume.metadata.kind == .udf { wanted.iso = 1.2 * volume.metadata.voxelSize }
            let report = MeshReport(try extractSurface(volume, options: wanted), threads: 2)
            #expect(report.nonManifoldEdges == 0 && report.inconsistentEdges == 0, "\(fixture.name): \(report)")
            #expect(report.hasOnlyProperTriangles, "\(fixture.name) at \(resolution): \(report)")
            // A sign taken from faces turned at random may change where there is no surface.
            let isWhole = fixture.isClosed && fixture.name != "flipped-third"
            #expect(report.isPerfect || report.triangleCount == 0 || !isWhole, "\(fixture.name) \(report)")
        }
    }

    @Test(arguments: ExtractMethod.allCases)
    func threadsAndInstructionSetsGiveTheSameBytes(_ method: ExtractMethod) throws {
        let noise = AnalyticVolume.noise(side: 40, seed: 5) { Float($0.uniform() * 2 - 1) }
        let band = AnalyticVolume.band(resolution: 96, AnalyticVolume.torus())
        var options = ExtractOptions(method: method, coordinates: .cube, threads: 1)
        options.normals = true
        let best = ssdf_isa()
        let (first, second) = (
            try extractSurface(noise, options: options, isa: best),
            try extractSurface(band, options: options, isa: best)
        )
        for threads in 1...4 {
            options.threads = threads
            for isa in 0...best {
                #expect(
                    try extractSurface(noise, options: options, isa: isa) == first, "\(threads) threads, isa \(isa)")
                #expect(
                    try extractSurface(band, options: options, isa: isa) == second, "\(threads) threads, isa \(isa)")
            }
        }
    }

    /// Every pattern of a cell's corners, in a closed block, with values that leave every kind of choice open.
    @Test(arguments: ExtractMethod.allCases)
    func everyPatternOfACellIsCovered(_ method: ExtractMethod) throws {
        for pattern in 0..<256 {
            for seed in 0..<8 {
                var random = Philox(seed: UInt64(pattern * 100 + seed))
                let volume = AnalyticVolume.block((4, 4, 4), origin: VoxelCoordinate(6, -2, 7)) { x, y, z in
                    let isCore = (1...2).contains(x) && (1...2).contains(y) && (1...2).contains(z)
                    let bit = (x - 1) << 2 | (y - 1) << 1 | (z - 1)
                    let size = seed == 0 ? 1 : Float(random.uniform() + 1e-3)
                    return isCore && pattern >> bit & 1 == 1 ? -size : size
                }
                let report = MeshReport(
                    try extractSurface(
                        volume, options: ExtractOptions(method: method, coordinates: .index, threads: 1)),
                    threads: 1)
                #expect(report.isPerfect || pattern == 0, "pattern \(pattern), seed \(seed): \(report)")
            }
        }
    }

    /// The triangles of a band with holes are those of the whole band, less the ones that touch a hole.
    @Test func missingVoxelsLeaveABoundaryAndNoSecondSkin() throws {
        let whole = AnalyticVolume.band(resolution: 64, AnalyticVolume.torus())
        var voxels: [VoxelCoordinate] = []
        var values: [Float] = []
        var random = Philox(seed: 11)
        whole.forEachActiveVoxel { row, voxel in
            let keeps = random.next() % 50 != 0
            if keeps {
                voxels.append(voxel)
                values.append(whole.values.pointer[row])
            }
        }
        let cut = SparseVolume(metadata: whole.metadata, voxels: voxels, values: values)
        func corners(_ mesh: TriangleMesh) -> Set<[Float]> {
            Set(
                (0..<mesh.triangleCount).map { t in
                    (0..<3).flatMap { k in
                        let v = 3 * Int(mesh.triangles[3 * t + k])
                        return Array(mesh.positions[v..<v + 3])
                    }
                })
        }
        let options = ExtractOptions(method: .mc, coordinates: .index, threads: 2)
        let (all, some) = (try extractSurface(whole, options: options), try extractSurface(cut, options: options))
        #expect(corners(some).isStrictSubset(of: corners(all)))
        for method in ExtractMethod.allCases {
            let report = MeshReport(
                try extractSurface(cut, options: ExtractOptions(method: method, threads: 1)), threads: 1)
            #expect(report.boundaryEdges > 0 && report.boundaryLoops > 0)
            #expect(report.nonManifoldEdges == 0 && report.inconsistentEdges == 0 && report.hasOnlyProperTriangles)
            #expect(report.unusedVertices == 0)
        }
    }

    @Test(arguments: ExtractMethod.allCases)
    func bandThatEndsBesideTheSurfaceHasNoSkinOfItsOwn(_ method: ExtractMethod) throws {
        // Half a voxel to either side: hardly any cell is complete.
        let volume = AnalyticVolume.band(resolution: 64, halfWidth: 0.5, AnalyticVolume.sphere())
        let mesh = try extractSurface(volume, options: ExtractOptions(method: method, coordinates: .cube, threads: 1))
        for vertex in 0..<mesh.vertexCount {
            #expect(abs(AnalyticVolume.sphere()(Vector3d(mesh.position(vertex)))) < 0.2 * 2 / 64)
        }
        let empty = SparseVolume(metadata: volume.metadata, voxels: [], values: [])
        #expect(try extractSurface(empty, options: ExtractOptions(method: method)).triangles.isEmpty)
        let single = SparseVolume(metadata: volume.metadata, voxels: [VoxelCoordinate(-1, -1, -1)], values: [-1])
        #expect(try extractSurface(single, options: ExtractOptions(method: method)).positions.isEmpty)
    }

    @Test func unsignedDistancesHaveASurfaceOnBothSides() throws {
        var volume = AnalyticVolume.band(resolution: 64, halfWidth: 4) { abs(AnalyticVolume.sphere()($0)) }
        volume.metadata.kind = .udf
        var options = ExtractOptions(method: .mc, coordinates: .cube, threads: 1)
        #expect(
            throws: Failure.badData(
                place: "grid \"sdf\"", "iso value is 0.0 and distances are unsigned", expected: "a positive iso value")
        ) { try extractSurface(volume, options: options) }
        options.iso = 0.05
        let report = MeshReport(try extractSurface(volume, options: options), threads: 1)
        #expect(report.isPerfect && report.components == 2 && report.genus == 0)
    }

    @Test func occupancyIsInsideAboveItsLevel() throws {
        var volume = AnalyticVolume.band(resolution: 64, halfWidth: 4) { -AnalyticVolume.sphere()($0) }
        volume.metadata.kind = .occupancy
        for method in ExtractMethod.allCases {
            let mesh = try extractSurface(
                volume, options: ExtractOptions(method: method, coordinates: .cube, threads: 1))
            let report = MeshReport(mesh, threads: 1)
            #expect(report.isPerfect && report.volume > 1.4)
        }
    }

    @Test func refusesWhatHasNoSurface() throws {
        func failure(_ change: (inout SparseVolume) -> Void) -> Failure? {
            var volume = AnalyticVolume.band(resolution: 16, AnalyticVolume.sphere())
            change(&volume)
            do throws(Failure) {
                _ = try extractSurface(volume, options: ExtractOptions(method: .mc, threads: 1))
                return nil
            } catch { return error }
        }
        #expect(failure { $0.metadata.kind = .latent }?.message.contains("latent grid has no surface") == true)
        #expect(failure { $0.metadata.kind = .feature }?.cause == .badData)
        #expect(failure { $0.metadata.isoValue = .nan }?.message.contains("iso value is nan") == true)
        #expect(failure { $0.metadata.worldToSource.x = [0, 0, 0] }?.message.contains("singular") == true)
        for value in [Float.nan, .infinity, -.infinity] {
            let last = failure { $0.values.pointer[$0.activeCount - 1] = value }
            #expect(last?.message.contains("expected a finite number") == true)
            #expect(last?.place.contains("voxel (") == true)
            #expect(failure { $0.values.pointer[0] = value } != nil)
            #expect(failure { $0.values.pointer[133] = value } != nil)
        }
        #expect(failure { _ in } == nil)
    }

    @Test func everyInstructionSetFindsValuesThatAreNotFinite() throws {
        for isa in 0...ssdf_isa() {
            for row in [0, 5, 17, 100, 511] {
                for value in [Float.nan, -.nan, .infinity, -.infinity] {
                    let volume = AnalyticVolume.block((8, 8, 8)) { _, _, _ in 1 }
                    volume.values.pointer[row] = value
                    #expect(throws: Failure.self) {
                        try extractSurface(volume, options: ExtractOptions(method: .mc, threads: 1), isa: isa)
                    }
                }
            }
        }
    }
}
