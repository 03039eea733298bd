import SSDFCore

/// A dense array of voxels in a file's bytes: how many along x, y, z and of channels, and how far they are apart.
struct DenseArray {
    let scalars: ScalarRun
    let size: (x: Int, y: Int, z: Int, channels: Int)
    /// In numbers, not bytes.
    let stride: (x: Int, y: Int, z: Int, channels: Int)
}

extension SparseVolume {
    /// The active voxels of a dense array.
    ///
    /// Those are the voxels where `active` is not 0; without it, those with a value that is finite and not the background,
    /// nor in a grid of signed distances its mirror image.
    /// - Parameters:
    ///   - array: lies at `corner` and onwards, with as many channels as `metadata` says.
    ///   - active: of the same size, one channel.
    /// - Throws: `badData` when an active distance is not finite.
    /// - Complexity: O(voxels of the array).
    init(
        metadata: GridMetadata, _ array: DenseArray, active: DenseArray?, corner: VoxelCoordinate, threads: Int
    ) throws(Failure) {
        let gather = BrickGather(metadata: metadata, array: array, active: active, corner: corner)
        let layers = (Int(corner.x) >> 3)...((Int(corner.x) + array.size.x - 1) >> 3)
        let parts: [Result<BrickGather.Part, Failure>] = parallelMap(layers.count, threads: threads) { layer in
            do throws(Failure) { return .success(try gather.layer(Int32(layers.lowerBound + layer))) } catch {
                return .failure(error)
            }
        }
        var whole: [BrickGather.Part] = []
        for part in parts { whole.append(try part.get()) }
        let bricks = Buffer<BrickCoordinate>(uninitialized: whole.reduce(0) { $0 + $1.bricks.count })
        let masks = Buffer<UInt64>(uninitialized: bricks.count * 8)
        let values = Buffer<Float>(uninitialized: whole.reduce(0) { $0 + $1.values.count })
        var (brick, value) = (0, 0)
        for part in whole {
            for (index, coordinate) in part.bricks.enumerated() { bricks.pointer[brick + index] = coordinate }
            for (index, word) in part.masks.enumerated() { masks.pointer[brick * 8 + index] = word }
            part.values.withUnsafeBufferPointer {
                if let base = $0.baseAddress { (values.pointer + value).update(from: base, count: $0.count) }
            }
            brick += part.bricks.count
            value += part.values.count
        }
        self.init(metadata: metadata, bricks: bricks, masks: masks, values: values)
    }
}

/// Collects the active voxels of a dense array, brick by brick.
private struct BrickGather: @unchecked Sendable {
    struct Part: Sendable {
        var bricks: [BrickCoordinate] = []
        var masks: [UInt64] = []
        var values: [Float] = []
    }

    let metadata: GridMetadata
    let array: DenseArray
    let active: DenseArray?
    let corner: VoxelCoordinate

    /// The bricks of one layer along x, in order.
    func layer(_ x: Int32) throws(Failure) -> Part {
        var part = Part()
        let scratch = Buffer<Float>(uninitialized: 8 * array.size.channels)
        let flags = Buffer<Float>(uninitialized: 8)
        let last = (
            y: Int32(truncatingIfNeeded: Int(corner.y) + array.size.y - 1) >> 3,
            z: Int32(truncatingIfNeeded: Int(corner.z) + array.size.z - 1) >> 3
        )
        for y in corner.y >> 3...last.y {
            for z in corner.z >> 3...last.z {
                try gather(BrickCoordinate(x, y, z), scratch, flags, into: &part)
            }
        }
        return part
    }

    private func gather(
        _ brick: BrickCoordinate, _ scratch: borrowing Buffer<Float>, _ flags: borrowing Buffer<Float>,
        into part: inout Part
    ) throws(Failure) {
        let channels = array.size.channels
        let first = brick.voxel(atBit: 0)
        // The brick's voxels that lie in the array, in the array's own positions.
        let x0 = Int(first.x) - Int(corner.x)
        let y0 = Int(first.y) - Int(corner.y)
        let z0 = Int(first.z) - Int(corner.z)
        let zs = max(0, z0)..<min(z0 + 8, array.size.z)
        let firstWord = part.masks.count
        var isEmpty = true
        part.masks.append(contentsOf: repeatElement(0, count: 8))
        for x in max(0, x0)..<min(x0 + 8, array.size.x) {
            for y in max(0, y0)..<min(y0 + 8, array.size.y) {
                let line = x * array.stride.x + y * array.stride.y + zs.lowerBound * array.stride.z
                for channel in 0..<channels {
                    array.scalars.copy(
                        from: line + channel * array.stride.channels, stride: array.stride.z, count: zs.count,
                        into: scratch.pointer + channel * 8)
                }
                if let active {
                    active.scalars.copy(
                        from: x * active.stride.x + y * active.stride.y + zs.lowerBound * active.stride.z,
                        stride: active.stride.z, count: zs.count, into: flags.pointer)
                }
                for z in zs {
                    let position = z - zs.lowerBound
                    guard isActive(scratch, flags, position) else { continue }
                    isEmpty = false
                    part.masks[firstWord + x - x0] |= 1 << UInt64((y - y0) << 3 | (z - z0))
                    for channel in 0..<channels {
                        let value = scratch.pointer[channel * 8 + position]
                        guard value.isFinite || !metadata.kind.isDistance else {
                            throw .badData(
                                place: "voxel (\(x), \(y), \(z))", "a distance is \(value)",
                                expected: "a finite number")
                        }
                        part.values.append(value)
                    }
                }
            }
        }
        if isEmpty { part.masks.removeLast(8) } else { part.bricks.append(brick) }
    }

    private func isActive(
        _ scratch: borrowing Buffer<Float>, _ flags: borrowing Buffer<Float>, _ position: Int
    ) -> Bool {
        if active != nil { return flags.pointer[position] != 0 }
        let background = Float(metadata.background)
        let inside = metadata.kind == .sdf ? metadata.insideBackground : background
        for channel in 0..<array.size.channels {
            let value = scratch.pointer[channel * 8 + position]
            if value.isFinite, value != background, value != inside { return true }
        }
        return false
    }
}
