import SSDFCore
import SSDFTensor

/// A tensor of a file of weights, whatever the file's format.
package struct WeightTensor: Sendable {
    /// The keys that lead to it, outermost first; one for formats that do not nest.
    package var path: [String]
    /// Type of its elements.
    package var type: ElementType
    /// Sides, outermost first.
    package var shape: [Int]
}

/// An open file of weights.
package protocol WeightSource: AnyObject {
    /// The file as the person named it.
    var name: String { get }
    /// All tensors.
    var weights: [WeightTensor] { get }
    /// Bytes of what is unpacked at a time; 0 where tensors are read as they lie in the file.
    var unpackedBytes: Int { get }

    /// Hands the bytes of the tensor at `index` of `weights` to `body`: row-major, contiguous, in pieces of whole
    /// elements, without keeping them in memory.
    func forEachPiece(ofWeight index: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure)
}

/// Opens a file of weights: a checkpoint or safetensors, told apart by content.
/// - Throws: `noInput` when it cannot be opened, `badData` when it is neither or damaged.
package func openWeights(path: String) throws(Failure) -> any WeightSource {
    // A safetensors file opens its header after eight bytes of length.
    let isSafetensors = try FileBytes(path: path).withBytes { bytes throws(Failure) in
        bytes.count > 8 && bytes[8] == UInt8(ascii: "{") && !bytes.starts(with: "PK".utf8)
    }
    return isSafetensors ? try SafetensorsWeights(path: path) : try CheckpointFile(path: path)
}

extension CheckpointFile: WeightSource {
    /// All tensors, in the order of the pickle.
    package var weights: [WeightTensor] {
        tensors.map { WeightTensor(path: $0.path, type: $0.type, shape: $0.shape) }
    }

    /// - Throws: `badData` when the tensor's storage is damaged; what `body` throws.
    package func forEachPiece(
        ofWeight index: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try forEachPiece(of: tensors[index], body)
    }
}

/// A safetensors file as a source of weights.
package final class SafetensorsWeights: WeightSource {
    private let file: SafetensorsFile
    /// All tensors, in the order of the file.
    package let weights: [WeightTensor]

    /// - Throws: as `SafetensorsFile(path:)`.
    package init(path: String) throws(Failure) {
        file = try SafetensorsFile(path: path)
        weights = file.entries.map { WeightTensor(path: [$0.name], type: $0.type, shape: $0.shape) }
    }

    /// The file as the person named it.
    package var name: String { file.name }

    /// Nothing is packed.
    package var unpackedBytes: Int { 0 }

    /// - Throws: what `body` throws.
    package func forEachPiece(
        ofWeight index: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let entry = file.entries[index]
        let bytes = file.bytes(of: entry)
        var position = 0
        while position < bytes.count {
            let end = min(position + largestPiece, bytes.count)
            try body(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
            file.forget(entry, position..<end)
            position = end
        }
    }
}
