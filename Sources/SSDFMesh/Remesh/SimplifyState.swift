import CSSDFKernels
import SSDFCore

/// A mesh between rounds of block-wise simplification.
struct SimplifyState: ~Copyable {
    /// Small enough for a block and its scratch memory to stay in a core's cache.
    private static let blockSize = 1 << blockBits
    private static let blockBits = 12

    /// Of 20°: edges by smaller angles are flipped in the end where that costs little.
    private static let sharpCosine: Float = 0.94

    private(set) var vertices: Buffer<ssdf_simplify_vertex>
    private(set) var vertexCount: Int
    private(set) var triangles: Buffer<UInt32>
    private(set) var triangleCount: Int
    let threads: Int
    /// A power of two, so that scaling rounds nothing.
    let scale: Float
    private var hasQuadrics = false
    /// Whether the vertices lie along the curve of the first round.
    private var isOrdered = false
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
        vertices = Buffer(uninitialized: vertexCount)
        triangles = Buffer(uninitialized: 3 * triangleCount)
        guard vertexCount > 2 * Self.blockSize else {
            for v in 0..<vertexCount { place(mesh, marks, v, at: v) }
            for h in mesh.triangles.indices { triangles.pointer[h] = mesh.triangles[h] }
            return
        }
        // Moving vertices costs more than making them where they belong.
        var order = Buffer<UInt64>(zeros: 0)
        mesh.positions.withUnsafeBufferPointer {
            order = curveOrder($0.baseAddress!, stride: 3, count: mesh.vertexCount, shift: Self.firstShift)
        }
        isOrdered = true
        let ranks = [UInt32](filling: vertexCount) { out in
            for rank in out.indices { out[Int(UInt32(truncatingIfNeeded: order.pointer[rank]))] = UInt32(rank) }
        }
        for rank in 0..<vertexCount {
            place(mesh, marks, Int(UInt32(truncatingIfNeeded: order.pointer[rank])), at: rank)
        }
        mesh.triangles.withUnsafeBufferPointer { corners in
            ranks.withUnsafeBufferPointer { ranks in
                for h in corners.indices { triangles.pointer[h] = ranks[Int(corners[h])] }
            }
        }
        successors.append(ranks)
    }

    /// Makes a vertex of one of the mesh.
    private func place(_ mesh: TriangleMesh, _ marks: [UInt8]?, _ v: Int, at rank: Int) {
        let p = mesh.position(v) * scale
        var vertex = ssdf_simplify_vertex()
        vertex.position = (p.x, p.y, p.z)
        if let marks { vertex.marks = marks[v] }
        (vertices.pointer + rank).initialize(to: vertex)
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
            // Rounds cost as much as the triangles that they begin with: one that has not reached the cap is not repeated.
            if Double(triangleCount) > Double(before) * (1 - 0.9 * cap) { threshold *= 4 }
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
        let ranks = blocks == 1 || isOrdered ? Buffer<UInt32>(zeros: 0) : order(shift: shift)
        isOrdered = false
        let around = Buffer<UInt32>(zeros: vertexCount)
        let starts = blocks == 1 ? count(around) : divide(around, blocks: blocks)
        let parents = Buffer<UInt32>(uninitialized: vertexCount)

        let largest = (0..<blocks).map { starts[$0 + 1] - starts[$0] }.max() ?? 0
        let words = ssdf_simplify_scratch(UInt32(size), UInt32(largest))
        let workers = min(threads, blocks)
        let scratch = Buffer<UInt32>(uninitialized: words * workers)
        let memory = Unchecked(scratch.pointer)
        let vertex = Unchecked(vertices.pointer)
        let corner = Unchecked(triangles.pointer)
        let parent = Unchecked(parents.pointer)
        let fans = Unchecked(around.pointer)
        let total = vertexCount
        let kept = Buffer<Int>(zeros: blocks)
        let refusals = Buffer<(Int, Int)>(zeros: blocks)
        let limit = Unchecked(bound)
        let keptCounts = Unchecked(kept.pointer)
        let refusedCounts = Unchecked(refusals.pointer)
        let needsQuadrics = !hasQuadrics
        parallelFor(blocks, threads: workers) { worker, range in
            for index in range {
                let first = index * size
                let count = starts[index + 1] - starts[index]
                let local = corner.value + 3 * starts[index]
                for h in 0..<3 * count { local[h] &-= UInt32(first) }
                for v in first..<min(first + size, total) { Self.set(&vertex.value[v], around: fans.value[v]) }
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
        if needsQuadrics {
            // Triangles between blocks: their vertices belong to several, and have not moved.
            ssdf_simplify_add_planes(
                vertices.pointer, triangles.pointer + 3 * starts[blocks], starts[blocks + 1] - starts[blocks])
            hasQuadrics = true
        }
        refusedTopology = (0..<blocks).reduce(0) { $0 + refusals.pointer[$1].0 }
        refusedShape = (0..<blocks).reduce(0) { $0 + refusals.pointer[$1].1 }
        join(starts: starts, kept: kept, ranks: ranks, parents: parents, blocks: blocks, size: size)
    }

    /// Sorts the vertices along a space-filling curve; returns where each went.
    private mutating func order(shift: Float) -> Buffer<UInt32> {
        let count = vertexCount
        let vertex = vertices.pointer
        let stride = MemoryLayout<ssdf_simplify_vertex>.stride / MemoryLayout<Float>.stride
        var order = Buffer<UInt64>(zeros: 0)
        vertex.withMemoryRebound(to: Float.self, capacity: stride * count) {
            order = curveOrder($0, stride: stride, count: count, shift: shift)
        }
        let ranks = Buffer<UInt32>(uninitialized: count)
        for rank in 0..<count { ranks.pointer[Int(UInt32(truncatingIfNeeded: order.pointer[rank]))] = UInt32(rank) }
        // Along the cycles of the permutation, in place: fresh pages cost more than the moves.
        let moved = UInt64.max
        for start in 0..<count where order.pointer[start] != moved {
            let first = vertex[start]
            var here = start
            while true {
                let from = Int(UInt32(truncatingIfNeeded: order.pointer[here]))
                order.pointer[here] = moved
                if from == start { break }
                vertex[here] = vertex[from]
                here = from
            }
            vertex[here] = first
        }
        for h in 0..<3 * triangleCount { triangles.pointer[h] = ranks.pointer[Int(triangles.pointer[h])] }
        return ranks
    }

    /// Of a vertex in `around`: that a triangle at it lies between blocks. The other bits count triangles.
    private static let isShared: UInt32 = 1 << 31

    /// Beyond this many triangles a vertex is kept as it is.
    private static func set(_ vertex: inout ssdf_simplify_vertex, around: UInt32) {
        vertex.valence = UInt16(min(around & ~isShared, UInt32(UInt16.max)))
        vertex.flags &= UInt8(SSDF_VERTEX_BORDERED.rawValue | SSDF_VERTEX_SOUND.rawValue)
        if around & isShared != 0 { vertex.flags |= UInt8(SSDF_VERTEX_LOCKED.rawValue) }
    }

    /// For one block: counts the triangles around every vertex. Returns where those of the block and those between blocks
    /// begin and end.
    private func count(_ around: borrowing Buffer<UInt32>) -> [Int] {
        for h in 0..<3 * triangleCount { around.pointer[Int(triangles.pointer[h])] &+= 1 }
        return [0, triangleCount, triangleCount]
    }

    /// Sorts the triangles by block, those between blocks last, and tells what is around every vertex. Returns where the
    /// triangles of each block begin.
    private func divide(_ around: borrowing Buffer<UInt32>, blocks: Int) -> [Int] {
        let corners = triangles.pointer
        func home(_ t: Int) -> Int {
            let h = 3 &* t
            let block = corners[h] >> Self.blockBits
            let isInside = corners[h &+ 1] >> Self.blockBits == block && corners[h &+ 2] >> Self.blockBits == block
            return isInside ? Int(block) : blocks
        }
        var starts = [Int](repeating: 0, count: blocks + 2)
        for t in 0..<triangleCount {
            let block = home(t)
            starts[block + 1] += 1
            for h in 3 &* t..<3 &* t &+ 3 { around.pointer[Int(corners[h])] &+= 1 }
            guard block == blocks else { continue }
            for h in 3 &* t..<3 &* t &+ 3 { around.pointer[Int(corners[h])] |= Self.isShared }
        }
        for block in 0...blocks { starts[block + 1] += starts[block] }
        // In place: each triangle that is not at home is sent there, for the one that it finds.
        var places = starts
        for block in 0..<blocks {
            while places[block] < starts[block + 1] {
                let t = places[block]
                let other = home(t)
                if other != block {
                    let s = places[other]
                    for i in 0..<3 {
                        let corner = corners[3 &* t &+ i]
                        corners[3 &* t &+ i] = corners[3 &* s &+ i]
                        corners[3 &* s &+ i] = corner
                    }
                }
                places[other] += 1
            }
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
                    let base = blocks == 1 ? 0 : place & ~(size - 1)
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
