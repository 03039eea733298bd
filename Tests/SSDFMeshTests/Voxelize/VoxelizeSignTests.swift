import FixtureMeshes
import SSDFCore
import SSDFMesh
import SSDFVolume
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which side voxels are on, measured as the share of the band's voxels more than 0.05 voxel from the surface whose sign
/// is wrong.
@Suite struct VoxelizeSignTests {
    /// Most of the band that may be on the wrong side.
    static let allowed = 0.0005

    /// Whether to try every mesh at 256, which takes minutes.
    static let isLong = getenv("SSDF_LONG_TESTS") != nil

    static func errors(
        _ mesh: TriangleMesh, clean: TriangleMesh, resolution: Int, sign: SignChoice = .auto
    ) throws -> SignErrors {
        var options = VoxelizeOptions()
        options.resolution = resolution
        options.sign = sign
        options.threads = 2
        return try SignErrors(mesh, clean: clean, options: options)
    }

    @Test(arguments: FixtureMesh.clean.map(\.name), Breakage.allCases.filter { $0 != .openBase })
    func autoIsRightOnBrokenFixtures(name: String, breakage: Breakage) throws {
        guard let (mesh, clean) = breakage.applied(to: FixtureMesh.named(name).mesh) else { return }
        let errors = try Self.errors(mesh, clean: clean, resolution: Self.isLong ? 256 : 64)
        #expect(errors.share <= Self.allowed, "\(name), \(breakage): \(errors)")
    }

    static let scans = [
        "armadillo.obj", "fandisk.obj", "rocker-arm.obj", "nefertiti.obj", "gears.stl", "horse_quad.obj",
        "turbineblade.ply", "decimated-knight.off", "busted.stl", "thingi_1063852.stl", "thingi_73416.stl",
        "groups.obj", "igea.ply", "self_intersectA.obj",
    ]

    @Test(arguments: scans, Breakage.allCases.filter { $0 != .openBase })
    func autoIsRightOnBrokenScans(name: String, breakage: Breakage) throws {
        guard name == "armadillo.obj" || Self.isLong, let path = SharedData.mesh(name) else { return }
        guard let (mesh, clean) = breakage.applied(to: try loadMesh(path: path, threads: 2).mesh) else { return }
        let errors = try Self.errors(mesh, clean: clean, resolution: Self.isLong ? 256 : 96)
        #expect(errors.share <= Self.allowed, "\(name), \(breakage): \(errors)")
        if Self.isLong { print("\(name), \(breakage): \(errors)") }
    }

    /// Meshes whose lowest 6% are not what the rest of them leads to: whole parts, grooves, ribs and folds that turn away,
    /// walls that end in a plane before the base does.
    static let unforeseeable: Set = [
        "many-components", "knot", "fandisk.obj", "gears.stl", "horse_quad.obj", "thingi_1063852.stl",
    ]

    /// The surface is taken to go on beyond a rim as it does before it, and flat bases are flat.
    @Test(arguments: FixtureMesh.clean.map(\.name) + scans)
    func autoGoesOnBeyondAnOpenBase(name: String) throws {
        let isFixture = FixtureMesh.clean.contains { $0.name == name }
        let quick: Set = [
            "cube", "box-fine", "icosphere", "torus", "cylinder", "hollow-ball", "machined-part", "gear", "thin-wall",
        ]
        guard Self.isLong || quick.contains(name) else { return }
        var whole = TriangleMesh()
        if isFixture {
            whole = FixtureMesh.named(name).mesh
        } else {
            guard let path = SharedData.mesh(name) else { return }
            whole = try loadMesh(path: path, threads: 2).mesh
        }
        let (mesh, clean) = try #require(Breakage.openBase.applied(to: whole))
        let errors = try Self.errors(mesh, clean: clean, resolution: Self.isLong ? 256 : 128)
        if Self.isLong { print("\(name), open base: \(errors)") }
        withKnownIssue("what was cut off is not told by what is left") {
            #expect(errors.share <= Self.allowed, "\(name): \(errors)")
        } when: {
            Self.isLong && Self.unforeseeable.contains(name)
        }
    }

    /// A tube's bore ends above the plane that its outer wall stands on: it goes down to it, and nothing closes it.
    @Test func wallsGoDownToWhereTheMeshStands() throws {
        let outer = Self.cylinder(radius: 0.6, from: -0.5, sides: 60, inward: false)
        var clean = outer
        clean.append(Self.cylinder(radius: 0.3, from: -0.5, sides: 40, inward: true))
        clean.append(Self.ring(outer: 0.6, inner: 0.3, z: 0.5, sides: 120, up: true))
        clean.append(Self.ring(outer: 0.6, inner: 0.3, z: -0.5, sides: 120, up: false))
        var broken = outer
        broken.append(Self.cylinder(radius: 0.3, from: -0.44, sides: 40, inward: true))
        broken.append(Self.ring(outer: 0.6, inner: 0.3, z: 0.5, sides: 120, up: true))
        let errors = try Self.errors(broken, clean: clean, resolution: 128)
        #expect(errors.share <= Self.allowed, "\(errors)")
    }

    /// Caps as large as what is left: half the faces of a cube, a corner among what is gone, and of a tetrahedron.
    @Test func autoClosesHalvesOfSmallSolids() throws {
        for (name, whole, share) in [
            ("cube", TriangleMesh.box(), Float(0.5)), ("tetrahedron", TriangleMesh.tetrahedron(), 0.5),
        ] {
            let half = whole.withoutBase(share: share)
            #expect(2 * half.triangleCount == whole.triangleCount)
            let errors = try Self.errors(half, clean: whole, resolution: 64)
            #expect(errors.share <= Self.allowed, "\(name): \(errors)")
        }
    }

    /// A cone that widens downwards and is cut off flat: below what closes it, voxels by its wall are nearest to a face.
    @Test func nearestFacesTellTheSideBelowARim() throws {
        let whole = TriangleMesh.icosphere(radius: 0.8, frequency: 40)
        // Of a ball the upper third: its wall leans out far where it ends.
        let cap = whole.withoutBase(share: 0.7)
        let errors = try Self.errors(cap, clean: whole, resolution: 256)
        #expect(errors.share <= 4 * Self.allowed, "\(errors)")
    }

    private static func cylinder(radius: Double, from low: Double, sides: Int, inward: Bool) -> TriangleMesh {
        var mesh = TriangleMesh()
        for n in 0..<sides {
            let angle = 2 * Double.pi * Double(n) / Double(sides)
            for z in [low, 0.5] {
                _ = mesh.addVertex(Vector3f(Vector3d(radius * cos(angle), radius * sin(angle), z)))
            }
        }
        for n in 0..<sides {
            let (a, b) = (UInt32(2 * n), UInt32(2 * ((n + 1) % sides)))
            if inward {
                mesh.addTriangle(a, b + 1, b)
                mesh.addTriangle(a, a + 1, b + 1)
            } else {
                mesh.addTriangle(a, b, b + 1)
                mesh.addTriangle(a, b + 1, a + 1)
            }
        }
        return mesh
    }

    /// A flat ring with the corners of circles of 60 and 40 sides.
    private static func ring(outer: Double, inner: Double, z: Double, sides: Int, up: Bool) -> TriangleMesh {
        var mesh = TriangleMesh()
        func corner(_ radius: Double, _ n: Int, of count: Int) -> UInt32 {
            let angle = 2 * Double.pi * Double(n % count) / Double(count)
            return mesh.addVertex(Vector3f(Vector3d(radius * cos(angle), radius * sin(angle), z)))
        }
        func add(_ a: UInt32, _ b: UInt32, _ c: UInt32) {
            if up { mesh.addTriangle(a, b, c) } else { mesh.addTriangle(a, c, b) }
        }
        // Twenty sectors of three outer and two inner sides.
        for n in 0..<20 {
            let o = (0...3).map { corner(outer, 3 * n + $0, of: 60) }
            let i = (0...2).map { corner(inner, 2 * n + $0, of: 40) }
            add(i[0], o[0], o[1])
            add(i[0], o[1], i[1])
            add(i[1], o[1], o[2])
            add(i[1], o[2], i[2])
            add(i[2], o[2], o[3])
        }
        return mesh
    }

    @Test func aBowlIsClosedWhereItStands() throws {
        let errors = try Self.errors(FixtureMesh.named("bowl").mesh, clean: .filledBowl(), resolution: 128)
        #expect(errors.share <= Self.allowed, "\(errors)")
    }

    /// A third of the faces turned round leaves two thirds that agree.
    @Test func confidenceTellsHowFacesAgree() throws {
        let mesh = TriangleMesh.icosphere(radius: 0.8, frequency: 24)
        let whole = try Self.errors(mesh, clean: mesh, resolution: 32)
        #expect(whole.confidence == 1)
        let flipped = try Self.errors(mesh.flippingFaces(share: 1 / 3.0, seed: 8), clean: mesh, resolution: 32)
        #expect(abs(flipped.confidence - 2 / 3.0) < 0.03, "\(flipped)")
        let open = try Self.errors(mesh.withoutBase(), clean: mesh, resolution: 32)
        #expect(open.confidence < 0.99 && open.confidence > 0.9, "\(open)")
    }

    @Test(arguments: [("overlapping-spheres", "winding"), ("fat-knot", "winding"), ("soup", "winding")])
    func autoIsRightOnAwkwardFixtures(name: String, method: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let result = try Self.errors(mesh, clean: mesh, resolution: 96)
        #expect(result.share <= 0.0005 && result.method == method, "\(name): \(result)")
    }

    @Test func aCavityStaysOneWhicheverWayItsWallFaces() throws {
        let mesh = FixtureMesh.named("hollow-ball-outward").mesh
        let result = try Self.errors(mesh, clean: .hollowBall(), resolution: 64)
        #expect(result.share == 0, "\(result)")
    }

    @Test func aSheetHasNoInside() throws {
        var options = VoxelizeOptions()
        options.resolution = 64
        let volume = try voxelize(FixtureMesh.named("sheet").mesh, options: options)
        #expect(volume.values.array.allSatisfy { $0 >= 0 })
        #expect(volume.metadata.signMethod == .none && volume.metadata.signConfidence < 0.5)
    }

    /// `winding` is the plain sum of solid angles, reaching ½.
    @Test(arguments: FixtureMesh.all.map(\.name))
    func windingEqualsThePlainSum(name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        var options = VoxelizeOptions()
        options.resolution = 32
        options.halfWidth = 3
        options.sign = .winding
        let volume = try voxelize(mesh, options: options)
        let reference = DirectReference(mesh, metadata: volume.metadata)
        // At most about 2·10⁷ solid angles.
        let every = max(1, volume.activeCount * mesh.triangleCount / 20_000_000)
        var wrong = 0
        volume.forEachActiveVoxel { row, voxel in
            guard row % every == 0 else { return }
            let winding = reference.winding(voxel.point)
            // On the surface the winding number jumps; on the ½-level itself rounding decides.
            guard abs(volume.values.pointer[row]) > 1e-6, abs(winding - 0.5) > 1e-9 else { return }
            if (volume.values.pointer[row] < 0) != (winding >= 0.5) { wrong += 1 }
        }
        #expect(wrong == 0, "\(name)")
    }

    @Test(arguments: ["cube", "hollow-ball-outward", "torus", "gear", "flipped-third", "inside-out"])
    func floodFillsWhatIsEnclosed(name: String) throws {
        // A flood does not look into cavities: nested shells are one solid.
        let clean: TriangleMesh =
            switch name {
            case "flipped-third": .torus(major: 0.6, minor: 0.25)
            case "inside-out": .icosphere(radius: 0.8, frequency: 16)
            default: FixtureMesh.named(name).mesh
            }
        let result = try Self.errors(
            FixtureMesh.named(name).mesh, clean: clean, resolution: 64, sign: .flood)
        #expect(result.share <= 0.003 && result.method == "flood", "\(name): \(result)")
    }

    @Test(arguments: FixtureMesh.clean.map(\.name))
    func parityIsRightOnCleanMeshes(name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let result = try Self.errors(
            mesh.flippingFaces(share: 0.5, seed: 1), clean: mesh, resolution: 64, sign: .parity)
        #expect(result.share == 0 && result.method == "parity" && result.confidence == 1, "\(name): \(result)")
    }
}
