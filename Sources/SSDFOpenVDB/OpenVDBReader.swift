import COpenVDB
import SSDFCore
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads the grids of a .vdb file, one after another: grids of floating-point numbers, and of vectors of three.
///
/// OpenVDB reads it in a child process: a damaged file can end that, or be refused, and no more.
package struct OpenVDBReader: ~Copyable {
    /// What follows in the file.
    package enum Event: ~Copyable {
        case grid(SparseVolume)
        /// A grid that cannot be a volume here, and why.
        case skipped(name: String, reason: String)
    }

    private let name: String
    private let process: pid_t
    private let descriptor: Int32
    private var isDone = false
    /// Whether the child is gone and its status taken.
    private var isReaped = false

    /// Seconds of processor time that reading may take.
    private static var seconds: UInt64 { 3600 }

    /// - Parameters:
    ///   - file: outlives the reader.
    ///   - memory: bytes that OpenVDB may use.
    /// - Throws: `unavailable` in a build without OpenVDB, or when no child can be started.
    package init(_ file: borrowing FileBytes, memory: Int) throws(Failure) {
        try OpenVDB.requireSupport()
        var descriptor: Int32 = -1
        let bytes = file.bytes
        // A quarter of a GiB is what libraries and threads reserve without using it.
        let process = ssdf_vdb_start_reading(
            bytes.baseAddress!, bytes.count, UInt64(memory) + 1 << 28, Self.seconds, &descriptor)
        guard process > 0 else {
            throw Failure(.unavailable, file: file.name, "cannot start a process: \(systemMessage(errno))")
        }
        name = file.name
        self.process = process
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        guard !isReaped else { return }
        kill(process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }

    /// The next grid, or nil after the last.
    /// - Throws: `badData` when OpenVDB refuses the file, or does not survive it.
    package mutating func next() throws(Failure) -> Event? {
        guard !isDone else { return nil }
        do throws(Failure) {
            switch Int(try number(UInt32.self)) {
            case SSDF_VDB_GRID: return .grid(try grid())
            case SSDF_VDB_SKIP: return .skipped(name: try text(), reason: try text())
            case SSDF_VDB_FAIL:
                throw .badData("OpenVDB cannot read it (\(try text()))", expected: "a file of OpenVDB")
            case SSDF_VDB_DONE:
                isDone = true
                return nil
            default: throw .badData("OpenVDB gave an unknown record", expected: "a grid")
            }
        } catch {
            throw error.inFile(name)
        }
    }

    private mutating func grid() throws(Failure) -> SparseVolume {
        let gridName = try text()
        let channels = Int(try number(UInt32.self))
        guard channels == 1 || channels == 3 else { throw .badData("\(channels) channels", expected: "1 or 3") }
        let kind = Int(try number(UInt32.self))
        let background = Double(bitPattern: try number(UInt64.self))
        var rows: [Double] = []
        for _ in 0..<12 { rows.append(Double(bitPattern: try number(UInt64.self))) }
        var metadata = GridMetadata(
            name: gridName.isEmpty ? "sdf" : gridName, kind: .sdf, channels: channels, resolution: 0)
        metadata.kind = kind == SSDF_VDB_LEVEL_SET ? .sdf : kind == SSDF_VDB_FOG_VOLUME ? .occupancy : .feature
        metadata.indexToWorld = AffineTransform3(rows: rows)
        metadata.background = background
        metadata.signMethod = metadata.kind == .sdf ? .given : .none
        // A level set's background is where its band ends.
        metadata.truncation = metadata.kind == .sdf ? abs(background) : 0
        for _ in 0..<(try number(UInt32.self)) {
            let key = try text()
            let value = try text()
            guard key.hasPrefix(OpenVDB.prefix) else { continue }
            try metadata.apply(text: value, to: String(key.dropFirst(OpenVDB.prefix.count)))
        }
        return try leaves(count: Int(clamping: try number(UInt64.self)), metadata)
    }

    private mutating func leaves(count: Int, _ metadata: GridMetadata) throws(Failure) -> SparseVolume {
        var bricks: [BrickCoordinate] = []
        var masks: [UInt64] = []
        var starts: [Int] = []
        var values: [Float] = []
        var mask = [UInt64](repeating: 0, count: 8)
        var run = [Float](repeating: 0, count: 512 * metadata.channels)
        for _ in 0..<count {
            let brick = BrickCoordinate(
                try number(Int32.self), try number(Int32.self), try number(Int32.self))
            guard BrickCoordinate.range.contains(brick.x), BrickCoordinate.range.contains(brick.y),
                BrickCoordinate.range.contains(brick.z)
            else { throw .badData("brick (\(brick.x), \(brick.y), \(brick.z))", expected: "positions of 32 bits") }
            try fill(&mask, count: 8)
            let active = mask.reduce(0) { $0 + $1.nonzeroBitCount } * metadata.channels
            guard active > 0 else { throw .badData("an empty leaf", expected: "active voxels") }
            try fill(&run, count: active)
            guard !metadata.kind.isDistance || run.prefix(active).allSatisfy(\.isFinite) else {
                throw .badData(
                    place: "grid \"\(metadata.name)\", brick (\(brick.x), \(brick.y), \(brick.z))",
                    "a distance that is not finite", expected: "finite ones")
            }
            bricks.append(brick)
            masks += mask
            starts.append(values.count)
            values += run.prefix(active)
        }
        let order = bricks.indices.sorted { bricks[$0] < bricks[$1] }
        for (a, b) in zip(order, order.dropFirst()) where bricks[a] == bricks[b] {
            throw .badData("a leaf stands twice", expected: "each once")
        }
        starts.append(values.count)
        let sorted = Buffer<BrickCoordinate>(uninitialized: bricks.count)
        let words = Buffer<UInt64>(uninitialized: masks.count)
        let numbers = Buffer<Float>(uninitialized: values.count)
        var position = 0
        for (place, leaf) in order.enumerated() {
            sorted.pointer[place] = bricks[leaf]
            for word in 0..<8 { words.pointer[place * 8 + word] = masks[leaf * 8 + word] }
            for value in values[starts[leaf]..<starts[leaf + 1]] {
                numbers.pointer[position] = value
                position += 1
            }
        }
        return SparseVolume(metadata: metadata, bricks: sorted, masks: words, values: numbers)
    }

    private mutating func text() throws(Failure) -> String {
        let count = Int(try number(UInt32.self))
        // Names and notes; a grid that keeps more in them is damaged.
        guard count <= 1 << 20 else { throw .badData("a text of \(count) bytes", expected: "at most 1 MiB") }
        var bytes = [UInt8](repeating: 0, count: count)
        try fill(&bytes, count: count)
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) throws(Failure) -> Number
    {
        var value: [Number] = [0]
        try fill(&value, count: 1)
        return Number(littleEndian: value[0])
    }

    private mutating func fill<Element: BitwiseCopyable>(_ elements: inout [Element], count: Int) throws(Failure) {
        let size = count * MemoryLayout<Element>.stride
        let descriptor = descriptor
        let received = elements.withUnsafeMutableBytes { room in
            var received = 0
            while received < size {
                let got = read(descriptor, room.baseAddress! + received, size - received)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { break }
                received += got
            }
            return received
        }
        guard received == size else { throw end() }
    }

    /// What to say of a child that ended before it was done.
    private mutating func end() -> Failure {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        isReaped = true
        let signal = status & 0x7f
        let way = signal == 0 ? "ended" : signal == SIGXCPU ? "took too long" : "crashed (signal \(signal))"
        return .badData("OpenVDB \(way) while it read it", expected: "a file of OpenVDB")
    }
}
