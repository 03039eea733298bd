import SSDFCore
import SSDFMesh
import SSDFVolume

/// How well a volume tells inside from outside.
///
/// Counted are the active voxels more than 0.05 voxel from the surface, from what is left of it and from what was there.
/// Which side each is on is told by the crossings of a ray with the clean mesh: inside where more leave than enter.
package struct SignErrors: Sendable {
    package var counted = 0
    package var wrong = 0
    package var method = ""
    package var confidence = 0.0

    /// Share of the counted voxels whose sign is wrong.
    package var share: Double { Double(wrong) / Double(max(1, counted)) }

    /// Voxelizes `broken` and compares signs with those of `clean`, which is closed and turned outwards.
    package init(_ broken: TriangleMesh, clean: TriangleMesh, options: VoxelizeOptions) throws(Failure) {
        let volume = try voxelize(broken, options: options)
        let reference = TriangleBVH(clean, threads: options.threads)
        let toSource = volume.metadata.worldToSource.composed(after: volume.metadata.indexToWorld)
        let skip = Float(0.05 * volume.metadata.voxelSize)
        // A slanted direction: no fixture has faces or edges along it.
        let direction = Vector3f(0.5773, 0.3127, 0.7543)
        let far = Float(0.05 * toSource.x.length)
        let counts = parallelMap(volume.brickCount, threads: options.threads, grain: 8) { brick -> SIMD2<Int> in
            var counts = SIMD2<Int>()
            for bit in 0..<512 {
                guard let row = volume.row(brick: brick, bit: bit) else { continue }
                let value = volume.values.pointer[row]
                guard abs(value) > skip else { continue }
                let voxel = volume.bricks.pointer[brick].voxel(atBit: bit)
                let place = toSource(Vector3d(Double(voxel.x), Double(voxel.y), Double(voxel.z)))
                let hits = reference.hits(Ray(origin: Vector3f(place), direction: direction))
                let isInside = hits.reduce(0) { $0 + ($1.enters ? -1 : 1) } >= 1
                if (value < 0) != isInside {
                    guard reference.closestPoint(to: Vector3f(place), within: far) == nil else { continue }
                    counts.y += 1
                }
                counts.x += 1
            }
            return counts
        }
        for count in counts {
            counted += count.x
            wrong += count.y
        }
        method = volume.metadata.signMethod.name
        confidence = volume.metadata.signConfidence
    }
}
