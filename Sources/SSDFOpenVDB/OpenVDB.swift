import COpenVDB
import SSDFCore

/// Volumes of OpenVDB, in builds with the package trait of that name.
package enum OpenVDB {
    /// The version of the library; nil in a build without it.
    package static var version: String? { ssdf_vdb_version().map { String(cString: $0) } }

    /// - Throws: `unavailable` in a build without OpenVDB.
    package static func requireSupport() throws(Failure) {
        guard version == nil else { return }
        throw Failure(
            .unavailable,
            ".vdb needs OpenVDB, which this build does not have: install libopenvdb-dev and build with --traits OpenVDB"
        )
    }

    /// What the names of a grid's metadata begin with in a .vdb file.
    static let prefix = "ssdf_"
}
