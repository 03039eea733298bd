import SSDFCore

extension SparseVolume {
    /// Continues the surface where it ran out of the bricks, so that what is extracted is closed.
    ///
    /// A surface that crosses from a brick into space without voxels is cut there. The values of the space around are
    /// taken to be those of a dense volume: of a region of missing bricks whose neighbouring voxels all have one sign, the
    /// background of that sign; of one with both, which is where the surface has a gap, the sign of the harmonic function
    /// between them, brick by brick, and in the bricks that its zero passes its values voxel by voxel: the gap is closed by
    /// a membrane like a soap film. Outside the cube, and in its outermost voxels, is outside. The result holds the bricks
    /// there were, and those others that the dense volume's surface needs.
    ///
    /// A volume whose surface is closed stays as it is, to the byte.
    /// - Precondition: one channel; every brick whole and inside the cube, whose side is a multiple of 8.
    /// - Returns: how many bricks hold a continued surface.
    /// - Complexity: O(bricks of the cube + bricks · 512), and a solve on regions that have a gap.
    @discardableResult
    package mutating func close(threads: Int) -> Int {
        let count = brickCount
        precondition(channels == 1 && activeCount == 512 * count, "whole bricks of one channel")
        let field = ClosedField(self, threads: threads)
        let added = field.missingBricks()
        guard !added.isEmpty || field.reachesBorder else { return 0 }
        var all = (0..<count).map { (brick: bricks.pointer[$0], row: Int32($0)) }
        all += added.map { (brick: $0, row: Int32(-1)) }
        all.sort { $0.brick < $1.brick }
        let result = Buffer<Float>(uninitialized: 512 * all.count)
        let target = Unchecked(result.pointer)
        let order = all
        parallelFor(order.count, threads: threads, grain: 64) { range in
            for index in range { field.fill(order[index].brick, target.value + 512 * index) }
        }
        let masks = Buffer<UInt64>(uninitialized: 8 * order.count)
        masks.pointer.update(repeating: .max, count: masks.count)
        withExtendedLifetime(values.count) {}
        self = SparseVolume(metadata: metadata, bricks: Buffer(order.map(\.brick)), masks: masks, values: result)
        return field.continuedCount
    }
}
