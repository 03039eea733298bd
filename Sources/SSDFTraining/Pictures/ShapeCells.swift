import SSDFCore
import SSDFVolume

extension BandSamples {
    /// The bricks that the band of a shape has, without its values: what a structure stage is to find.
    ///
    /// Cells that cannot have an active voxel are left out unseen, halves of cells too, by the same margin as bricks
    /// are; a cell whose centre is near the surface has some.
    /// - Returns: ascending by x, y, z.
    package static func cells(of shape: Shape, resolution: Int) -> [BrickCoordinate] {
        let side = resolution / 8
        let voxel = 2 / Float(resolution)
        let band = halfWidth * voxel
        let centers = ShapeSamples(side: side, origin: Vector3f(repeating: -1 + 3.5 * voxel), step: 8 * voxel, shape)
        let reach = 3.5 * 1.7320508 * 1.5 * voxel + band
        let halfReach = 1.5 * 1.7320508 * 1.5 * voxel + band
        // The voxel nearest to a centre is 0.87 voxels away.
        let sure = band - 1.5 * voxel
        var cells: [BrickCoordinate] = []
        for index in 0..<centers.count {
            let distance = abs(centers.values.pointer[index])
            guard distance < reach else { continue }
            let cell = BrickCoordinate(
                Int32(index / (side * side)), Int32(index / side % side), Int32(index % side))
            let corner = Vector3f(Float(cell.x), Float(cell.y), Float(cell.z)) * (8 * voxel) - 1
            if distance < sure || hasActive(shape, corner, voxel, band: band, reach: halfReach, sure: sure) {
                cells.append(cell)
            }
        }
        return cells
    }

    private static func hasActive(
        _ shape: Shape, _ corner: Vector3f, _ voxel: Float, band: Float, reach: Float, sure: Float
    ) -> Bool {
        let halves = ShapeSamples(side: 2, origin: corner + 1.5 * voxel, step: 4 * voxel, shape)
        for half in 0..<8 where abs(halves.values.pointer[half]) < sure { return true }
        for half in 0..<8 where abs(halves.values.pointer[half]) < reach {
            let start = corner + Vector3f(Float(half >> 2), Float(half >> 1 & 1), Float(half & 1)) * (4 * voxel)
            let samples = ShapeSamples(side: 4, origin: start, step: voxel, shape)
            for place in 0..<64 where abs(samples.values.pointer[place]) < band { return true }
        }
        return false
    }
}
