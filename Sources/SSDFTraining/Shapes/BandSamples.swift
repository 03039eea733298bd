import SSDFCore
import SSDFVolume

/// A narrow band in whole bricks: what an auto-encoder is trained on.
///
/// Values are signed distances over the half width of the band, held within −1 … 1; a voxel is active when its value
/// lies between the two. Every brick has an active voxel, and all of its 512 voxels a value, so that the voxels which
/// decoding makes beyond the active ones have their targets.
package struct BandSamples: ~Copyable, Sendable {
    /// Voxels along a side of the cube [-1, 1]³; sample i is at −1 + 2i/resolution.
    package let resolution: Int
    /// Ascending.
    package let bricks: [BrickCoordinate]
    /// `[bricks, 512]` in mask order: x·64 + y·8 + z.
    package let values: Buffer<Float>
    /// `[bricks, 512]` how near each voxel is to a sharp edge, 1 at the edge; empty when only the values tell.
    package let sharpness: Buffer<Float>

    /// Half width of the band in voxels.
    package static let halfWidth: Float = 4

    /// A band of arrays shaped as the properties say.
    package init(
        resolution: Int, bricks: [BrickCoordinate], values: consuming Buffer<Float>,
        sharpness: consuming Buffer<Float> = Buffer(uninitialized: 0)
    ) {
        precondition(values.count == 512 * bricks.count, "512 values a brick")
        self.sharpness = sharpness
        self.resolution = resolution
        self.bricks = bricks
        self.values = values
    }

    /// The band of a shape in the cube.
    ///
    /// Bricks whose centre is too far from the surface are left out unseen: distances are bounds, up to the ellipsoid's
    /// error, for which there is a margin of a half.
    /// - Complexity: O((bricks of the cube + 512 · bricks near the surface) · primitives).
    package init(_ shape: Shape, resolution: Int) {
        precondition(resolution % 8 == 0, "whole bricks along a side")
        let side = resolution / 8
        let voxel = 2 / Float(resolution)
        let centers = ShapeSamples(
            side: side, origin: Vector3f(repeating: -1 + 3.5 * voxel), step: 8 * voxel, shape)
        let reach = (3.5 * 1.7320508 * 1.5 + Self.halfWidth) * voxel
        let factor = 1 / (Self.halfWidth * voxel)
        var bricks: [BrickCoordinate] = []
        var kept: [Float] = []
        for index in 0..<centers.count where abs(centers.values.pointer[index]) < reach {
            let brick = BrickCoordinate(
                Int32(index / (side * side)), Int32(index / side % side), Int32(index % side))
            let corner = Vector3f(Float(brick.x), Float(brick.y), Float(brick.z)) * (8 * voxel) - 1
            let samples = ShapeSamples(side: 8, origin: corner, step: voxel, shape)
            var hasActive = false
            for place in 0..<512 {
                let value = max(-1, min(1, samples.values.pointer[place] * factor))
                samples.values.pointer[place] = value
                if abs(value) < 1 { hasActive = true }
            }
            guard hasActive else { continue }
            bricks.append(brick)
            kept.append(contentsOf: samples.values.unsafeElements)
        }
        self.init(resolution: resolution, bricks: bricks, values: Buffer(kept))
    }

    /// The band of a volume, as far as it lies in the cube, which is what networks see; inactive voxels of a brick take the
    /// side of the nearest active ones, spread from voxel to voxel inside the brick.
    /// - Parameter sharp: nearness to sharp edges, of the voxels that have any.
    /// - Precondition: a signed distance grid of the default cube with a band at least `halfWidth` wide.
    package init(_ volume: borrowing SparseVolume, sharp: borrowing SparseVolume) {
        let (bricks, values) = Self.filledBricks(of: volume)
        let sharpness = Buffer<Float>(zeros: 512 * bricks.count)
        for (place, brick) in bricks.enumerated() {
            guard let other = sharp.brickIndex(of: brick) else { continue }
            var row = sharp.offsets.pointer[other]
            for bit in 0..<512 where sharp.masks.pointer[8 * other + bit >> 6] >> UInt64(bit & 63) & 1 != 0 {
                sharpness.pointer[512 * place + bit] = max(0, min(1, sharp.values.pointer[row]))
                row += 1
            }
        }
        self.init(
            resolution: volume.metadata.resolution, bricks: bricks, values: Buffer(values), sharpness: sharpness)
    }

    /// The band of a volume without what only its mesh could tell of sharp edges.
    /// - Precondition: as above.
    package init(_ volume: borrowing SparseVolume) {
        let (bricks, values) = Self.filledBricks(of: volume)
        self.init(resolution: volume.metadata.resolution, bricks: bricks, values: Buffer(values))
    }

    private static func filledBricks(
        of volume: borrowing SparseVolume
    ) -> (bricks: [BrickCoordinate], values: [Float]) {
        let factor = 1 / (halfWidth * Float(volume.metadata.voxelSize))
        var bricks: [BrickCoordinate] = []
        var kept: [Float] = []
        let cube = 0..<Int32(volume.metadata.resolution / 8)
        for brick in 0..<volume.brickCount {
            let place = volume.bricks.pointer[brick]
            guard cube.contains(place.x), cube.contains(place.y), cube.contains(place.z) else { continue }
            var values = [Float](repeating: 2, count: 512)
            var row = volume.offsets.pointer[brick]
            var hasActive = false
            for bit in 0..<512 where volume.masks.pointer[8 * brick + bit >> 6] >> UInt64(bit & 63) & 1 != 0 {
                values[bit] = max(-1, min(1, volume.values.pointer[row] * factor))
                if abs(values[bit]) < 1 { hasActive = true }
                row += 1
            }
            guard hasActive else { continue }
            fill(&values)
            bricks.append(place)
            kept += values
        }
        return (bricks, kept)
    }

    /// Gives voxels without a value (2) the side of a neighbour that has one, until all have.
    private static func fill(_ values: inout [Float]) {
        var open = (0..<512).filter { values[$0] > 1 }
        while !open.isEmpty {
            let before = values
            open = open.filter { bit in
                let steps = [(64, bit >> 6), (8, bit >> 3 & 7), (1, bit & 7)]
                var best: Float = 2
                for (step, place) in steps {
                    if place > 0, before[bit - step] <= 1, best > 1 { best = before[bit - step] }
                    if place < 7, before[bit + step] <= 1, best > 1 { best = before[bit + step] }
                }
                guard best <= 1 else { return true }
                values[bit] = best < 0 ? -1 : 1
                return false
            }
        }
    }

    /// Active voxels.
    package var activeCount: Int { values.unsafeElements.reduce(0) { $0 + (abs($1) < 1 ? 1 : 0) } }

    /// The active voxels as a signed distance grid, in world units.
    package func volume(name: String = "sdf") -> SparseVolume {
        let scale = Self.halfWidth * 2 / Float(resolution)
        var metadata = GridMetadata(name: name, kind: .sdf, resolution: resolution)
        metadata.truncation = Double(scale)
        metadata.background = Double(scale)
        metadata.signMethod = .given
        let masks = Buffer<UInt64>(zeros: 8 * bricks.count)
        var kept: [Float] = []
        for index in 0..<values.count where abs(values.pointer[index]) < 1 {
            masks.pointer[index >> 6] |= 1 << UInt64(index & 63)
            kept.append(values.pointer[index] * scale)
        }
        return SparseVolume(metadata: metadata, bricks: Buffer(bricks), masks: masks, values: Buffer(kept))
    }

    /// The bricks of a box of positions alone.
    package func cropped(low: BrickCoordinate, side: Int) -> BandSamples {
        let inside = bricks.indices.filter { index in
            let b = bricks[index]
            return (b.x &- low.x >= 0 && b.x &- low.x < side) && (b.y &- low.y >= 0 && b.y &- low.y < side)
                && (b.z &- low.z >= 0 && b.z &- low.z < side)
        }
        let kept = Buffer<Float>(uninitialized: 512 * inside.count)
        let hasSharpness = sharpness.count > 0
        let sharp = Buffer<Float>(uninitialized: hasSharpness ? 512 * inside.count : 0)
        for (place, index) in inside.enumerated() {
            (kept.pointer + 512 * place).update(from: values.pointer + 512 * index, count: 512)
            if hasSharpness {
                (sharp.pointer + 512 * place).update(from: sharpness.pointer + 512 * index, count: 512)
            }
        }
        return BandSamples(
            resolution: resolution, bricks: inside.map { bricks[$0] }, values: kept, sharpness: sharp)
    }
}
