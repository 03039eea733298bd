import SSDFCore
import SSDFVolume

/// One valid conformance file.
package struct ValidCase: Sendable {
    package var name: String
    package var shows: String
    package var make: @Sendable () throws(Failure) -> [UInt8]
}

/// The valid conformance files.
package enum ValidCases {
    package static var all: [ValidCase] {
        var cases: [ValidCase] = []
        for dtype in ValueType.allCases {
            for codec in Codec.allCases {
                cases.append(
                    ValidCase(name: "ball-\(dtype)-\(codec)", shows: "a band, value type \(dtype), codec \(codec)") {
                        () throws(Failure) in
                        try written([ball(rounded: false)], VolumeWriteOptions(dtype: dtype, codec: codec))
                    })
            }
        }
        cases.append(
            ValidCase(name: "ball-rounded", shows: "distances that are multiples of 2^-20: quanta without remainders") {
                () throws(Failure) in try written([ball(rounded: true)], VolumeWriteOptions(codec: .none))
            })
        cases.append(
            ValidCase(name: "empty-file", shows: "no grid at all") { () throws(Failure) in try written([]) })
        cases.append(
            ValidCase(name: "empty-grid", shows: "a grid without bricks") { () throws(Failure) in
                try written([{ volume("empty", .sdf, [], []) }])
            })
        cases.append(
            ValidCase(name: "several-grids", shows: "three grids of different kinds; names beyond ASCII") {
                () throws(Failure) in
                try written([
                    ball(rounded: true), latent(), { volume("höhe", .udf, [VoxelCoordinate(0, 0, 0)], [1.5]) },
                ])
            })
        cases.append(
            ValidCase(name: "latent", shows: "16 channels") { () throws(Failure) in
                try written([latent()], VolumeWriteOptions(codec: .none))
            })
        cases.append(
            ValidCase(name: "far-apart", shows: "bricks at both ends of the range, negative ones among them") {
                () throws(Failure) in
                try written(
                    [
                        {
                            let end = Int32.max
                            let start = Int32.min
                            let voxels = [
                                VoxelCoordinate(start, start, start), VoxelCoordinate(-1, 0, end),
                                VoxelCoordinate(0, -9, 4), VoxelCoordinate(0, -9, start),
                                VoxelCoordinate(end, end, end),
                            ]
                            return volume("far", .feature, voxels, [1, -2, 3, -4, 5])
                        }
                    ], VolumeWriteOptions(codec: .none))
            })
        cases.append(
            ValidCase(name: "odd-floats", shows: "NaNs, infinities, denormals and both zeros, bit for bit") {
                () throws(Failure) in
                try written([odd(withNaN: true)], VolumeWriteOptions(codec: .none))
            })
        cases.append(
            ValidCase(name: "small-floats", shows: "denormals and both zeros: remainders of quantum 0") {
                () throws(Failure) in
                try written([odd(withNaN: false)], VolumeWriteOptions(codec: .none))
            })
        cases.append(
            ValidCase(name: "ancillary", shows: "unknown ancillary chunks of the file and of a grid") {
                () throws(Failure) in
                let collector = ByteCollector()
                var writer = try VolumeWriter(options: VolumeWriteOptions(codec: .none), to: collector.append)
                try writer.write(AncillaryChunk(type: ChunkType("note"), payload: Array("of the file".utf8)))
                let part = ball(rounded: true)()
                try writer.beginGrid(part.metadata)
                try writer.write(AncillaryChunk(type: ChunkType("noTE"), flags: 7, payload: Array("of the grid".utf8)))
                try writer.append(part)
                try writer.endGrid()
                try writer.finish()
                return collector.bytes
            })
        return cases
    }

    typealias Maker = @Sendable () -> SparseVolume

    static func written(
        _ volumes: [Maker], _ options: VolumeWriteOptions = VolumeWriteOptions()
    ) throws(Failure) -> [UInt8] {
        let collector = ByteCollector()
        var writer = try VolumeWriter(options: options, to: collector.append)
        for volume in volumes { try writer.write(volume()) }
        try writer.finish()
        return collector.bytes
    }

    static func volume(
        _ name: String, _ kind: GridMetadata.Kind, _ voxels: [VoxelCoordinate], _ values: [Float], channels: Int = 1
    ) -> SparseVolume {
        SparseVolume(
            metadata: GridMetadata(name: name, kind: kind, channels: channels, resolution: 0), voxels: voxels,
            values: values)
    }

    /// The band of a ball that lies across the origin of the voxels, metadata in full.
    static func ball(rounded: Bool) -> Maker {
        {
            var metadata = GridMetadata(name: "sdf", kind: .sdf, resolution: 16)
            metadata.worldToSource = AffineTransform3(scale: 25.4, translation: [1, -2, 3])
            metadata.unit = "mm"
            metadata.isoValue = 0.0625
            metadata.truncation = 0.25
            metadata.background = 0.25
            metadata.signMethod = .winding
            metadata.signConfidence = 0.75
            metadata.sourceHash = contentHash(UnsafeRawBufferPointer(start: nil, count: 0))
            metadata.tool = "conformance 1"
            metadata.arguments = ["--half-width", "2", ""]
            metadata.seed = 0x0123_4567_89ab_cdef
            metadata.modelHash = metadata.sourceHash
            var voxels: [VoxelCoordinate] = []
            var values: [Float] = []
            for x in Int32(-6)...9 {
                for y in Int32(-6)...6 {
                    for z in Int32(-6)...6 {
                        let d = (Vector3d(Double(x) - 1.25, Double(y), Double(z) + 0.5).length - 4.3) / 8
                        guard abs(d) <= 0.25 else { continue }
                        voxels.append(VoxelCoordinate(x, y, z))
                        values.append(Float(rounded ? (d * 0x1p20).rounded() * 0x1p-20 : d))
                    }
                }
            }
            return SparseVolume(metadata: metadata, voxels: voxels, values: values)
        }
    }

    private static func latent() -> Maker {
        {
            var random = Philox(seed: 5)
            let voxels = (0..<20).map { VoxelCoordinate($0 / 4, $0 % 4 * 3, -$0) }
            let values = (0..<320).map { _ in Float(random.uniform() * 8 - 4) }
            return volume("latent", .latent, voxels, values, channels: 16)
        }
    }

    private static func odd(withNaN: Bool) -> Maker {
        {
            var values: [Float] = [
                0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, 1, -1, 1.5, 3e-5,
                -2e-9,
            ]
            if withNaN {
                values += [
                    .infinity, -.infinity, Float(bitPattern: 0x7fc0_1234), Float(bitPattern: 0xff80_0001),
                    .greatestFiniteMagnitude,
                ]
            }
            let voxels = values.indices.map { VoxelCoordinate(Int32($0 % 3), Int32($0 / 3), Int32($0 * 5 % 8)) }
            return volume("odd", .feature, voxels, values)
        }
    }
}

/// Collects what a writer emits.
package final class ByteCollector {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package func append(_ part: UnsafeRawBufferPointer) { bytes.append(contentsOf: part) }
}
