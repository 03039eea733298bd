import CSSDFKernels
import SSDFCore
import Testing

/// Every instruction set's body of the distance kernels against the scalar one, at lengths 0…65.
@Suite struct DistanceKernelTests {
    static let bodies = (0...ssdf_processor_isa()).map { Int32($0) }

    /// Triangles in and around a tile, small and large, some without area.
    static func triangles(_ count: Int, seed: UInt64) -> (positions: [Float], indices: [UInt32]) {
        var random = Philox(seed: seed)
        var positions: [Float] = []
        for t in 0..<count {
            let center = (0..<3).map { _ in Float(random.uniform() - 0.5) * 60 }
            let size: Float = t % 7 == 0 ? 80 : 4
            for corner in 0..<3 {
                for axis in 0..<3 {
                    let flat = t % 5 == 0 && corner == 2
                    let offset = flat ? 0 : Float(random.uniform() - 0.5) * size
                    positions.append(center[axis] + offset)
                }
            }
            // A third corner on the first makes a segment.
            if t % 5 == 0 { for axis in 0..<3 { positions[9 * t + 6 + axis] = positions[9 * t + axis] } }
        }
        return (positions, (0..<UInt32(3 * count)).map { $0 })
    }

    static func frames(_ isa: Int32, _ count: Int, seed: UInt64) -> [ssdf_triangle_frame] {
        let (positions, indices) = triangles(max(count, 1), seed: seed)
        let list = (0..<UInt32(count)).map { $0 }
        let identity: [Double] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
        var frames = [ssdf_triangle_frame](repeating: ssdf_triangle_frame(), count: count + 1)
        ssdf_triangle_frames_isa(isa, positions, indices, list + [0], count, identity, 40, &frames)
        return Array(frames.prefix(count))
    }

    @Test(arguments: bodies)
    func framesAreThoseOfTheScalarBody(isa: Int32) {
        for count in 0...65 {
            let expected = Self.frames(Int32(SSDF_ISA_SCALAR.rawValue), count, seed: 1)
            let found = Self.frames(isa, count, seed: 1)
            for (f, e) in zip(found, expected) {
                // Compared by what they are for: distances of points.
                for n in 0..<4 {
                    let p = Vector3f(Float(n) * 9 - 13, 7 - Float(n) * 5, Float(n * n) * 3 - 11)
                    let points =
                        [Float](repeating: p.x, count: 16) + [Float](repeating: p.y, count: 16)
                        + [Float](repeating: p.z, count: 16)
                    var (a, b) = ([Float](repeating: 0, count: 16), [Float](repeating: 0, count: 16))
                    withUnsafePointer(to: f) { ssdf_frame_distances($0, points, &a) }
                    withUnsafePointer(to: e) { ssdf_frame_distances($0, points, &b) }
                    #expect(abs(a[0].squareRoot() - b[0].squareRoot()) < 1e-4)
                }
            }
        }
    }

    @Test(arguments: bodies)
    func pairsAndBricksAreThoseOfTheScalarBody(isa: Int32) {
        let scalar = Int32(SSDF_ISA_SCALAR.rawValue)
        for count in 0...65 {
            let frames = Self.frames(scalar, count, seed: UInt64(100 + count))
            for limit in [1, 3.5, 8] as [Float] {
                let expected = Self.pairs(scalar, frames, limit)
                let found = Self.pairs(isa, frames, limit)
                // Rounding may add or lose a pair at the very reach: the brick's radius beyond the limit.
                let reach = limit + 6.0621779
                for (one, other) in [(found.pairs, expected.pairs), (expected.pairs, found.pairs)] {
                    let lost = one.filter { other[$0.key] == nil && abs($0.value.squareRoot() - reach) > 1e-4 }
                    #expect(lost.isEmpty, "\(count) triangles, limit \(limit)")
                }
                for (f, e) in zip(found.nearest, expected.nearest) {
                    #expect(f == e || abs(f.squareRoot() - e.squareRoot()) < 1e-4)
                }
                Self.compareBricks(isa, frames, limit)
            }
        }
    }

    static func pairs(
        _ isa: Int32, _ frames: [ssdf_triangle_frame], _ limit: Float
    ) -> (pairs: [SIMD2<UInt32>: Float], nearest: [Float]) {
        let capacity = 128 * frames.count + 1
        var bricks = [UInt16](repeating: 0, count: capacity)
        var numbers = [UInt32](repeating: 0, count: capacity)
        var squared = [Float](repeating: 0, count: capacity)
        var nearest = [Float](repeating: 0, count: 128)
        let count = (frames + [ssdf_triangle_frame()]).withUnsafeBufferPointer {
            ssdf_tile_pairs_isa(
                isa, $0.baseAddress!, frames.count, limit, capacity, &bricks, &numbers, &squared, &nearest)
        }
        var pairs: [SIMD2<UInt32>: Float] = [:]
        for n in 0..<count { pairs[SIMD2(UInt32(bricks[n]), numbers[n])] = squared[n] }
        #expect(pairs.count == count, "a pair comes twice")
        return (pairs, nearest)
    }

    static func brick(
        _ isa: Int32, _ frames: [ssdf_triangle_frame], _ brick: Int32, _ limit: Float
    ) -> (squared: [Float], active: [UInt64], doubtful: [UInt64]) {
        let list = (0..<UInt32(frames.count)).map { $0 } + [0]
        var scratch = [UInt64](repeating: 0, count: ssdf_brick_scratch(frames.count) / 8 + 16)
        var squared = [Float](repeating: .infinity, count: 512)
        var active = [UInt64](repeating: 0, count: 8)
        var doubtful = [UInt64](repeating: 0, count: 8)
        _ = (frames + [ssdf_triangle_frame()]).withUnsafeBufferPointer { frames in
            scratch.withUnsafeMutableBytes {
                ssdf_brick_distances_isa(
                    isa, frames.baseAddress!, list, list.count - 1, brick, limit, 6e-5 / limit, $0.baseAddress!,
                    &squared, &active, &doubtful)
            }
        }
        return (squared, active, doubtful)
    }

    static func compareBricks(_ isa: Int32, _ frames: [ssdf_triangle_frame], _ limit: Float) {
        for number in [0, 42, 77, 127] as [Int32] {
            let expected = brick(Int32(SSDF_ISA_SCALAR.rawValue), frames, number, limit)
            let found = brick(isa, frames, number, limit)
            var wrong = 0
            for voxel in 0..<512 {
                let bit: UInt64 = 1 << UInt64(voxel & 63)
                let doubt = (expected.doubtful[voxel >> 6] | found.doubtful[voxel >> 6]) & bit != 0
                let isActive = expected.active[voxel >> 6] & bit != 0
                if !doubt, isActive != (found.active[voxel >> 6] & bit != 0) { wrong += 1 }
                guard isActive, !doubt else { continue }
                if abs(found.squared[voxel].squareRoot() - expected.squared[voxel].squareRoot()) > 1e-4 { wrong += 1 }
            }
            #expect(wrong == 0, "brick \(number), \(frames.count) triangles, limit \(limit)")
        }
    }

    /// Square roots and roundings are exact operations: the bodies agree to the last bit.
    @Test(arguments: bodies)
    func packedValuesAreThoseOfTheScalarBody(isa: Int32) {
        var random = Philox(seed: 5)
        for count in 0...65 {
            var squared = (0..<512).map { _ in Float(random.uniform()) * 9 }
            squared[3] = 0
            var active = [UInt64](repeating: 0, count: 8)
            for n in 0..<count { active[(n * 37 % 512) >> 6] |= 1 << UInt64(n * 37 & 63) }
            let inside = (0..<8).map { _ in random.next() }
            var expected = [Float](repeating: -1, count: 600)
            var found = expected
            let scalar = ssdf_pack_distances_isa(
                Int32(SSDF_ISA_SCALAR.rawValue), squared, active, inside, 0.01, 0x1p-26, 0x1p21, &expected)
            let other = ssdf_pack_distances_isa(isa, squared, active, inside, 0.01, 0x1p-26, 0x1p21, &found)
            #expect(scalar == count && other == count)
            let same = zip(found, expected).prefix(count).allSatisfy { $0.bitPattern == $1.bitPattern }
            #expect(same, "\(count) values")
        }
    }
}
