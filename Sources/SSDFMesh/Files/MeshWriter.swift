import SSDFCore

/// The mesh formats that are written.
package enum MeshFileFormat: String, CaseIterable, Sendable {
    case ply, obj, stl, off, glb

    /// The format of a path's suffix, in either case; nil when it has none of these.
    package init?(path: String) {
        guard let suffix = fileSuffix(of: path) else { return nil }
        self.init(rawValue: suffix)
    }
}

/// Writes a mesh, with its normals when it has any: PLY (binary, little-endian), OBJ, STL (binary, without normals of
/// vertices), OFF or GLB (glTF 2.0).
///
/// Coordinates in text are the shortest that read back as the same floats. The bytes do not depend on `threads`.
/// - Throws: `badData` when the format cannot hold the mesh (more than 2^32 − 1 STL triangles, 4 GiB of GLB), and what
///   the sink throws.
package func writeMesh(
    _ mesh: TriangleMesh, format: MeshFileFormat, threads: Int, to sink: ByteSink
) throws(Failure) {
    switch format {
    case .ply: try writePLY(mesh, threads: threads, to: sink)
    case .obj: try writeOBJ(mesh, threads: threads, to: sink)
    case .stl: try writeSTL(mesh, threads: threads, to: sink)
    case .off: try writeOFF(mesh, threads: threads, to: sink)
    case .glb: try writeGLB(mesh, to: sink)
    }
}

extension TriangleMesh {
    /// Whether there is a normal for every vertex.
    var hasNormals: Bool { !positions.isEmpty && normals.count == positions.count }
}

/// Hands a text to a sink.
func write(_ text: String, to sink: ByteSink) throws(Failure) { try write(Array(text.utf8), to: sink) }

/// Hands the bytes of an array to a sink.
func write<Element: BitwiseCopyable>(_ elements: [Element], to sink: ByteSink) throws(Failure) {
    var failure: Failure?
    elements.withUnsafeBytes { bytes in
        do throws(Failure) { try sink(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
}

/// Makes records in tiles, several threads at a time, and hands them to a sink in order.
///
/// - Parameters:
///   - count: number of records.
///   - recordSize: the most bytes that a record takes.
///   - fill: writes the records of a range; returns the bytes written.
func writeRecords(
    _ count: Int, recordSize: Int, threads: Int, to sink: ByteSink,
    fill: @Sendable (Range<Int>, UnsafeMutablePointer<UInt8>) -> Int
) throws(Failure) {
    // A tile of a few hundred kilobytes stays in its core's cache until the sink takes it.
    let tile = max(1, min(count, (1 << 18) / recordSize))
    let tiles = (count + tile - 1) / tile
    let batch = max(1, min(tiles, threads == 1 ? 1 : 4 * threads))
    let storage = Buffer<UInt8>(uninitialized: batch * tile * recordSize)
    let lengths = Buffer<Int>(zeros: batch)
    let shared = Unchecked((storage.pointer, lengths.pointer))
    var start = 0
    while start < tiles {
        let here = min(batch, tiles - start)
        let firstTile = start
        parallelFor(here, threads: threads) { range in
            for slot in range {
                let first = (firstTile + slot) * tile
                shared.value.1[slot] = fill(
                    first..<min(first + tile, count), shared.value.0 + slot * tile * recordSize)
            }
        }
        for slot in 0..<here {
            try sink(UnsafeRawBufferPointer(start: storage.pointer + slot * tile * recordSize, count: lengths[slot]))
        }
        start += here
    }
}
