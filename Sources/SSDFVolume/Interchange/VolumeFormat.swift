import SSDFCore

/// The formats that volumes are exchanged in.
package enum VolumeFormat: String, Sendable, CaseIterable {
    case ssdf, npz, nrrd, vdb

    /// The format that a path's suffix names.
    package init?(suffixOf path: String) {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
        self.init(rawValue: path[path.index(after: dot)...].lowercased())
    }

    /// The format that a file's first bytes tell; nil when it is none of these. An .npy file counts as npz.
    package init?(contentOf bytes: UnsafeRawBufferPointer) {
        let magic: [(VolumeFormat, [UInt8])] = [
            (.ssdf, [0x89, 0x53, 0x53, 0x44, 0x46]), (.npz, [0x50, 0x4b, 3, 4]), (.npz, [0x50, 0x4b, 5, 6]),
            (.npz, NumpyHeader.magic), (.nrrd, Array("NRRD".utf8)), (.vdb, [0x20, 0x42, 0x44, 0x56, 0, 0, 0, 0]),
        ]
        guard let match = magic.first(where: { bytes.starts(with: $0.1) }) else { return nil }
        self = match.0
    }
}
