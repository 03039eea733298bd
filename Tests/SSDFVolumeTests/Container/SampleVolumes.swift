import ContainerCases
import SSDFCore
import SSDFVolume

/// Volumes that tests share: small, of every shape that the container treats differently.
enum SampleVolumes {
    /// The narrow band of a sphere in the default cube: distances within `halfWidth` voxels, f32.
    static func sphere(
        resolution: Int, halfWidth: Double = 3, radius: Double = 0.6, name: String = "sdf"
    ) -> SparseVolume {
        var metadata = GridMetadata(name: name, kind: .sdf, resolution: resolution)
        let voxelSize = metadata.voxelSize
        metadata.truncation = halfWidth * voxelSize
        metadata.background = metadata.truncation
        metadata.signMethod = .given
        metadata.tool = "tests"
        metadata.arguments = ["--resolution", "\(resolution)"]
        var voxels: [VoxelCoordinate] = []
        var values: [Float] = []
        for x in 0..<Int32(resolution) {
            for y in 0..<Int32(resolution) {
                for z in 0..<Int32(resolution) {
                    let p = metadata.indexToWorld(Vector3d(Double(x), Double(y), Double(z)))
                    let distance = p.length - radius
                    guard abs(distance) <= halfWidth * voxelSize else { continue }
                    voxels.append(VoxelCoordinate(x, y, z))
                    values.append(Float(distance))
                }
            }
        }
        return SparseVolume(metadata: metadata, voxels: voxels, values: values)
    }

    /// Random voxels with random bit patterns: NaNs with payloads, infinities, denormals and both zeros among them.
    static func noise(voxels count: Int, channels: Int = 1, seed: UInt64, name: String = "noise") -> SparseVolume {
        var random = Philox(seed: seed)
        let metadata = GridMetadata(name: name, kind: .feature, channels: channels, resolution: 0)
        var voxels: [VoxelCoordinate] = []
        var values: [Float] = []
        for _ in 0..<count {
            voxels.append(
                VoxelCoordinate(
                    Int32.random(in: -40..<40, using: &random), Int32.random(in: -40..<40, using: &random),
                    Int32.random(in: -40..<40, using: &random)))
            for _ in 0..<channels { values.append(Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))) }
        }
        return SparseVolume(metadata: metadata, voxels: voxels, values: values)
    }
}

/// The bytes of a container that holds one volume.
func containerBytes(
    _ volume: borrowing SparseVolume, _ options: VolumeWriteOptions = VolumeWriteOptions()
) throws -> [UInt8] {
    let collector = ByteCollector()
    try writeVolume(volume, options: options, to: collector.append)
    return collector.bytes
}

/// Bytes as a reader takes them.
func inMemory(_ bytes: [UInt8]) -> FileBytes {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    return FileBytes(copying: UnsafeRawBufferPointer(buffer), name: "bytes")
}

/// A container opened from bytes.
func openContainer(_ bytes: [UInt8]) throws -> VolumeFile { try VolumeFile(inMemory(bytes)) }

/// Whether two volumes have the same metadata, bricks, masks and, bit for bit, values.
func identical(_ a: borrowing SparseVolume, _ b: borrowing SparseVolume) -> Bool {
    a.metadata == b.metadata && a.bricks.array == b.bricks.array && a.masks.array == b.masks.array
        && a.values.array.map(\.bitPattern) == b.values.array.map(\.bitPattern)
}
