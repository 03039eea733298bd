import SSDFCore
import SSDFVolume
import Testing

@Suite struct RoundTripTests {
    @Test(arguments: Codec.allCases) func keepsEveryBitOfFloats(_ codec: Codec) throws {
        let sphere = SampleVolumes.sphere(resolution: 48)
        let options = VolumeWriteOptions(dtype: .f32, codec: codec, threads: 2)
        let file = try openContainer(try containerBytes(sphere, options))
        let read = try file.read(try file.grid(named: "sdf"), threads: 2)
        let same = identical(sphere, read)
        #expect(same)
        let noise = SampleVolumes.noise(voxels: 3000, channels: 3, seed: 1)
        let noisyFile = try openContainer(try containerBytes(noise, options))
        let readNoise = try noisyFile.read(try noisyFile.grid(), threads: 1)
        let sameNoise = identical(noise, readNoise)
        #expect(sameNoise)
    }

    @Test(arguments: ValueType.allCases) func staysWithinRecordedError(_ dtype: ValueType) throws {
        let sphere = SampleVolumes.sphere(resolution: 48)
        let file = try openContainer(try containerBytes(sphere, VolumeWriteOptions(dtype: dtype)))
        let grid = try file.grid()
        let read = try file.read(grid, threads: 1)
        let errors = zip(sphere.values.array, read.values.array).map { abs(Double($0) - Double($1)) }
        #expect(errors.max()! == grid.totals.errorBound)
        #expect(dtype != .f32 || grid.totals.errorBound == 0)
        #expect(grid.totals.minimum == Double(read.values.array.min()!))
        #expect(grid.totals.maximum == Double(read.values.array.max()!))
    }

    @Test func writesEqualBytesOnAnyNumberOfThreads() throws {
        let sphere = SampleVolumes.sphere(resolution: 64)
        let one = try containerBytes(sphere, VolumeWriteOptions(threads: 1))
        let three = try containerBytes(sphere, VolumeWriteOptions(threads: 3))
        #expect(one == three)
    }

    @Test func readsRegionAlone() throws {
        let sphere = SampleVolumes.sphere(resolution: 64)
        let file = try openContainer(try containerBytes(sphere))
        let low = VoxelCoordinate(3, 20, 30)
        let high = VoxelCoordinate(40, 41, 33)
        let part = try file.read(try file.grid(), from: low, through: high, threads: 2)
        var expected: [VoxelCoordinate: Float] = [:]
        sphere.forEachActiveVoxel { row, v in
            if v.x >= low.x, v.y >= low.y, v.z >= low.z, v.x <= high.x, v.y <= high.y, v.z <= high.z {
                expected[v] = sphere.values[row]
            }
        }
        var found: [VoxelCoordinate: Float] = [:]
        part.forEachActiveVoxel { row, v in found[v] = part.values[row] }
        #expect(!expected.isEmpty && expected == found)
    }

    @Test func namesMissingGrid() throws {
        let file = try openContainer(try containerBytes(SampleVolumes.sphere(resolution: 16)))
        #expect(throws: Failure.badData(file: "bytes", "no grid \"x\"", expected: "one of \"sdf\"")) {
            _ = try file.grid(named: "x")
        }
    }
}
