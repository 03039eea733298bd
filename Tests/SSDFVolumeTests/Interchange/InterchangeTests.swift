import ContainerCases
import SSDFCore
import SSDFVolume
import Testing

/// Volumes as files of NumPy and NRRD and back. What the other programs make of them is tested with the tool.
@Suite struct InterchangeTests {
    enum Form: String, CaseIterable, CustomTestStringConvertible {
        case voxels, dense, nrrd

        var testDescription: String { rawValue }
    }

    private static func bytes(
        _ volume: borrowing SparseVolume, _ form: Form, _ change: (inout ExportOptions) -> Void = { _ in }
    ) throws -> [UInt8] {
        var options = ExportOptions()
        options.layout = form == .dense ? .dense : .voxels
        change(&options)
        let collector = ByteCollector()
        if form == .nrrd {
            try writeNRRD(volume, options: options, to: collector.append)
        } else {
            try writeNumpy(volume, options: options, to: collector.append)
        }
        return collector.bytes
    }

    private static func read(_ bytes: [UInt8], _ options: ImportOptions = ImportOptions()) throws -> SparseVolume {
        let file = inMemory(bytes)
        return bytes.starts(with: Array("NRRD".utf8))
            ? try readNRRD(file, options: options) : try readNumpy(file, options: options)
    }

    /// Expects that bytes are read as a volume, to the last bit.
    private static func expectRead(
        _ bytes: [UInt8], _ options: ImportOptions = ImportOptions(), as volume: borrowing SparseVolume,
        at place: SourceLocation = #_sourceLocation
    ) throws {
        let back = try read(bytes, options)
        let isSame = identical(back, volume)
        #expect(isSame, sourceLocation: place)
    }

    /// A volume whose metadata all differ from what they are when nothing is said.
    private static func sphere(_ resolution: Int = 24) -> SparseVolume {
        var volume = SampleVolumes.sphere(resolution: resolution)
        volume.metadata.name = "a \"name\", ä"
        volume.metadata.indexToWorld = AffineTransform3(
            x: [0.1, 0.02, 0], y: [0, 0.1, 0.03], z: [0.01, 0, 1.0 / 3], translation: [-1, 2.5, 1e-9])
        volume.metadata.worldToSource = AffineTransform3(scale: 25.4, translation: [1, 2, 3])
        volume.metadata.unit = "mm"
        volume.metadata.isoValue = 0.01
        volume.metadata.signConfidence = 0.75
        volume.metadata.sourceHash = "sha256:abc"
        volume.metadata.arguments = ["--text=a \\ \"b\"", "", "line\nfeed"]
        volume.metadata.seed = .max
        volume.metadata.modelHash = "sha256:def"
        return volume
    }

    @Test(arguments: Form.allCases, [true, false]) func roundTrips(form: Form, isDeflated: Bool) throws {
        let volume = Self.sphere()
        let bytes = try Self.bytes(volume, form) { $0.isDeflated = isDeflated }
        try Self.expectRead(bytes, as: volume)
    }

    @Test(arguments: [Form.voxels, .dense]) func keepsChannelsAndAnyFloat(form: Form) throws {
        let volume = SampleVolumes.noise(voxels: 3000, channels: 3, seed: 5)
        try Self.expectRead(Self.bytes(volume, form), as: volume)
    }

    @Test func nrrdKeepsChannels() throws {
        let volume = SampleVolumes.noise(voxels: 500, channels: 5, seed: 9)
        for index in 0..<volume.values.count { volume.values.pointer[index] = Float(index + 1) }
        try Self.expectRead(Self.bytes(volume, .nrrd), as: volume)
    }

    @Test(arguments: Form.allCases) func bytesDoNotDependOnThreads(form: Form) throws {
        // Of several pieces of deflate.
        let volume = SampleVolumes.sphere(resolution: 128, halfWidth: 8)
        let one = try Self.bytes(volume, form) { $0.threads = 1 }
        for threads in [2, 3, 8] { #expect(try Self.bytes(volume, form) { $0.threads = threads } == one) }
        try Self.expectRead(one, as: volume)
        var options = ImportOptions()
        options.threads = 5
        try Self.expectRead(one, options, as: volume)
    }

    @Test func halvesAreRounded() throws {
        let volume = SampleVolumes.sphere(resolution: 24)
        for form in [Form.voxels, .dense] {
            let back = try Self.read(try Self.bytes(volume, form) { $0.isHalf = true })
            #expect(back.masks.array == volume.masks.array)
            #expect(back.values.array == volume.values.array.map { Float(Float16($0)) })
        }
    }

    /// Every voxel of a dense array has the sign of the formula, also where a plane or a whole line has no active voxel, in
    /// both orders of axes; along the band's inner border there is no second change of sign.
    @Test(arguments: [AxisOrder.zFastest, .xFastest], [(16, 0.6), (40, 0.9), (33, 0.35)])
    func denseArraysHaveTheSignEverywhere(order: AxisOrder, shape: (resolution: Int, radius: Double)) throws {
        let volume = SampleVolumes.sphere(resolution: shape.resolution, halfWidth: 2, radius: shape.radius)
        let boxes = [
            VoxelBox.cube(shape.resolution),
            VoxelBox(from: VoxelCoordinate(-3, -9, -1), through: VoxelCoordinate(50, 41, 60)),
            // Begins in the middle of the ball.
            VoxelBox(
                from: VoxelCoordinate(Int32(shape.resolution / 2), 0, 0),
                through: VoxelCoordinate(Int32(shape.resolution), 40, 40)),
        ]
        for box in boxes {
            var values: [Float] = []
            var active: [UInt8] = []
            try volume.forEachSlab(of: box, order: order, threads: 2) { slab throws(Failure) in
                values += slab.values
                active += slab.active
            }
            let (x, y, z) = box.size
            #expect(values.count == x * y * z && active.count == x * y * z)
            var wrong = 0
            var index = 0
            let outer = order == .zFastest ? box.range(.x) : box.range(.z)
            let inner = order == .zFastest ? box.range(.z) : box.range(.x)
            for slow in outer {
                for middle in box.range(.y) {
                    for fast in inner {
                        let v =
                            order == .zFastest
                            ? VoxelCoordinate(Int32(slow), Int32(middle), Int32(fast))
                            : VoxelCoordinate(Int32(fast), Int32(middle), Int32(slow))
                        let p = volume.metadata.indexToWorld([Double(v.x), Double(v.y), Double(v.z)])
                        let distance = p.length - shape.radius
                        let limit = volume.metadata.truncation
                        let isActive = volume.row(of: v) != nil
                        if (active[index] == 1) != isActive { wrong += 1 }
                        let expected = isActive ? Float(distance) : Float(distance < 0 ? -limit : limit)
                        if values[index] != expected { wrong += 1 }
                        index += 1
                    }
                }
            }
            #expect(wrong == 0, "\(box)")
        }
    }

    @Test func refusesDenseArraysThatAreTooLarge() throws {
        let volume = SampleVolumes.sphere(resolution: 24)
        for form in [Form.dense, .nrrd] {
            let failure = #expect(throws: Failure.self) { try Self.bytes(volume, form) { $0.memory = 50_000 } }
            #expect(failure?.cause == .unavailable)
            #expect(failure?.message.contains("24×24×24 voxels takes ") == true, "\(String(describing: failure))")
        }
        // The whole range of positions.
        let vast = VoxelBox(
            from: VoxelCoordinate(.min, .min, .min), through: VoxelCoordinate(.max, .max, .max))
        #expect(throws: Failure.self) { _ = try Self.bytes(volume, .dense) { $0.box = vast } }
    }

    @Test func listsMayBeInAnyOrder() throws {
        let volume = SampleVolumes.noise(voxels: 2000, seed: 11)
        var random = Philox(seed: 4)
        var list = Npz()
        let order = (0..<volume.activeCount).shuffled(using: &random)
        var voxels: [VoxelCoordinate] = []
        volume.forEachActiveVoxel { _, voxel in voxels.append(voxel) }
        list.add(
            "coordinates", "<i8", [order.count, 3],
            order.flatMap { row -> [Int64] in
                [Int64(voxels[row].x), Int64(voxels[row].y), Int64(voxels[row].z)]
            })
        list.add("values", "<f4", [order.count, 1], order.map { volume.values.pointer[$0].bitPattern })
        list.add("kind", "<U7", [], "feature".unicodeScalars.map(\.value))
        let back = try Self.read(list.bytes)
        #expect(back.bricks.array == volume.bricks.array && back.masks.array == volume.masks.array)
        #expect(back.values.array.map(\.bitPattern) == volume.values.array.map(\.bitPattern))
    }

    @Test(
        arguments: [
            ([[0, 0, 0], [1, 2, 3], [0, 0, 0]], "voxel 2: (0, 0, 0) is listed before"),
            ([[0, 0, 0], [1 << 40, 2, 3]], "row 1 does not fit in 32 bits"),
            ([[-1 << 30, 0, 0], [1 << 30, 2, 3]], "voxels over 268435457 bricks along an axis"),
        ] as [([[Int64]], String)])
    func refusesLists(coordinates: [[Int64]], message: String) {
        var list = Npz()
        list.add("coordinates", "<i8", [coordinates.count, 3], coordinates.flatMap { $0 })
        list.add("values", "<f4", [coordinates.count], coordinates.map { _ in UInt32(0) })
        let failure = #expect(throws: Failure.self) { _ = try Self.read(list.bytes) }
        #expect("\(failure!)".contains(message), "\(failure!)")
    }

    /// What other programs write: big-endian, Fortran order, integers, no metadata.
    @Test func readsForeignArrays() throws {
        var fortran = Npz()
        // value = 100x + 10y + z, x fastest.
        let numbers: [UInt16] = (0..<24).map { (i: Int) -> UInt16 in
            let (x, y, z) = (i % 2, i / 2 % 3, i / 6)
            return UInt16(x * 100 + y * 10 + z).bigEndian
        }
        fortran.add("field", ">u2", [2, 3, 4], numbers, isFortran: true)
        var options = ImportOptions()
        options.kind = .feature
        let volume = try Self.read(fortran.bytes, options)
        // Value 0 is the background.
        #expect(volume.activeCount == 23 && volume.metadata.resolution == 4)
        volume.forEachActiveVoxel { row, voxel in
            #expect(volume.values.pointer[row] == Float(100 * voxel.x + 10 * voxel.y + voxel.z))
        }
        options.voxelSize = 0.25
        options.background = -1
        let placed = try Self.read(fortran.bytes, options)
        #expect(placed.activeCount == 24 && placed.metadata.resolution == 0)
        #expect(placed.metadata.indexToWorld == AffineTransform3(scale: 0.25, translation: .zero))
        options.array = "else"
        #expect(throws: Failure.self) { _ = try Self.read(fortran.bytes, options) }
    }

    @Test func readsForeignNRRD() throws {
        let header = """
            NRRD0004
            # by hand
            type: short
            dimension: 3
            sizes: 2 3 4
            spacings: 0.5 1 2
            axis mins: 10 20 30
            endian: big
            encoding: raw


            """
        let numbers = (0..<24).flatMap { [UInt8(0), UInt8($0)] }
        let volume = try Self.read(Array(header.utf8) + numbers)
        #expect(volume.activeCount == 23)
        #expect(volume.metadata.indexToWorld([1, 2, 3]) == [10.5, 22, 36])
        volume.forEachActiveVoxel { row, voxel in
            #expect(volume.values.pointer[row] == Float(voxel.x + 2 * voxel.y + 6 * voxel.z))
        }
    }

    @Test func thePartThatWasWrittenIsPlaced() throws {
        let volume = Self.sphere()
        let box = VoxelBox(from: VoxelCoordinate(3, 5, 7), through: VoxelCoordinate(12, 20, 23))
        for form in [Form.dense, .nrrd] {
            let bytes = try Self.bytes(volume, form) { $0.box = box }
            try Self.expectRead(bytes, as: volume.clipped(from: box.low, through: box.high))
        }
        // Without our own keys, the place comes from the standard fields alone.
        let text = String(
            decoding: try Self.bytes(volume, .nrrd) {
                $0.isDeflated = false; $0.box = box
            }, as: UTF8.self)
        let origin = text.split(separator: "\n").first { $0.hasPrefix("space origin: ") }
        let p = volume.metadata.indexToWorld([3, 5, 7])
        #expect(origin.map(String.init) == "space origin: (\(p.x),\(p.y),\(p.z))")
    }
}
