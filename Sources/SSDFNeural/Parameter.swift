import SSDFCore
import SSDFTensor

/// A trained tensor of a layer, under its name in the state dictionary.
package final class Parameter: Sendable {
    /// Its name in the state dictionary.
    package let name: String
    /// The values, with a variable that gathers their gradient.
    package let value: Tensor

    /// A tensor that is to be trained, without a gradient yet.
    package init(name: String, value: Tensor) {
        self.name = name
        var value = value
        value.variable = Variable()
        self.value = value
    }

    /// The gradient gathered since it was last reset, or nil.
    package var gradient: Tensor? { value.variable?.gradient }
}

/// Where layers get their parameters from when they are made: a checkpoint, a dictionary, or random numbers.
///
/// A source hands out names below a prefix; every parameter handed out is noted in `registry`, in order.
package struct ParameterSource {
    /// The parameters handed out so far, for optimisers and for reports.
    package final class Registry {
        /// In the order in which layers asked for them.
        package private(set) var parameters: [Parameter] = []
        fileprivate func add(_ parameter: Parameter) { parameters.append(parameter) }
        /// Nothing handed out yet.
        package init() {}
    }

    /// The names that lead here, with dots between; empty at the top.
    package let prefix: String
    /// Where what is handed out is noted, shared by all sources below one.
    package let registry: Registry
    private let fetch: (_ name: String, _ shape: [Int]) throws(Failure) -> Tensor

    /// - Parameter fetch: the tensor of a full name, which must have the given shape.
    package init(fetch: @escaping (_ name: String, _ shape: [Int]) throws(Failure) -> Tensor) {
        self.init(prefix: "", registry: Registry(), fetch: fetch)
    }

    private init(
        prefix: String, registry: Registry, fetch: @escaping (String, [Int]) throws(Failure) -> Tensor
    ) {
        self.prefix = prefix
        self.registry = registry
        self.fetch = fetch
    }

    /// A source of given tensors.
    package init(tensors: [String: Tensor]) {
        self.init { name, shape throws(Failure) in
            guard let tensor = tensors[name] else {
                throw Failure(.badData, "tensor \"\(name)\" is missing, expected one of shape \(shape)")
            }
            guard tensor.shape == shape else {
                throw .badData("tensor \"\(name)\" has shape \(tensor.shape)", expected: "\(shape)")
            }
            return tensor
        }
    }

    /// A source of random numbers: weights uniform in ±1/√(fan in), biases and shifts zero, scales one. For training
    /// from nothing and for timing.
    package static func random(seed: UInt64) -> ParameterSource {
        ParameterSource { name, shape throws(Failure) in
            let isBias = name.hasSuffix("bias")
            let isScale = name.hasSuffix("gamma") || (name.hasSuffix("weight") && shape.count == 1)
            if isBias || isScale { return Tensor(repeating: isScale ? 1 : 0, shape: shape) }
            // A kernel is [taps, in, out] or [in, out]; a weight is [out, in, ...].
            let count = shape.reduce(1, *)
            let fanIn = name.hasSuffix("kernel") ? count / shape[shape.count - 1] : count / max(shape[0], 1)
            let bound = 1 / Float(max(fanIn, 1)).squareRoot()
            var generator = Philox(
                seed: seed,
                stream: name.utf8.reduce(14_695_981_039_346_656_037) {
                    ($0 ^ UInt64($1)) &* 1_099_511_628_211
                })
            let values = (0..<count).map { _ in Float(generator.uniform() * 2 - 1) * bound }
            return Tensor(values, shape: shape)
        }
    }

    /// The source of the names below `name`.
    package func scoped(_ name: String) -> ParameterSource {
        ParameterSource(prefix: prefix.isEmpty ? name : "\(prefix).\(name)", registry: registry, fetch: fetch)
    }

    /// The parameter `name` below this source's prefix.
    /// - Throws: `badData` when it is missing or has another shape.
    package func parameter(_ name: String, _ shape: [Int]) throws(Failure) -> Parameter {
        let fullName = prefix.isEmpty ? name : "\(prefix).\(name)"
        let parameter = Parameter(name: fullName, value: try fetch(fullName, shape))
        registry.add(parameter)
        return parameter
    }
}
