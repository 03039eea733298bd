import SSDFCore

/// Reads the elements of an ASCII PLY file.
/// - Parameter all: the whole file, for line numbers.
/// - Throws: `badData` with the line.
func readPLYText(
    _ body: UnsafeRawBufferPointer, _ header: PLYHeader, all: UnsafeRawBufferPointer, mesh: inout TriangleMesh,
    faces: inout FaceCollector
) throws(Failure) {
    do throws(Failure) {
        var cursor = TextCursor(body)
        for element in header.elements {
            // A value takes two bytes with what separates it; an item of an element without properties takes none.
            let (least, overflow) = (2 * element.properties.count).multipliedReportingOverflow(by: element.count)
            guard !overflow, least <= cursor.bytesLeft + 1 else {
                throw .badData(
                    place: "element \(element.name)",
                    "\(cursor.bytesLeft) bytes left for \(element.count) items", expected: "more")
            }
            switch element.name {
            case "vertex": try readVertices(element, &cursor, into: &mesh)
            case "face" where element.count > 0: try readFaces(element, &cursor, into: &faces)
            case "tristrips" where element.count > 0: try readStrips(element, &cursor, into: &faces)
            default:
                for _ in 0..<(element.properties.isEmpty ? 0 : element.count) {
                    for property in element.properties { try skip(property, &cursor) }
                }
            }
        }
    } catch {
        // Places count from the start of the body; the header's lines come before it.
        guard error.place.hasPrefix("line "), let line = Int(error.place.dropFirst(5)) else { throw error }
        var failure = error
        let before = all[..<header.bodyOffset].count { $0 == 10 }
        failure.place = "line \(line + before)"
        throw failure
    }
}

private func skip(_ property: PLYProperty, _ cursor: inout TextCursor) throws(Failure) {
    guard property.countType != nil else { return try cursor.skipWord() }
    for _ in 0..<(try listCount(&cursor)) { try cursor.skipWord() }
}

private func listCount(_ cursor: inout TextCursor) throws(Failure) -> Int {
    let count = try cursor.integer("a list's count")
    guard count >= 0, count <= cursor.bytesLeft / 2 + 1 else {
        throw .badData(
            place: cursor.place, "a list of \(count) items", expected: "at most the \(cursor.bytesLeft) bytes left")
    }
    return Int(count)
}

private func readVertices(
    _ element: PLYElement, _ cursor: inout TextCursor, into mesh: inout TriangleMesh
) throws(Failure) {
    let axes = ["x", "y", "z"].compactMap { element.scalar(named: $0) }
    let normalAxes = ["nx", "ny", "nz"].compactMap { element.scalar(named: $0) }
    let hasNormals = normalAxes.count == 3
    // For each property: 0…2 a coordinate, 3…5 a normal's component, 6 something else.
    let slots = element.properties.indices.map { property in
        axes.firstIndex(of: property) ?? (hasNormals ? normalAxes.firstIndex(of: property).map { $0 + 3 } : nil) ?? 6
    }
    mesh.positions.reserveCapacity(3 * element.count)
    if hasNormals { mesh.normals.reserveCapacity(3 * element.count) }
    var values = SIMD8<Float>.zero
    for _ in 0..<element.count {
        for (slot, property) in zip(slots, element.properties) {
            switch slot {
            case 0...2: values[slot] = try cursor.coordinate()
            case 3...5: values[slot] = try cursor.float("a component of a normal")
            default: try skip(property, &cursor)
            }
        }
        for axis in 0..<3 { mesh.positions.append(values[axis]) }
        if hasNormals { for axis in 3..<6 { mesh.normals.append(values[axis]) } }
    }
}

private func readFaces(
    _ element: PLYElement, _ cursor: inout TextCursor, into faces: inout FaceCollector
) throws(Failure) {
    let list = element.indexList!
    for _ in 0..<element.count {
        for (index, property) in element.properties.enumerated() {
            guard index == list else {
                try skip(property, &cursor)
                continue
            }
            let corners = try listCount(&cursor)
            for _ in 0..<corners {
                faces.addCorner(UInt32(truncatingIfNeeded: try cursor.index()))
            }
            do throws(Failure) {
                try faces.endFace()
            } catch {
                var failure = error
                failure.place = cursor.place
                throw failure
            }
        }
    }
}

private func readStrips(
    _ element: PLYElement, _ cursor: inout TextCursor, into faces: inout FaceCollector
) throws(Failure) {
    let list = element.indexList!
    for _ in 0..<element.count {
        for (index, property) in element.properties.enumerated() {
            guard index == list else {
                try skip(property, &cursor)
                continue
            }
            var strip = PLYStrip()
            for _ in 0..<(try listCount(&cursor)) { strip.add(try cursor.index(), to: &faces) }
        }
    }
}

extension TextCursor {
    /// The next vertex index. Those that cannot be one of any file come out as others that cannot.
    @inline(__always)
    fileprivate mutating func index() throws(Failure) -> Int64 {
        let index = try integer("a vertex index")
        return index < -1 || index > Int64(UInt32.max) ? -2 : index
    }
}
