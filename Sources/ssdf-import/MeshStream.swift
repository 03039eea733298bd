#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import SSDFCore

/// The raw stream on standard output, in the machine's byte order: "SSDFMESH", then parts, each of a word 1 and four
/// counts (vertices, triangles, polygons, corners of the polygons; 64 bits each) and the arrays (positions f32 [v, 3],
/// triangles u32 [t, 3], corners of each polygon u32 [p], polygon indices u32 [c]), then a word 0. A word 2, a length and
/// UTF-8 text instead of the first part say what went wrong; what goes wrong later only the exit status says.
enum MeshStream {
    static func begin() throws(Failure) { try write(Array("SSDFMESH".utf8)) }

    static func writePart(
        positions: [Float], triangles: [UInt32], polygons: [UInt32], polygonCorners: [UInt32]
    ) throws(Failure) {
        try write(
            [1, positions.count / 3, triangles.count / 3, polygons.count, polygonCorners.count].map(UInt64.init))
        try write(positions)
        try write(triangles)
        try write(polygons)
        try write(polygonCorners)
    }

    static func end() throws(Failure) { try write([UInt64(0)]) }

    /// Nobody is left to tell when this fails too.
    static func writeFailure(_ message: String) {
        let text = Array(message.utf8.prefix(1000))
        try? write(Array("SSDFMESH".utf8))
        try? write([2, UInt64(text.count)])
        try? write(text)
    }

    private static func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(Failure) {
        var failure: Failure?
        elements.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let written = Glibc.write(1, UnsafeRawBufferPointer(rebasing: rest).baseAddress!, rest.count)
                if written < 0, errno == EINTR { continue }
                guard written > 0 else {
                    failure = Failure(.inputOutput, "cannot write: \(systemMessage(errno))")
                    return
                }
                rest = rest.dropFirst(written)
            }
        }
        if let failure { throw failure }
    }
}
