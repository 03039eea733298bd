import SSDFCore
import SSDFVolume
import Testing

@Suite struct HostileInputTests {
    /// Opens and reads everything.
    private func readAll(_ bytes: [UInt8]) throws {
        let file = try openContainer(bytes)
        for grid in file.grids { _ = try file.read(grid, threads: 1) }
    }

    @Test func rejectsTruncationAtEveryOffset() throws {
        let bytes = try containerBytes(SampleVolumes.sphere(resolution: 16))
        try readAll(bytes)
        for count in 0..<bytes.count {
            #expect(throws: Failure.self) { try readAll(Array(bytes.prefix(count))) }
        }
    }

    @Test func rejectsEveryFlippedBit() throws {
        let bytes = try containerBytes(SampleVolumes.noise(voxels: 20, seed: 3))
        for position in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(bit)
                #expect(throws: Failure.self, "bit \(bit) of byte \(position)") { try readAll(damaged) }
            }
        }
    }

    @Test func rejectsTrailingBytes() throws {
        let bytes = try containerBytes(SampleVolumes.sphere(resolution: 16))
        #expect(throws: Failure.self) { try readAll(bytes + [0]) }
    }
}
