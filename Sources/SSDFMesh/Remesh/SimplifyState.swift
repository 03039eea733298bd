import CSSDFKernels
import SSDFCore

/// A mesh between rounds of block-wise simplification.
struct SimplifyState: ~Copyable {
    /// Small enough for a block and its scratch memory to stay in a core's cache.
    private static let blockSize = 4096

    /// Of 20°: edges by smaller angles are flipped in the end where that costs little.
    private static let sharpCosine: Float = 0.94

    private(set) var vertices: Buffer<ssdf_simplify_vertex>
    /// Where the next order is made: fresh pages cost as much as the sorting.
    private var spareVertices: Buffer<ssdf_simplify_vertex>
    private var spareTriangles: Buffer<UInt32>
    private(set) var vertexCount: Int
    private(set) var triangles: Buffer<UInt32>
    private(set) var triangleCount: Int
    let threads: Int
    /// A power of two, so that scaling rounds nothing.
    let scale: Float
    private var hasQuadrics = false
    /// For every round, what became of each vertex: its number after the round, or `UInt32.max`.
    private(set) var successors: [[UInt32]] = []

    /// Of the last round: edges that topology kept, edges that a flipped triangle kept, vertices that are not manifold.
    private(set) var refusedTopology = 0
    private(set) var refusedShape = 0
    private(set) var lockedVertices = 0

    /// - Parameter marks: for each vertex, how much less than others it may stray, as `ssdf_simplify_marks`.
    init(_ mesh: TriangleMesh, marks: [UInt8]? = nil, threads: Int) {
        self.threads = threads
        scale = Self.scale(of: mesh)
        vertexCount = mesh.vertexCount
        triangleCount = mesh.triangleCount
        vertices = Buffer(zeros: vertexCount)
        spareVertices = Buffer(uninitialized: vertexCount)
        spareTriangles = Buffer(uninitialized: 3 * triangleCount)
        for v in 0..<vertexCount {
            let p = mesh.position(v) * scale
            vertices.pointer[v].position = (p.x, p.y, p.z)
            if let marks { vertices.pointer[v].marks = marks[v] }
        }
        triangles = Buffer(mesh.triangles)
    }

    /// What a state of a mesh multiplies its coordinates by.
    static func scale(of mesh: TriangleMesh) -> Float {
        let size = mesh.boundingBox.longestSide
        return size > 0 && size.isFinite ? Float(sign: .plus, exponent: -size.exponent, significand: 1) : 1
    }

    /// The mesh as it stands.
    func mesh() -> TriangleMesh {
        let positions = [Float](filling: 3 * vertexCount) { out in
            for v in 0..<vertexCount {
                let p = vertices.pointer[v].position
                out[3 * v] = p.0 / scale
                out[3 * v + 1] = p.1 / scale
                out[3 * v + 2] = p.2 / scale
            }
        }
        return TriangleMesh(
            positions: positions,
            triangles: Array(UnsafeBufferPointer(start: triangles.pointer, count: 3 * triangleCount)))
    }

    /// Brings the number of triangles down to `target`, or as near as topology allows.
    mutating func reduce(to target: Int, leastShape: Float) {
        var threshold = firstThreshold()
        var shift = Self.firstShift
        for _ in 0..<12 where vertexCount > 2 * Self.blockSize && Double(triangleCount) > 1.3 * Double(target) {
            // No block goes below the share that the last, global, round is to decide on.
            let cap = min(0.75, 1 - 1.2 * Double(target) / Double(triangleCount))
            let before = triangleCount
            round(blockSize: Self.blockSize, shift: shift, threshold: threshold, cap: cap, target: 0, leastShape: 0)
            if Double(triangleCount) > Double(before) * (1 - 0.7 * cap) { threshold *= 8 }
            shift = Self.shift(after: shift)
        }
        var shape = leastShape
        while triangleCount > target {
            let before = triangleCount
            round(blockSize: .max, shift: 0, threshold: 1e30, cap: 1, target: target, leastShape: shape)
            // Good shapes are a wish, the count is what was asked for.
            if triangleCount == before {
                guard shape > 0 else { break }
                shape = 0
            }
        }
    }

    /// Collapses, without a look at the samples of any surface, what moves the surface by far less than `strayed`, in the
    /// mesh's units.
    mutating func reduce(strayed: Float, leastShape: Float) {
        var shift = Self.firstShift
        var before = Int.max
        while vertexCount > 2 * Self.blockSize && Double(triangleCount) < 0.85 * Double(before) {
            before = triangleCount
            round(
                blockSize: Self.blockSize, shift: shift, threshold: 1e30, cap: 0.75, target: 0, leastShape: leastShape,
                strayed: strayed * scale)
            shift = Self.shift(after: shift)
        }
        round(
            blockSize: .max, shift: 0, threshold: 1e30, cap: 1, target: 0, leastShape: leastShape,
            strayed: strayed * scale)
    }

    private static var firstShift: Float { 0.05 }

    /// Where the borders of the blocks are in the round after one: any step that is no fraction of a block moves them.
    private static func shift(after shift: Float) -> Float {
        let next = shift + 0.1237
        return next > 0.45 ? next - 0.4 : next
    }

    /// Passes on to the next round which vertices to try again: all, those whose triangles have changed, or those where a
    /// shape stood in the way.
    func retry(_ marks: ssdf_simplify_marks?) {
        let due = UInt8(SSDF_MARK_DUE.rawValue)
        for v in 0..<vertexCount {
            let isDue = marks.map { vertices.pointer[v].marks & UInt8($0.rawValue) != 0 } ?? true
            vertices.pointer[v].marks &= ~(due | UInt8(SSDF_MARK_CHANGED.rawValue))
            if isDue { vertices.pointer[v].marks |= due }
        }
    }

    /// A cost that most edges of a mesh of curved surfaces and small triangles stay below: it scales with the cube of
    /// their length, as costs do.
    private func firstThreshold() -> Float {
        var sum = 0.0
        var samples = 0
        for t in stride(from: 0, to: triangleCount, by: 97) {
            let a = vertices.pointer[Int(triangles.pointer[3 * t])].position
            let b = vertices.pointer[Int(triangles.pointer[3 * t + 1])].position
            sum += Double((Vector3f(a.0, a.1, a.2) - Vector3f(b.0, b.1, b.2)).lengthSquared)
            samples += 1
        }
        let length = (sum / Double(max(samples, 1))).squareRoot()
        return Float(max(0.0125 * length * length * length, 1e-35))
    }

    /// Cuts the mesh into blocks, simplifies each, and joins what is left.
    /// - Parameters:
    ///   - strayed: the root of the mean of the squared distances to the planes at an edge that its collapse may cost.
    ///   - cap: the largest share of its triangles that a block may lose.
    ///   - target: for a single block, the triangles to stop at.
    ///   - bound: for a single block, the distance that collapses are held to.
    mutating func round(
        blockSize: Int, shift: Float, threshold: Float, cap: Double, target: Int, leastShape: Float,
        strayed: Float = .infinity, bound: UnsafeMutablePointer<ssdf_simplify_bound>? = nil
    ) {
        let blocks = blockSize >= vertexCount ? 1 : (vertexCount + blockSize - 1) / blockSize
        let size = blocks == 1 ? vertexCount : blockSize
        let ranks = blocks == 1 ? Buffer<UInt32>(zeros: 0) : order(shift: shift)
        let starts = divide(ranks, blocks: blocks, size: size)
        let parents = Buffer<UInt32>(uninitialized: vertexCount)

        let largest = (0..<blocks).map { starts[$0 + 1] - starts[$0] }.max() ?? 0
        let words = ssdf_simplify_scratch(UInt32(size), UInt32(largest))
        let workers = min(threads, blocks)
        let scratch = Buffer<UInt32>(uninitialized: words * workers)
        let memory = Unchecked(scratch.pointer)
        let vertex = Unchecked(vertices.pointer)
        let corner = Unchecked(triangles.pointer)
        let parent = Unchecked(parents.pointer)
        let total = vertexCount
        let kept = Buffer<Int>(zeros: blocks)
        let refusals = Buffer<(Int, Int)>(zeros: blocks)
        let limit = Unchecked(bound)
        let keptCounts = Unchecked(kept.pointer)
        let refusedCounts = Unchecked(refusals.pointer)
        let needsQuadrics = !hasQuadrics
        if needsQuadrics {
            // Triangles between blocks first: their vertices belong to several.
            ssdf_simplify_add_planes(
                vertices.pointer, triangles.pointer + 3 * starts[blocks], starts[blocks + 1] - starts[blocks])
            hasQuadrics = true
        }
        parallelFor(blocks, threads: workers) { worker, range in
            for index in range {
                let first = index * size
                let count = starts[index + 1] - starts[index]
                let local = corner.value + 3 * starts[index]
                for h in 0..<3 * count { local[h] &-= UInt32(first) }
                if needsQuadrics { ssdf_simplify_add_planes(vertex.value + first, local, count) }
                var block = ssdf_simplify_block(
                    vertices: vertex.value + first, triangles: local, parent: parent.value + first,
                    scratch: memory.value + words * worker, vertex_count: UInt32(min(size, total - first)),
                    triangle_count: UInt32(count),
                    least_triangles: blocks == 1 ? UInt32(target) : UInt32(Double(count) * (1 - cap)),
                    threshold: threshold, farthest: strayed * strayed,
                    sharp_cosine: blocks == 1 && limit.value == nil ? Self.sharpCosine : 1, bound: limit.value,
                    least_shape: leastShape, highest: 0, refused_topology: 0, refused_shape: 0, refused_distance: 0)
                ssdf_simplify_block(&block)
                keptCounts.value[index] = Int(block.triangle_count)
                refusedCounts.value[index] = (Int(block.refused_topology), Int(block.refused_shape))
            }
        }
        refusedTopology = (0..<blocks).reduce(0) { $0 + refusals.pointer[$1].0 }
        refusedShape = (0..<blocks).reduce(0) { $0 + refusals.pointer[$1].1 }
        join(starts: starts, kept: kept, ranks: ranks, parents: parents, blocks: blocks, size: size)
    }

    /// Sorts the vertices along a space-filling curve; returns where each went.
    private mutating func order(shift: Float) -> Buffer<UInt32> {
        let count = vertexCount
        var low = Vector3f(repeating: .infinity)
        var high = -low
        for v in 0..<count {
            let p = vertices.pointer[v].position
            low = pointwiseMin(low, Vector3f(p.0, p.1, p.2))
            high = pointwiseMax(high, Vector3f(p.0, p.1, p.2))
        }
        let size = max((high - low).max(), .leastNormalMagnitude)
        var keys = Buffer<UInt64>(uninitialized: count)
        for v in 0..<count {
            let p = vertices.pointer[v].position
            // The box is enlarged by half, so that a shifted mesh still fits.
            let cell = (Vector3f(p.0, p.1, p.2) - low + shift * size) * (1023 / (1.5 * size))
            let code =
                spread(UInt32(cell.x)) | spread(UInt32(cell.y)) << 1 | spread(UInt32(cell.z)) << 2
            keys.pointer[v] = UInt64(code) << 32 | UInt64(v)
        }
        var other = Buffer<UInt64>(uninitialized: count)
        for pass in 0..<3 {
            let bits = UInt64(32 + 10 * pass)
            var places = [Int](repeating: 0, count: 1025)
            for v in 0..<count { places[Int(keys.pointer[v] >> bits & 1023) + 1] += 1 }
            for i in 1...1024 { places[i] += places[i - 1] }
            for v in 0..<count {
                let digit = Int(keys.pointer[v] >> bits & 1023)
                other.pointer[places[digit]] = keys.pointer[v]
                places[digit] += 1
            }
            swap(&keys, &other)
        }
        let ranks = Buffer<UInt32>(uninitialized: count)
        for v in 0..<count {
            let old = Int(UInt32(truncatingIfNeeded: keys.pointer[v]))
            ranks.pointer[old] = UInt32(v)
            (spareVertices.pointer + v).initialize(to: vertices.pointer[old])
        }
        swap(&vertices, &spareVertices)
        return ranks
    }

    /// Ten bits, two apart.
    private func spread(_ value: UInt32) -> UInt32 {
        var x = value & 1023
        x = (x | x << 16) & 0x0300_00ff
        x = (x | x << 8) & 0x0300_f00f
        x = (x | x << 4) & 0x030c_30c3
        return (x | x << 2) & 0x0924_9249
    }

    /// Sorts the triangles by block, those between blocks last, and locks what these touch. Returns where each begins.
    private mutating func divide(_ ranks: borrowing Buffer<UInt32>, blocks: Int, size: Int) -> [Int] {
        for v in 0..<vertexCount {
            vertices.pointer[v].valence = 0
            vertices.pointer[v].flags &= UInt8(SSDF_VERTEX_BORDERED.rawValue)
        }
        let isSorted = ranks.count > 0
        let homes = Buffer<UInt32>(uninitialized: triangleCount)
        var starts = [Int](repeating: 0, count: blocks + 2)
        let locked = UInt8(SSDF_VERTEX_LOCKED.rawValue)
        for t in 0..<triangleCount {
            var home = -1
            var isShared = false
            for h in 3 * t..<3 * t + 3 {
                let old = Int(triangles.pointer[h])
                let v = isSorted ? Int(ranks.pointer[old]) : old
                triangles.pointer[h] = UInt32(v)
                // Beyond this a vertex is kept as it is.
                if vertices.pointer[v].valence < .max { vertices.pointer[v].valence += 1 }
                let block = blocks == 1 ? 0 : v / size
                if home >= 0, home != block { isShared = true }
                home = block
            }
            if isShared {
                home = blocks
                for h in 3 * t..<3 * t + 3 { vertices.pointer[Int(triangles.pointer[h])].flags |= locked }
            }
            homes.pointer[t] = UInt32(home)
            starts[home + 1] += 1
        }
        for block in 0...blocks { starts[block + 1] += starts[block] }
        if blocks > 1 {
            var places = starts
            for t in 0..<triangleCount {
                let home = Int(homes.pointer[t])
                let place = 3 * places[home]
                places[home] += 1
                for i in 0..<3 { spareTriangles.pointer[place + i] = triangles.pointer[3 * t + i] }
            }
            swap(&triangles, &spareTriangles)
        }
        return starts
    }

    /// Drops what has gone and numbers anew what is left.
    private mutating func join(
        starts: [Int], kept: borrowing Buffer<Int>, ranks: borrowing Buffer<UInt32>, parents: borrowing Buffer<UInt32>,
        blocks: Int, size: Int
    ) {
        let removed = UInt8(SSDF_VERTEX_REMOVED.rawValue)
        let locked = UInt8(SSDF_VERTEX_LOCKED.rawValue)
        let numbers = Buffer<UInt32>(uninitialized: vertexCount)
        var next = 0
        lockedVertices = 0
        for v in 0..<vertexCount {
            guard vertices.pointer[v].flags & removed == 0, vertices.pointer[v].valence > 0 else {
                numbers.pointer[v] = .max
                continue
            }
            if vertices.pointer[v].flags & locked != 0 { lockedVertices += 1 }
            vertices.pointer[next] = vertices.pointer[v]
            numbers.pointer[v] = UInt32(next)
            next += 1
        }
        successors.append(
            [UInt32](filling: vertexCount) { out in
                for v in 0..<out.count {
                    let place = ranks.count > 0 ? Int(ranks.pointer[v]) : v
                    let base = blocks == 1 ? 0 : place / size * size
                    out[v] = numbers.pointer[base + Int(parents.pointer[place])]
                }
            })
        vertexCount = next
        var write = 0
        for block in 0...blocks {
            let base = block < blocks ? block * size : 0
            let count = block < blocks ? kept.pointer[block] : starts[blocks + 1] - starts[blocks]
            for h in 3 * starts[block]..<3 * (starts[block] + count) {
                triangles.pointer[write] = numbers.pointer[Int(triangles.pointer[h]) + base]
                write += 1
            }
        }
        triangleCount = write / 3
    }
}
