import SSDFCore
import SSDFVolume

extension SparseVolume {
    /// Calls `body` with every brick that meets the cube of `size` voxels from `origin`, and where its first voxel lies
    /// in that cube.
    /// - Complexity: O(bricks).
    func forEachBrick(
        from origin: (x: Int, y: Int, z: Int), size: Int,
        _ body: (_ brick: Int, _ first: (x: Int, y: Int, z: Int)) -> Void
    ) {
        for brick in 0..<brickCount {
            let b = bricks.pointer[brick]
            let first = (x: 8 * Int(b.x) - origin.x, y: 8 * Int(b.y) - origin.y, z: 8 * Int(b.z) - origin.z)
            guard first.x > -8, first.y > -8, first.z > -8, first.x < size, first.y < size, first.z < size else {
                continue
            }
            body(brick, first)
        }
    }

    /// The mean over cells of 2×2×2 voxels in units of `unit`, with one more voxel in the divisor than there are (SPEC
    /// Q2), and voxels where the reference's pieces overlap counted once a piece (SPEC Q9).
    /// - Parameter chunks: pieces along an axis; the upper ones' first seven voxels come twice.
    func halved(unit: Float, overlapping chunks: Int) -> SparseVolume {
        let length = metadata.resolution / max(chunks, 1)
        func copies(_ place: Int32) -> Int {
            let (piece, inside) = (Int(place) / length, Int(place) % length)
            return chunks > 1 && piece > 0 && inside < 7 ? 2 : 1
        }
        var cells: [VoxelCoordinate: (sum: Double, count: Int)] = [:]
        var voxels: [VoxelCoordinate] = []
        var values: [Float] = []
        for brick in 0..<brickCount {
            cells.removeAll(keepingCapacity: true)
            let origin = bricks.pointer[brick]
            for bit in 0..<512 {
                guard let row = row(brick: brick, bit: bit) else { continue }
                let voxel = origin.voxel(atBit: bit)
                let weight = copies(voxel.x) * copies(voxel.y) * copies(voxel.z)
                let cell = VoxelCoordinate(voxel.x >> 1, voxel.y >> 1, voxel.z >> 1)
                let old = cells[cell] ?? (0, 0)
                cells[cell] = (
                    old.sum + Double(weight) * Double(self.values.pointer[row] / unit), old.count + weight
                )
            }
            for (cell, (sum, count)) in cells {
                voxels.append(cell)
                values.append(Float(sum / Double(count + 1)))
            }
        }
        return SparseVolume(
            metadata: GridMetadata(name: "half", kind: .sdf, resolution: metadata.resolution / 2), voxels: voxels,
            values: values)
    }
}

extension DecodedVolume {
    /// The features, which the refiner reads once.
    mutating func takeFeatures() -> Buffer<Float> {
        var taken = Buffer<Float>(uninitialized: 0)
        swap(&taken, &features)
        return taken
    }

    /// Makes the volume that of a dense one: the decoded bricks, and all others that its surface at `iso` passes.
    /// - Parameters:
    ///   - side: bricks along a side.
    ///   - iso: in the network's units.
    ///   - keepsDecoded: whether decoded bricks keep their values.
    ///   - fill: the dense volume's 512 values of a brick, in the network's units; called from several threads.
    mutating func replaceVolume(
        side: Int, iso: Float, threads: Int, keepsDecoded: Bool = false,
        fill: @Sendable (BrickCoordinate, UnsafeMutablePointer<Float>) -> Void
    ) {
        let unit = Float(scale.unit)
        var decodedRow = [Int32](repeating: -1, count: side * side * side)
        for brick in 0..<volume.brickCount {
            let b = volume.bricks.pointer[brick]
            decodedRow[(Int(b.x) * side + Int(b.y)) * side + Int(b.z)] = Int32(brick)
        }
        let rows = decodedRow
        let old = Unchecked(volume.values.pointer)
        /// The values of a brick in the network's units. Decoded bricks are whole.
        @Sendable func values(_ b: BrickCoordinate, _ target: UnsafeMutablePointer<Float>) {
            let row = Int(rows[(Int(b.x) * side + Int(b.y)) * side + Int(b.z)])
            guard keepsDecoded, row >= 0 else { return fill(b, target) }
            for bit in 0..<512 { target[bit] = old.value[row * 512 + bit] / unit }
        }
        let signs = BrickSigns(side: side, threads: threads) { brick, words in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 512) { dense in
                values(brick, dense.baseAddress!)
                for bit in 0..<512 where dense[bit] < iso { words[bit >> 6] |= 1 << UInt64(bit & 63) }
            }
        }
        var bricks: [BrickCoordinate] = []
        for index in 0..<side * side * side {
            let brick = BrickCoordinate(
                Int32(index / (side * side)), Int32(index / side % side), Int32(index % side))
            if rows[index] >= 0 || signs.meetsSurface(brick) { bricks.append(brick) }
        }
        let kept = bricks
        let result = Buffer<Float>(uninitialized: 512 * kept.count)
        let target = Unchecked(result.pointer)
        parallelFor(kept.count, threads: threads, grain: 64) { range in
            for index in range {
                let place = target.value + 512 * index
                values(kept[index], place)
                for bit in 0..<512 { place[bit] *= unit }
            }
        }
        let masks = Buffer<UInt64>(uninitialized: 8 * kept.count)
        masks.pointer.update(repeating: .max, count: 8 * kept.count)
        volume = SparseVolume(metadata: volume.metadata, bricks: Buffer(kept), masks: masks, values: result)
    }

    /// The volume, without what stood beside it.
    package consuming func takeVolume() -> SparseVolume { volume }
}
