import CSSDFKernels
import SSDFCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads Wavefront OBJ: `v` and `f` statements, with all objects and groups in one mesh.
///
/// Indices may be negative and may point ahead; statements may go on after a backslash; polygons may be concave. Weights
/// and colours after a vertex's coordinates, texture coordinates, normals, lines, points and free-form surfaces are
/// passed over.
///
/// The text is cut into pieces at line ends, by its length alone; workers parse them into scratch memory that stays in
/// their caches, take places in the result in the order of the pieces, and copy. So the result does not depend on the
/// number of threads, and every byte of it is written to fresh memory once.
/// - Throws: `badData` with the line.
func readOBJ(_ bytes: UnsafeRawBufferPointer, threads: Int) throws(Failure) -> TriangleMesh {
    let pieces = try OBJPieces(bytes)
    // A triangle or quad with one-digit indices has at most 0.6 index words a byte; only large polygons have more.
    for wordsPerByte in [0.6, 1.5] {
        if let mesh = try parseOBJ(bytes, pieces, wordsPerByte: wordsPerByte, threads: threads) { return mesh }
    }
    throw Failure(.internal, "an OBJ file gave more triangles than it has room for")
}

/// Where an OBJ text can be cut: after line ends that no backslash hides.
private struct OBJPieces {
    /// `bounds[i]..<bounds[i + 1]` is piece i.
    var bounds = [0]
    var longest = 0

    init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        let pieceSize = 1 << 18
        let longestPiece = 1 << 30
        while let last = bounds.last, last < bytes.count {
            var end = min(last + pieceSize, bytes.count)
            while end < bytes.count, !isStatementEnd(end - 1, in: bytes) { end += 1 }
            longest = max(longest, end - last)
            guard end - last <= longestPiece else {
                throw .badData(
                    place: linePlace(last, in: bytes), "a line of \(end - last) bytes",
                    expected: "at most \(longestPiece)")
            }
            bounds.append(end)
        }
    }
}

/// Whether a statement ends with the byte at `offset`.
private func isStatementEnd(_ offset: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes[offset] == UInt8(ascii: "\n") else { return false }
    var last = offset - 1
    if last >= 0, bytes[last] == UInt8(ascii: "\r") { last -= 1 }
    return last < 0 || bytes[last] != UInt8(ascii: "\\")
}

/// One worker's scratch memory. It is virtual until text is parsed into it.
private final class OBJScratch: Sendable {
    private let positions: Buffer<Float>
    private let triangles: Buffer<UInt32>
    private let relative: Buffer<UInt32>
    private let polygons: Buffer<UInt32>

    init(textLength n: Int) {
        positions = Buffer(uninitialized: 3 * n / 8 + 3)
        triangles = Buffer(uninitialized: 3 * n / 2 + 3)
        relative = Buffer(uninitialized: 3 * n / 2 + 3)
        polygons = Buffer(uninitialized: n / 4 + 2)
    }

    /// Parses one range of the text. What comes out stays valid until the next call.
    func parse(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> ssdf_obj_chunk {
        var chunk = ssdf_obj_chunk(
            positions: positions.pointer, triangles: triangles.pointer, relative: relative.pointer,
            polygons: polygons.pointer, position_count: 0, triangle_count: 0, relative_count: 0, polygon_count: 0,
            largest_index: 0, smallest_relative: 0, largest_relative: 0, error: SSDF_OBJ_OK, error_offset: 0)
        let text = UnsafeRawBufferPointer(rebasing: bytes[range])
        if bytes.count - range.upperBound >= Int(SSDF_TEXT_PADDING) {
            ssdf_obj_parse(text.baseAddress!.assumingMemoryBound(to: UInt8.self), text.count, &chunk)
        } else {
            let padded = PaddedText(text)
            ssdf_obj_parse(padded.start, padded.count, &chunk)
        }
        return chunk
    }
}

extension ssdf_obj_chunk {
    /// Whether the statements can be taken as they are, after `vertices` others.
    fileprivate func isGood(after vertices: Int) -> Bool {
        guard error == SSDF_OBJ_OK, Int(smallest_relative) + vertices >= 0 else { return false }
        return (0..<polygon_count).allSatisfy { polygons[2 * $0 + 1] <= PolygonTriangulator.mostCorners }
    }

    /// One more than the largest vertex index, after `vertices` others.
    fileprivate func verticesNeeded(after vertices: Int) -> Int {
        guard triangle_count > 0 else { return 0 }
        return 1 + max(Int(largest_index), Int(largest_relative) + vertices)
    }
}

/// What the pieces before a given one came to.
private struct OBJTotals {
    var floats = 0
    var triangles = 0
    var verticesNeeded = 0
    var failedPiece: Int?
    var isFull = false

    /// Takes places for one more piece; false when it cannot be taken.
    mutating func add(_ chunk: ssdf_obj_chunk, piece: Int, room: Int) -> Bool {
        guard failedPiece == nil, !isFull else { return false }
        guard chunk.isGood(after: floats / 3) else {
            failedPiece = piece
            return false
        }
        guard 3 * (triangles + chunk.triangle_count) <= room else {
            isFull = true
            return false
        }
        verticesNeeded = max(verticesNeeded, chunk.verticesNeeded(after: floats / 3))
        floats += chunk.position_count
        triangles += chunk.triangle_count
        return true
    }
}

/// Nil when the result has no room for the triangles.
private func parseOBJ(
    _ bytes: UnsafeRawBufferPointer, _ pieces: OBJPieces, wordsPerByte: Double, threads: Int
) throws(Failure) -> TriangleMesh? {
    let triangleRoom = Int(Double(bytes.count) * wordsPerByte) + 3
    var totals = OBJTotals()
    var mesh = TriangleMesh()
    mesh.positions = try [Float](upTo: 3 * bytes.count / 8 + 3) { positions throws(Failure) in
        mesh.triangles = try [UInt32](upTo: triangleRoom) { triangles throws(Failure) in
            let fans = parsePieces(
                bytes, pieces, positions: positions, triangles: triangles, totals: &totals, threads: threads)
            if let piece = totals.failedPiece {
                throw statementFailure(bytes, pieces, piece: piece, vertices: totals.floats / 3, limit: nil)
            }
            if totals.isFull { return 0 }
            let vertexCount = totals.floats / 3
            guard vertexCount <= UInt32.max else {
                throw .badData("\(vertexCount) vertices", expected: "at most \(UInt32.max)")
            }
            if totals.verticesNeeded > vertexCount {
                throw statementFailure(bytes, pieces, piece: 0, vertices: 0, limit: vertexCount)
            }
            let shared = Unchecked((UnsafePointer(positions.baseAddress!), triangles.baseAddress!))
            parallelFor(fans.count, threads: threads) { range in
                for piece in range {
                    PolygonTriangulator.cut(fans[piece][...], positions: shared.value.0, triangles: shared.value.1)
                }
            }
            return 3 * totals.triangles
        }
        return totals.floats
    }
    return totals.isFull ? nil : mesh
}

/// Parses every piece into its place. Returns the polygons of each.
private func parsePieces(
    _ bytes: UnsafeRawBufferPointer, _ pieces: OBJPieces, positions: UnsafeMutableBufferPointer<Float>,
    triangles: UnsafeMutableBufferPointer<UInt32>, totals: inout OBJTotals, threads: Int
) -> [[PolygonFan]] {
    let pieceCount = pieces.bounds.count - 1
    let scratches = (0..<max(1, min(threads, pieceCount))).map { _ in OBJScratch(textLength: pieces.longest) }
    let turn = Atomic<Int>(0)
    return withUnsafeMutablePointer(to: &totals) { totals in
        [[PolygonFan]](unsafeUninitializedCapacity: pieceCount) { fans, initialized in
            fans.initialize(repeating: [])
            initialized = pieceCount
            let shared = Unchecked((bytes, positions.baseAddress!, triangles, totals, fans))
            parallelFor(pieceCount, threads: threads) { worker, range in
                let (bytes, positions, triangles, totals, fans) = shared.value
                for piece in range {
                    let chunk = scratches[worker].parse(pieces.bounds[piece]..<pieces.bounds[piece + 1], of: bytes)
                    // Pieces start in order, so the one whose turn it is has always started.
                    while turn.load(ordering: .acquiring) != piece { sched_yield() }
                    let before = totals.pointee
                    let isTaken = totals.pointee.add(chunk, piece: piece, room: triangles.count)
                    turn.store(piece + 1, ordering: .releasing)
                    guard isTaken else { continue }
                    (positions + before.floats).update(from: chunk.positions, count: chunk.position_count)
                    let place = triangles.baseAddress! + 3 * before.triangles
                    place.update(from: chunk.triangles, count: 3 * chunk.triangle_count)
                    let base = UInt32(truncatingIfNeeded: before.floats / 3)
                    for r in 0..<chunk.relative_count { place[Int(chunk.relative[r])] &+= base }
                    fans[piece] = (0..<chunk.polygon_count).map { p in
                        PolygonFan(
                            firstTriangle: before.triangles + Int(chunk.polygons[2 * p]),
                            corners: Int(chunk.polygons[2 * p + 1]))
                    }
                }
            }
        }
    }
}

/// Says what is wrong, and where: goes through the statements from a piece on, one by one.
/// - Parameters:
///   - vertices: how many come before the piece.
///   - limit: the vertices of the whole file, once they are known.
private func statementFailure(
    _ bytes: UnsafeRawBufferPointer, _ pieces: OBJPieces, piece: Int, vertices: Int, limit: Int?
) -> Failure {
    let scratch = OBJScratch(textLength: pieces.longest)
    var vertices = vertices
    for piece in piece..<pieces.bounds.count - 1 {
        let range = pieces.bounds[piece]..<pieces.bounds[piece + 1]
        let whole = scratch.parse(range, of: bytes)
        if whole.isGood(after: vertices), whole.verticesNeeded(after: vertices) <= limit ?? .max {
            vertices += whole.position_count / 3
            continue
        }
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start + 1
            while end < range.upperBound, !isStatementEnd(end - 1, in: bytes) { end += 1 }
            let statement = scratch.parse(start..<end, of: bytes)
            // Finding a line takes the whole text up to it: once, for the statement that is wrong.
            var place: String { linePlace(start + Int(statement.error_offset), in: bytes) }
            if statement.error != SSDF_OBJ_OK {
                return errorFailure(statement, at: start + Int(statement.error_offset), in: bytes)
            }
            if Int(statement.smallest_relative) + vertices < 0 {
                return .badData(
                    place: place, "vertex index \(statement.smallest_relative)",
                    expected: vertices == 0 ? "a vertex before it" : "-\(vertices) to -1")
            }
            if statement.verticesNeeded(after: vertices) > limit ?? .max {
                return .badData(
                    place: place, "vertex index \(statement.verticesNeeded(after: vertices))",
                    expected: limit == 0 ? "a vertex" : "1 to \(limit!)")
            }
            if !statement.isGood(after: vertices) {
                return .badData(
                    place: place, "a face with \(statement.polygons[1]) corners",
                    expected: "at most \(PolygonTriangulator.mostCorners)")
            }
            vertices += statement.position_count / 3
            start = end
        }
    }
    return Failure(.internal, "an OBJ file failed as a whole but not statement by statement")
}

private func errorFailure(_ chunk: ssdf_obj_chunk, at offset: Int, in bytes: UnsafeRawBufferPointer) -> Failure {
    let place = linePlace(offset, in: bytes)
    let word = quotedWord(offset, in: bytes)
    switch chunk.error {
    case SSDF_OBJ_COORDINATE: return .badData(place: place, "\(word)", expected: "a coordinate")
    case SSDF_OBJ_LARGE_COORDINATE: return .badData(place: place, "coordinate \(word)", expected: coordinateRange)
    case SSDF_OBJ_INDEX: return .badData(place: place, "\(word)", expected: "a vertex index")
    case SSDF_OBJ_INDEX_RANGE:
        return .badData(place: place, "vertex index \(word)", expected: "1 to 2147483647, or negative")
    default: return .badData(place: place, "a face with fewer than 3 corners", expected: "at least 3")
    }
}
