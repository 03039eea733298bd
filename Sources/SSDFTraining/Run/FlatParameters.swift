import SSDFNeural
import SSDFTensor

/// The parameters of a network in one block of memory: first those with more than one axis, which decay, then biases and
/// the scales of norms, which do not.
package final class FlatParameters: Sendable {
    /// `[count]`
    package let all: Tensor
    /// The two kinds, with variables: `[n, 1]` and `[m]`.
    package let halves: [Tensor]
    /// By the parameters' names, parts of `all`.
    package let tensors: [String: Tensor]
    private let places: [(start: Int, shape: [Int])]

    /// Copies the parameters' values.
    package init(_ parameters: [Parameter]) {
        var places = [(start: Int, shape: [Int])](repeating: (0, []), count: parameters.count)
        var next = 0
        var decaying = 0
        for decays in [true, false] {
            for (index, parameter) in parameters.enumerated() where (parameter.value.shape.count > 1) == decays {
                places[index] = (next, parameter.value.shape)
                // Whole cache lines; the room between stays zero.
                next += (parameter.value.count + 15) / 16 * 16
            }
            if decays { decaying = next }
        }
        let all = Tensor(repeating: 0, shape: [next])
        var tensors: [String: Tensor] = [:]
        for (parameter, place) in zip(parameters, places) {
            let part = all.part(from: place.start, shape: place.shape)
            part.pointer.update(from: parameter.value.pointer, count: part.count)
            tensors[parameter.name] = part
        }
        self.all = all
        self.places = places
        self.tensors = tensors
        halves = Self.halves(of: all, decaying: decaying).map {
            var half = $0
            half.variable = Variable()
            return half
        }
    }

    /// The parts of a block of this layout: one a parameter, in order.
    package func parts(of block: Tensor) -> [Tensor] { places.map { block.part(from: $0.start, shape: $0.shape) } }

    /// The parts of two halves, one a parameter.
    func parts(of halves: [Tensor]) -> [Tensor] {
        let decaying = halves[0].count
        return places.map { place in
            place.start < decaying
                ? halves[0].part(from: place.start, shape: place.shape)
                : halves[1].part(from: place.start - decaying, shape: place.shape)
        }
    }

    /// Gives the halves their gradients, a block of the same layout.
    func receive(_ gradient: Tensor) {
        for (half, part) in zip(halves, Self.halves(of: gradient, decaying: halves[0].count)) {
            half.variable?.receive(part)
        }
    }

    private static func halves(of block: Tensor, decaying: Int) -> [Tensor] {
        [
            block.part(from: 0, shape: [decaying, 1]),
            block.part(from: decaying, shape: [block.count - decaying]),
        ]
    }
}
