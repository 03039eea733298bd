import SSDFCore

/// Voxels in any order, as other programs list them.
struct VoxelList: ~Copyable {
    /// `[N, 3]`
    let coordinates: Buffer<Int32>
    /// `[N, channels]`
    let values: Buffer<Float>

    var count: Int { coordinates.count / 3 }

    /// Bytes that a list and the volume made of it take, about, with the keys that sort it.
    static func memory(count: Int, channels: Int) -> Int {
        count * (12 + 2 * 4 * channels + 2 * MemoryLayout<VoxelKey>.stride)
    }

    func voxel(_ index: Int) -> VoxelCoordinate {
        let p = coordinates.pointer + index * 3
        return VoxelCoordinate(p[0], p[1], p[2])
    }
}

extension SparseVolume {
    /// The most bricks along one axis that a list may span: positions of voxels then fit in a word.
    static var largestListSpan: Int { 1 << 18 }

    /// The volume of listed voxels.
    /// - Throws: `badData` when a voxel is listed twice, lies beyond what a volume can hold or the list spans more than
    ///   `largestListSpan` bricks; when a distance is not finite.
    /// - Complexity: O(N), less work when they are in a volume's own order already.
    init(metadata: GridMetadata, _ list: borrowing VoxelList) throws(Failure) {
        let channels = metadata.channels
        let count = list.count
        precondition(list.values.count == count * channels)
        if metadata.kind.isDistance {
            for index in 0..<list.values.count where !list.values.pointer[index].isFinite {
                throw .badData(
                    place: "voxel \(index / channels)", "a distance is \(list.values.pointer[index])",
                    expected: "a finite number")
            }
        }
        let keys = try sortedKeys(list)
        var brickCount = 0
        for index in 0..<count where index == 0 || keys[index].word >> 9 != keys[index - 1].word >> 9 {
            brickCount += 1
        }
        let bricks = Buffer<BrickCoordinate>(uninitialized: brickCount)
        let masks = Buffer<UInt64>(zeros: brickCount * 8)
        let values = Buffer<Float>(uninitialized: count * channels)
        var brick = -1
        for index in 0..<count {
            let key = keys[index]
            if index == 0 || key.word >> 9 != keys[index - 1].word >> 9 {
                brick += 1
                bricks.pointer[brick] = list.voxel(Int(key.row)).brick
            } else if key.word == keys[index - 1].word {
                let voxel = list.voxel(Int(key.row))
                throw .badData(
                    place: "voxel \(max(key.row, keys[index - 1].row))",
                    "(\(voxel.x), \(voxel.y), \(voxel.z)) is listed before", expected: "each voxel once")
            }
            masks.pointer[brick * 8 + Int(key.word >> 6 & 7)] |= 1 << (key.word & 63)
            for channel in 0..<channels {
                values.pointer[index * channels + channel] = list.values.pointer[Int(key.row) * channels + channel]
            }
        }
        self.init(metadata: metadata, bricks: bricks, masks: masks, values: values)
    }
}

/// Where a voxel stands in a volume, as one number, and in the list.
private struct VoxelKey: BitwiseCopyable {
    /// The brick's x, y and z, 18 bits each from the list's lowest, then the voxel's bit in it.
    var word: UInt64
    var row: UInt32
}

/// The keys of all voxels, ascending.
private func sortedKeys(_ list: borrowing VoxelList) throws(Failure) -> Buffer<VoxelKey> {
    let count = list.count
    guard count <= Int(UInt32.max) else {
        throw .badData("\(count) voxels", expected: "at most \(UInt32.max)")
    }
    var keys = Buffer<VoxelKey>(uninitialized: count)
    guard count > 0 else { return keys }
    var low = list.voxel(0).brick
    var high = low
    for index in 0..<count {
        let brick = list.voxel(index).brick
        low = BrickCoordinate(min(low.x, brick.x), min(low.y, brick.y), min(low.z, brick.z))
        high = BrickCoordinate(max(high.x, brick.x), max(high.y, brick.y), max(high.z, brick.z))
    }
    let span = max(Int(high.x) - Int(low.x), Int(high.y) - Int(low.y), Int(high.z) - Int(low.z)) + 1
    guard span <= SparseVolume.largestListSpan else {
        throw .badData(
            "voxels over \(span) bricks along an axis", expected: "at most \(SparseVolume.largestListSpan)")
    }
    var isSorted = true
    for index in 0..<count {
        let voxel = list.voxel(index)
        let brick = voxel.brick
        let x = UInt64(Int(brick.x) - Int(low.x))
        let y = UInt64(Int(brick.y) - Int(low.y))
        let z = UInt64(Int(brick.z) - Int(low.z))
        let word = x << 45 | y << 27 | z << 9 | UInt64(voxel.bit)
        keys.pointer[index] = VoxelKey(word: word, row: UInt32(index))
        if index > 0, word < keys.pointer[index - 1].word { isSorted = false }
    }
    if !isSorted { sort(&keys) }
    return keys
}

/// Sorts by word, keys of one word in the order they have: least significant digit first, 11 bits at a time.
private func sort(_ keys: inout Buffer<VoxelKey>) {
    let count = keys.count
    var other = Buffer<VoxelKey>(uninitialized: count)
    let digits = 11
    for shift in stride(from: UInt64(0), to: 63, by: digits) {
        var starts = [Int](repeating: 0, count: 1 << digits)
        for index in 0..<count { starts[Int(keys.pointer[index].word >> shift & 0x7ff)] += 1 }
        // A digit that all share changes nothing.
        if starts.contains(count) { continue }
        var sum = 0
        for digit in starts.indices { (starts[digit], sum) = (sum, sum + starts[digit]) }
        for index in 0..<count {
            let key = keys.pointer[index]
            let digit = Int(key.word >> shift & 0x7ff)
            other.pointer[starts[digit]] = key
            starts[digit] += 1
        }
        swap(&keys, &other)
    }
}
