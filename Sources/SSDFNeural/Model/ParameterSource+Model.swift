import SSDFCore
import SSDFTensor

/// A component's open weights, shared by the layers that are made from them.
private final class OpenWeights: Sendable {
    let weights: ModelWeights

    init(_ weights: consuming ModelWeights) { self.weights = weights }

    func tensor(_ name: String, _ shape: [Int]) throws(Failure) -> Tensor {
        guard let entry = weights.file.entry(name), entry.shape == shape else {
            let found = weights.file.entry(name).map { "\($0.shape)" } ?? "nothing"
            throw .badData(
                file: weights.file.name, place: "tensor \"\(name)\"", "shape \(found)", expected: "\(shape)")
        }
        let tensor = Tensor(shape: shape, storage: Storage(unpooled: entry.elementCount))
        try weights.file.readFloats(
            of: entry, into: UnsafeMutableBufferPointer(start: tensor.pointer, count: tensor.count))
        // What was converted is not needed in the page cache's share of this process.
        weights.file.forget(entry, 0..<entry.range.count)
        return tensor
    }
}

extension ParameterSource {
    /// The tensors of a component, read from its file as layers ask for them.
    package init(_ weights: consuming ModelWeights) {
        let open = OpenWeights(weights)
        self.init { name, shape throws(Failure) in try open.tensor(name, shape) }
    }
}
