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
    /// The sign a closed, oriented mesh gives, by crossings of rays through a `TriangleBVH`.
    struct Reference {
        let bvh: TriangleBVH

        init(_ mesh: TriangleMesh) { bvh = TriangleBVH(mesh, threads: 2) }

        func isInside(_ p: Vector3d) -> Bool {
            // A slanted direction: no fixture has faces or edges along it.
            let ray = Ray(origin: Vector3f(p), direction: Vector3f(0.5773, 0.3127, 0.7543))
            return bvh.hits(ray).reduce(0) { $0 + ($1.enters ? -1 : 1) } >= 1
        }
    }

    static func wrongShare(
        _ mesh: TriangleMesh, clean: TriangleMesh, resolution: Int, sign: SignChoice = .auto
    ) throws -> (share: Double, method: String, confidence: Double) {
        var options = VoxelizeOptions()
        options.resolution = resolution
        options.sign = sign
        options.threads = 2
        let volume = try voxelize(mesh, options: options)
        let reference = Reference(clean)
        let toSource = volume.metadata.worldToSource.composed(after: volume.metadata.indexToWorld)
        let skip = Float(0.05 * volume.metadata.voxelSize)
        let counts = parallelMap(volume.brickCount, threads: 2, grain: 8) { brick -> SIMD2<Int> in
            var counts = SIMD2<Int>()
            for bit in 0..<512 {
                guard let row = volume.row(brick: brick, bit: bit) else { continue }
                let value = volume.values.pointer[row]
                guard abs(value) > skip else { continue }
                let voxel = volume.bricks.pointer[brick].voxel(atBit: bit)
                counts.x += 1
                if (value < 0) != reference.isInside(toSource(voxel.point)) { counts.y += 1 }
            }
            return counts
        }
        let sum = counts.reduce(SIMD2<Int>(), &+)
        return (
            Double(sum.y) / Double(max(1, sum.x)), volume.metadata.signMethod.name, volume.metadata.signConfidence
        )
    }

    static let classes = ["clean", "faces missing", "faces flipped", "inside out", "self-intersecting", "open base"]

    /// A mesh altered as a class says, with the clean mesh that tells its sign.
    static func altered(_ mesh: TriangleMesh, _ name: String) -> (altered: TriangleMesh, clean: TriangleMesh) {
        switch name {
        case "faces missing": return (mesh.removingFaces(share: 0.02, seed: 7), mesh)
        case "faces flipped": return (mesh.flippingFaces(share: 1 / 3.0, seed: 8), mesh)
        case "inside out": return (mesh.insideOut(), mesh)
        case "self-intersecting":
            let size = mesh.boundingBox.size
            let crossing = mesh.selfIntersecting(by: Vector3f(0.11, 0.07, 0.05) * size)
            return (crossing, crossing)
        default: return (mesh, mesh)
        }
    }

    @Test(arguments: FixtureMesh.clean.map(\.name), classes.dropLast())
    func autoIsRightOnBrokenFixtures(name: String, kind: String) throws {
        let (mesh, clean) = Self.altered(FixtureMesh.named(name).mesh, kind)
        let resolution = getenv("SSDF_LONG_TESTS") != nil ? 256 : 64
        let result = try Self.wrongShare(mesh, clean: clean, resolution: resolution)
        #expect(result.share <= 0.0005, "\(name), \(kind): \(result)")
    }

    @Test(
        arguments: ["armadillo.obj", "turbineblade.ply", "nefertiti.obj", "fandisk.obj", "rocker-arm.obj"],
        classes.dropLast())
    func autoIsRightOnBrokenScans(name: String, kind: String) throws {
        // One scan always; the sweep over all of them, at 256, takes minutes.
        guard name == "armadillo.obj" || getenv("SSDF_LONG_TESTS") != nil else { return }
        guard let path = SharedData.mesh(name) else { return }
        let whole = try loadMesh(path: path, threads: 2).mesh
        let (mesh, clean) = Self.altered(whole, kind)
        let resolution = getenv("SSDF_LONG_TESTS") != nil ? 256 : 96
        let result = try Self.wrongShare(mesh, clean: clean, resolution: resolution)
        #expect(result.share <= 0.0005, "\(name), \(kind): \(result)")
        if getenv("SSDF_LONG_TESTS") != nil { print("\(name), \(kind): \(result)") }
    }

    /// A base is what a solid stands on: the faces that look down at its lowest.
    @Test(arguments: ["bowl", "cylinder", "machined-part", "cube"])
    func autoClosesAnOpenBase(name: String) throws {
        let clean = name == "bowl" ? TriangleMesh.filledBowl() : FixtureMesh.named(name).mesh
        let box = clean.boundingBox
        var mesh = clean
        mesh.triangles = []
        for t in 0..<clean.triangleCount {
            let (a, b, c) = clean.corners(t)
            let isBase = [a, b, c].allSatisfy { clean.position($0).z <= box.minimum.z + 1e-5 * box.size.z }
            if !isBase { mesh.addTriangle(UInt32(a), UInt32(b), UInt32(c)) }
        }
        #expect(mesh.triangleCount < clean.triangleCount)
        let result = try Self.wrongShare(mesh, clean: clean, resolution: 128)
        // The caps of a base that slots and holes run through do not lie where the base was.
        withKnownIssue("a pierced base is closed in the wrong place", isIntermittent: false) {
            #expect(result.share <= 0.0005, "\(name): \(result)")
        } when: {
            name == "machined-part"
        }
    }

    @Test(arguments: [("overlapping-spheres", "winding"), ("fat-knot", "winding"), ("soup", "winding")])
    func autoIsRightOnAwkwardFixtures(name: String, method: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let result = try Self.wrongShare(mesh, clean: mesh, resolution: 96)
        #expect(result.share <= 0.0005 && result.method == method, "\(name): \(result)")
    }

    @Test func aCavityStaysOneWhicheverWayItsWallFaces() throws {
        let mesh = FixtureMesh.named("hollow-ball-outward").mesh
        let result = try Self.wrongShare(mesh, clean: .hollowBall(), resolution: 64)
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
        let result = try Self.wrongShare(
            FixtureMesh.named(name).mesh, clean: clean, resolution: 64, sign: .flood)
        #expect(result.share <= 0.003 && result.method == "flood", "\(name): \(result)")
    }

    @Test(arguments: FixtureMesh.clean.map(\.name))
    func parityIsRightOnCleanMeshes(name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let result = try Self.wrongShare(
            mesh.flippingFaces(share: 0.5, seed: 1), clean: mesh, resolution: 64, sign: .parity)
        #expect(result.share == 0 && result.method == "parity" && result.confidence == 1, "\(name): \(result)")
    }
}
