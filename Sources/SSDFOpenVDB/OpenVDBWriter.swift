import COpenVDB
import SSDFCore
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Makes a .vdb file of grids: active voxels, background, transform and name as they are, all other metadata as texts whose
/// names begin with ssdf_. The file is made in memory, because OpenVDB writes it out of order.
///
/// A grid of signed distances with its surface at 0 is a level set; its inactive voxels inside have the background's
/// negative, as OpenVDB's tools expect.
package struct OpenVDBWriter: ~Copyable {
    private let writer: OpaquePointer

    /// - Throws: `unavailable` in a build without OpenVDB.
    package init() throws(Failure) {
        try OpenVDB.requireSupport()
        guard let writer = ssdf_vdb_writer_make() else { throw Failure(.unavailable, "OpenVDB does not start") }
        self.writer = writer
    }

    deinit { ssdf_vdb_writer_free(writer) }

    /// Adds a grid.
    /// - Parameter isHalf: whether its values are stored as f16.
    /// - Throws: `badData` when it has neither one nor three channels.
    package mutating func add(_ volume: borrowing SparseVolume, isHalf: Bool) throws(Failure) {
        let metadata = volume.metadata
        guard volume.channels == 1 || volume.channels == 3 else {
            throw .badData(
                place: "grid \"\(metadata.name)\"", "\(volume.channels) channels", expected: "1 or 3 in a .vdb file")
        }
        let fields = metadata.textFields.filter { $0.name != "name" && $0.name != "index_to_world" }
        let keys = CStrings(fields.map { OpenVDB.prefix + $0.name })
        let texts = CStrings(fields.map(\.text))
        let name = CStrings([metadata.name])
        let m = metadata.indexToWorld.rows
        var grid = ssdf_vdb_grid(
            name: name.pointer[0], bricks: UnsafeRawPointer(volume.bricks.pointer).assumingMemoryBound(to: Int32.self),
            masks: UnsafePointer(volume.masks.pointer), values: UnsafePointer(volume.values.pointer),
            brick_count: volume.brickCount, channels: Int32(volume.channels),
            grid_class: Int32(metadata.openVDBClass), is_half: isHalf ? 1 : 0, background: metadata.background,
            index_to_world: (m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11]),
            keys: keys.pointer, texts: texts.pointer, text_count: fields.count)
        let status = ssdf_vdb_writer_add(writer, &grid)
        withExtendedLifetime((keys, texts, name)) {}
        guard status == 0 else { throw failure() }
    }

    /// Writes the file.
    /// - Parameter isCompressed: with blosc, or zip where OpenVDB has no blosc.
    /// - Throws: what the sink throws.
    package consuming func finish(isCompressed: Bool, to sink: ByteSink) throws(Failure) {
        var bytes = UnsafeMutablePointer<CChar>(bitPattern: 64)!
        var identifier = bytes
        var count = 0
        guard ssdf_vdb_writer_finish(writer, isCompressed ? 1 : 0, &bytes, &count, &identifier) == 0 else {
            throw failure()
        }
        // The identifier is random, and equal volumes shall make equal files: it becomes one of the content.
        memset(identifier, 0x30, 36)
        let digits = Array(contentHash(UnsafeRawBufferPointer(start: bytes, count: count)).utf8.dropFirst(7))
        var text: [UInt8] = []
        for (index, digit) in digits.prefix(32).enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            // Version 8: of the maker's own design; variant 10.
            text.append(index == 12 ? UInt8(ascii: "8") : index == 16 ? UInt8(ascii: "a") : digit)
        }
        memcpy(identifier, text, 36)
        try sink(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    private borrowing func failure() -> Failure {
        Failure(.internal, "OpenVDB: \(String(cString: ssdf_vdb_writer_error(writer)))")
    }
}

extension GridMetadata {
    fileprivate var openVDBClass: Int {
        switch kind {
        case .sdf where isoValue == 0 && background > 0 && channels == 1: SSDF_VDB_LEVEL_SET
        case .occupancy: SSDF_VDB_FOG_VOLUME
        default: SSDF_VDB_UNKNOWN
        }
    }
}

/// Strings of C that live as long as this does.
private final class CStrings {
    private let strings: [UnsafeMutablePointer<CChar>]
    let pointer: UnsafeMutablePointer<UnsafePointer<CChar>>

    init(_ texts: [String]) {
        strings = texts.map { strdup($0)! }
        pointer = .allocate(capacity: max(texts.count, 1))
        for (index, string) in strings.enumerated() { (pointer + index).initialize(to: UnsafePointer(string)) }
    }

    deinit {
        for string in strings { free(string) }
        pointer.deallocate()
    }
}
