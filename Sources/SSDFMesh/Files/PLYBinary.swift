import CSSDFKernels
import SSDFCore

/// Reads the elements of a binary PLY file.
/// - Throws: `badData` with the byte, counted from the start of the file.
func readPLYBinary(
    _ body: UnsafeRawBufferPointer, _ header: PLYHeader, mesh: inout TriangleMesh, faces: inout FaceCollector,
    threads: Int
) throws(Failure) {
    var reader = PLYBinaryReader(body: body, swaps: header.encoding == .bigEndian, bodyOffset: header.bodyOffset)
    for element in header.elements {
        let (least, overflow) = element.leastSize.multipliedReportingOverflow(by: element.count)
        guard !overflow, least <= body.count - reader.offset else {
            throw .badData(
                place: "element \(element.name)",
                "\(body.count - reader.offset) bytes left for \(element.count) items",
                expected: "at least \(overflow ? "2^63" : "\(least)")")
        }
        switch element.name {
        case "vertex": try reader.readVertices(element, into: &mesh, threads: threads)
        case "face" where element.count > 0: try reader.readFaces(element, into: &faces, threads: threads)
        case "tristrips" where element.count > 0: try reader.readStrips(element, into: &faces)
        default: try reader.skip(element)
        }
    }
}

/// A place in the data.
private struct PLYBinaryReader {
    let body: UnsafeRawBufferPointer
    let swaps: Bool
    let bodyOffset: Int
    var offset = 0

    init(body: UnsafeRawBufferPointer, swaps: Bool, bodyOffset: Int) {
        self.body = body
        self.swaps = swaps
        self.bodyOffset = bodyOffset
    }

    private var place: String { "byte \(bodyOffset + offset)" }

    /// - Precondition: the bytes are there.
    @inline(__always)
    private func load<Word: FixedWidthInteger & BitwiseCopyable>(_ at: Int, as: Word.Type) -> Word {
        let word = body.loadUnaligned(fromByteOffset: at, as: Word.self)
        return swaps ? word.byteSwapped : word
    }

    @inline(__always)
    private func integer(_ at: Int, _ type: PLYType) -> Int64 {
        switch type {
        case .int8: Int64(load(at, as: Int8.self))
        case .uint8: Int64(load(at, as: UInt8.self))
        case .int16: Int64(load(at, as: Int16.self))
        case .uint16: Int64(load(at, as: UInt16.self))
        case .int32: Int64(load(at, as: Int32.self))
        default: Int64(load(at, as: UInt32.self))
        }
    }

    private func number(_ at: Int, _ type: PLYType) -> Double {
        switch type {
        case .float32: Double(Float(bitPattern: load(at, as: UInt32.self)))
        case .float64: Double(bitPattern: load(at, as: UInt64.self))
        default: Double(integer(at, type))
        }
    }

    private func require(_ size: Int) throws(Failure) {
        guard size <= body.count - offset else {
            throw .badData(place: place, "\(body.count - offset) bytes left", expected: "\(size)")
        }
    }

    /// Reads a list's count and leaves the offset at its first item, all of whose items are there.
    @inline(__always)
    private mutating func beginList(_ property: PLYProperty, _ countType: PLYType) throws(Failure) -> Int {
        try require(countType.size)
        let count = integer(offset, countType)
        guard count >= 0 else { throw .badData(place: place, "a list of \(count) items", expected: "0 or more") }
        offset += countType.size
        // At most 2^32 items of 8 bytes: no overflow.
        try require(Int(count) * property.type.size)
        return Int(count)
    }

    private mutating func skip(_ property: PLYProperty) throws(Failure) {
        if let countType = property.countType {
            offset += try beginList(property, countType) * property.type.size
        } else {
            try require(property.type.size)
            offset += property.type.size
        }
    }

    mutating func skip(_ element: PLYElement) throws(Failure) {
        if let size = element.fixedSize {
            offset += size * element.count
            return
        }
        for _ in 0..<element.count {
            for property in element.properties { try skip(property) }
        }
    }

    // MARK: Vertices

    mutating func readVertices(_ element: PLYElement, into mesh: inout TriangleMesh, threads: Int) throws(Failure) {
        let axes = ["x", "y", "z"].compactMap { element.scalar(named: $0) }
        let normalAxes = ["nx", "ny", "nz"].compactMap { element.scalar(named: $0) }
        guard let stride = element.fixedSize else {
            try readScatteredVertices(element, axes: axes, into: &mesh)
            return
        }
        let start = offset
        mesh.positions = try readColumns(element, axes, stride: stride, limit: 1e18, threads: threads)
        if normalAxes.count == 3 {
            mesh.normals = try readColumns(element, normalAxes, stride: stride, limit: nil, threads: threads)
        }
        offset = start + stride * element.count
    }

    /// Three columns of items of a fixed size.
    private func readColumns(
        _ element: PLYElement, _ columns: [Int], stride: Int, limit: Float?, threads: Int
    ) throws(Failure) -> [Float] {
        let types = columns.map { element.properties[$0].type }
        let places = columns.map { column in element.properties[..<column].reduce(0) { $0 + $1.type.size } }
        let isFloat = types.allSatisfy { $0 == .float32 }
        let count = element.count
        let grain = 1 << 16
        let tiles = (count + grain - 1) / grain
        var bad = [Int](repeating: .max, count: tiles)
        let reader = Unchecked(self)
        let values = bad.withUnsafeMutableBufferPointer { bad in
            let bad = Unchecked(bad)
            return [Float](filling: 3 * count) { values in
                let values = Unchecked(values)
                parallelFor(count, threads: threads, grain: grain) { range in
                    let base = reader.value.offset + range.lowerBound * stride
                    let out = values.value.baseAddress! + 3 * range.lowerBound
                    let first: Int
                    if isFloat {
                        let source = reader.value.body.baseAddress!.assumingMemoryBound(to: UInt8.self) + base
                        first = ssdf_gather_points(
                            source, range.count, stride, places[0], places[1], places[2],
                            reader.value.swaps ? 1 : 0, limit ?? .infinity, out)
                    } else {
                        for item in 0..<range.count {
                            for axis in 0..<3 {
                                out[3 * item + axis] = Float(
                                    reader.value.number(base + item * stride + places[axis], types[axis]))
                            }
                        }
                        first = ssdf_first_beyond(out, 3 * range.count, limit ?? .infinity) / 3
                    }
                    if first < range.count { bad.value[range.lowerBound / grain] = range.lowerBound + first }
                }
            }
        }
        if limit != nil, let vertex = bad.first(where: { $0 != .max }) {
            let found = (0..<3).map { "\(values[3 * vertex + $0])" }.joined(separator: " ")
            throw .badData(
                place: "vertex \(vertex), byte \(bodyOffset + offset + vertex * stride)", "coordinates \(found)",
                expected: coordinateRange)
        }
        return values
    }

    /// Vertices with lists among their properties, item by item.
    private mutating func readScatteredVertices(
        _ element: PLYElement, axes: [Int], into mesh: inout TriangleMesh
    ) throws(Failure) {
        mesh.positions = []
        mesh.positions.reserveCapacity(3 * element.count)
        for vertex in 0..<element.count {
            var point = [Float](repeating: 0, count: 3)
            for (index, property) in element.properties.enumerated() {
                let at = offset
                try skip(property)
                guard let axis = axes.firstIndex(of: index) else { continue }
                point[axis] = Float(number(at, property.type))
                guard abs(point[axis]) <= 1e18 else {
                    throw .badData(
                        place: "vertex \(vertex), byte \(bodyOffset + at)", "coordinate \(point[axis])",
                        expected: coordinateRange)
                }
            }
            mesh.positions += point
        }
    }

    // MARK: Faces

    mutating func readFaces(_ element: PLYElement, into faces: inout FaceCollector, threads: Int) throws(Failure) {
        let list = element.indexList!
        let taken = readLeadingTriangles(element, list, into: &faces, threads: threads)
        for _ in taken..<element.count {
            for (index, property) in element.properties.enumerated() {
                guard index == list, let countType = property.countType else {
                    try skip(property)
                    continue
                }
                let start = offset
                let corners = try beginList(property, countType)
                guard corners >= 3, corners <= PolygonTriangulator.mostCorners else {
                    throw .badData(
                        place: "face \(faces.faceCount), byte \(bodyOffset + start)", "a face with \(corners) corners",
                        expected: "3 to \(PolygonTriangulator.mostCorners)")
                }
                for corner in 0..<corners {
                    let index = integer(offset + corner * property.type.size, property.type)
                    faces.addCorner(UInt32(truncatingIfNeeded: index))
                }
                offset += corners * property.type.size
                try faces.endFace()
            }
        }
    }

    /// Takes faces from the front, on several threads, as long as they are triangles of a fixed size.
    /// Returns how many.
    private mutating func readLeadingTriangles(
        _ element: PLYElement, _ list: Int, into faces: inout FaceCollector, threads: Int
    ) -> Int {
        let property = element.properties[list]
        let isPlain = element.properties.indices.allSatisfy { $0 == list || element.properties[$0].countType == nil }
        guard isPlain, property.countType?.size == 1, property.type.size == 4, faces.triangleCount == 0 else {
            return 0
        }
        let prefix = element.properties[..<list].reduce(0) { $0 + $1.type.size }
        let stride = element.leastSize + 12
        let count = min(element.count, (body.count - offset) / stride)
        let grain = 1 << 16
        let tiles = (count + grain - 1) / grain
        var taken = [Int](repeating: 0, count: tiles)
        var largest = [UInt32](repeating: 0, count: tiles)
        let source = Unchecked(body.baseAddress!.assumingMemoryBound(to: UInt8.self) + offset)
        let swap: Int32 = swaps ? 1 : 0
        taken.withUnsafeMutableBufferPointer { taken in
            largest.withUnsafeMutableBufferPointer { largest in
                let shared = Unchecked((faces.storage, taken, largest))
                parallelFor(count, threads: threads, grain: grain) { range in
                    let (triangles, taken, largest) = shared.value
                    let tile = range.lowerBound / grain
                    taken[tile] = ssdf_gather_triangles(
                        source.value + range.lowerBound * stride, range.count, stride, prefix, swap,
                        triangles.baseAddress! + 3 * range.lowerBound, largest.baseAddress! + tile)
                }
            }
        }
        var total = 0
        var top: UInt32 = 0
        for tile in 0..<tiles {
            total += taken[tile]
            top = max(top, largest[tile])
            if taken[tile] < min(grain, count - tile * grain) { break }
        }
        faces.reserve(triangles: total, largestIndex: top)
        offset += total * stride
        return total
    }

    mutating func readStrips(_ element: PLYElement, into faces: inout FaceCollector) throws(Failure) {
        let list = element.indexList!
        for _ in 0..<element.count {
            for (index, property) in element.properties.enumerated() {
                guard index == list, let countType = property.countType else {
                    try skip(property)
                    continue
                }
                let count = try beginList(property, countType)
                var strip = PLYStrip()
                for item in 0..<count {
                    strip.add(integer(offset + item * property.type.size, property.type), to: &faces)
                }
                offset += count * property.type.size
            }
        }
    }
}
