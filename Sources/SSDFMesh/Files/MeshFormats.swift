import SSDFCore

/// What a file holds, as far as its reader is concerned.
enum DetectedFormat: Equatable {
    case ply, obj

    /// For reports: lower case.
    var name: String {
        switch self {
        case .ply: "ply"
        case .obj: "obj"
        }
    }
}

/// Tells a format from the content, and where that does not tell, from the file's suffix.
/// - Throws: `badData` when neither does.
func meshFormat(of bytes: UnsafeRawBufferPointer, hint: String?) throws(Failure) -> DetectedFormat {
    if startsAsPLY(bytes) { return .ply }
    switch hint {
    case "ply": return .ply
    case "obj": return .obj
    default: return .obj
    }
}

/// "ply" and the end of its line.
private func startsAsPLY(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: "ply".utf8) && bytes.dropFirst(3).first.map { $0 == 10 || $0 == 13 || $0 == 32 } ?? false
}
