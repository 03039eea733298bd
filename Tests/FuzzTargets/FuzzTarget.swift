import SSDFCore

/// A reader of hostile input, and what must hold for any bytes it is given.
///
/// `run` returns or traps: a file that is refused is none of its business, one that is accepted must keep every promise
/// of its reader. Where each starts from stands in Tests/Fuzz/seeds.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A whole .ssdf file, read as a file and as a stream, which must agree; then written again.
    case container
    case obj, ply, stl, off
    /// What an importer of foreign formats sends.
    case imported
    /// A picture.
    case png
    /// A safetensors file; what is accepted is written again and must come out equal.
    case safetensors
    /// A whole checkpoint: zip, pickle and every tensor.
    case checkpoint
    /// The pickle of a checkpoint, put into a sound archive.
    case pickle
    /// A configuration of a model.
    case config

    /// Bytes of the largest input that is worth trying.
    package static let largestInput = 1 << 16

    /// Hands bytes to the reader. Whatever they are, it returns.
    package func run(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .container: fuzzContainer(bytes)
        case .obj, .ply, .stl, .off: fuzzMesh(bytes, format: rawValue)
        case .imported: fuzzImported(bytes)
        case .png: fuzzPNG(bytes)
        case .safetensors: fuzzSafetensors(bytes)
        case .checkpoint: fuzzCheckpoint(bytes)
        case .pickle: fuzzPickle(bytes)
        case .config: fuzzConfig(bytes)
        }
    }
}
