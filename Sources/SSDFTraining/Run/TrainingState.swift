import SSDFCore
import SSDFNeural
import SSDFTensor

/// Everything that the next step of a training run depends on besides its configuration: weights, the optimiser's
/// moments, the moving average, and how many steps are done. Written and read without loss, so that a run that was
/// stopped continues to the same bytes.
package final class TrainingState {
    /// The network's parameters, in the order of its layers.
    package let parameters: [Parameter]
    /// The optimiser with its moments.
    package let optimizer: AdamW
    /// The moving average of the weights, which becomes the model.
    package let average: MovingAverage
    /// Identifies the configuration: a run goes on only with the one that it was started with.
    package let fingerprint: String
    private let weights: FlatParameters

    /// - Parameters:
    ///   - parameters: the network's, whose values lie in `weights`.
    ///   - decay: of the moving average.
    package init(
        parameters: [Parameter], weights: FlatParameters, options: AdamW.Options, decay: Double, fingerprint: String
    ) {
        self.parameters = parameters
        self.weights = weights
        optimizer = AdamW(weights.halves, options: options)
        average = MovingAverage(weights.halves, decay: decay)
        self.fingerprint = fingerprint
    }

    /// The state of a network whose gradients are gathered in batches.
    package convenience init<Network>(
        _ gradients: BatchGradients<Network>, _ config: OptimizationConfig, fingerprint: String
    ) {
        self.init(
            parameters: gradients.parameters, weights: gradients.weights, options: config.optimizer,
            decay: config.average, fingerprint: fingerprint)
    }

    /// Moves the weights by the gradients they were given, and the average after them.
    /// - Returns: the gradient's norm and the rate.
    package func advance(_ config: OptimizationConfig, _ compute: Compute) -> (norm: Double, rate: Double) {
        let rate = config.schedule.rate(at: step)
        let norm = optimizer.gradientNorm(compute)
        optimizer.step(
            rate: Float(rate), gradientScale: AdamW.clipScale(norm: norm, limit: config.clip), compute)
        for parameter in parameters { parameter.value.noteChange() }
        average.update(from: weights.halves, compute)
        return (norm, rate)
    }

    /// The averaged weights by the names of their parameters.
    package var averages: [(name: String, tensor: Tensor)] {
        zip(parameters, weights.parts(of: average.averages)).map { ($0.name, $1) }
    }

    /// Steps done.
    package var step: Int { optimizer.stepCount }

    private var parts: [(name: String, tensors: [Tensor])] {
        [
            ("weight", parameters.map(\.value)), ("first", weights.parts(of: optimizer.firstMoments)),
            ("second", weights.parts(of: optimizer.secondMoments)),
            ("average", weights.parts(of: average.averages)),
        ]
    }

    /// Writes the state as safetensors, f32.
    package func write(to sink: ByteSink) throws(Failure) {
        var tensors: [String: Tensor] = [:]
        for (part, list) in parts {
            for (parameter, tensor) in zip(parameters, list) { tensors["\(part).\(parameter.name)"] = tensor }
        }
        try writeTensors(
            tensors, type: .f32,
            metadata: [
                "format": "ssdf-training-1", "step": "\(optimizer.stepCount)", "average_step": "\(average.stepCount)",
                "configuration": fingerprint,
            ], to: sink)
    }

    /// Takes the state of a file.
    /// - Throws: `badData` when it is of another configuration, or lacks a tensor.
    package func read(path: String) throws(Failure) {
        let file = try SafetensorsFile(path: path)
        var metadata: [String: String] = [:]
        for (key, value) in file.header.metadata { metadata[key] = value }
        guard metadata["format"] == "ssdf-training-1", let step = metadata["step"].flatMap(Int.init),
            let averageStep = metadata["average_step"].flatMap(Int.init), step >= 0, averageStep >= 0
        else { throw .badData(file: path, "a file without a training run's metadata", expected: "a checkpoint") }
        guard metadata["configuration"] == fingerprint else {
            throw .badData(file: path, "a run of another configuration", expected: "the one given")
        }
        for (part, list) in parts {
            for (parameter, tensor) in zip(parameters, list) {
                let name = "\(part).\(parameter.name)"
                guard let entry = file.entry(name), entry.type == .f32, entry.shape == tensor.shape else {
                    throw .badData(
                        file: path, place: "tensor \"\(name)\"", "missing or of another shape",
                        expected: "\(tensor.shape)")
                }
                try file.readFloats(
                    of: entry, into: UnsafeMutableBufferPointer(start: tensor.pointer, count: tensor.count))
                tensor.noteChange()
            }
        }
        optimizer.stepCount = step
        average.stepCount = averageStep
    }

    /// Lets something replace the whole state in memory, part by part in a fixed order.
    func overwrite(_ replace: (UnsafeMutableRawBufferPointer) -> Void) {
        for (_, list) in parts {
            for tensor in list {
                replace(UnsafeMutableRawBufferPointer(start: tensor.pointer, count: 4 * tensor.count))
                tensor.noteChange()
            }
        }
        var counts = [Int64(optimizer.stepCount), Int64(average.stepCount)]
        counts.withUnsafeMutableBytes { replace($0) }
        optimizer.stepCount = Int(counts[0])
        average.stepCount = Int(counts[1])
    }

    /// Writes the averaged weights whose names begin with `prefix` as a network's file, without the prefix.
    package func writeAverages(
        prefix: String = "", type: ElementType, metadata: [String: String] = [:], to sink: ByteSink
    ) throws(Failure) {
        var tensors: [String: Tensor] = [:]
        for (name, tensor) in averages where name.hasPrefix(prefix) {
            tensors[String(name.dropFirst(prefix.count))] = tensor
        }
        try writeTensors(tensors, type: type, metadata: metadata, to: sink)
    }
}

/// Writes tensors as a safetensors file.
package func writeTensors(
    _ tensors: [String: Tensor], type: ElementType, metadata: [String: String], to sink: ByteSink
) throws(Failure) {
    var writer = try SafetensorsWriter(
        items: tensors.map { SafetensorsWriter.Item(name: $0.key, type: type, shape: $0.value.shape) },
        metadata: metadata)
    try writer.writeHeader(to: sink)
    for item in writer.items {
        let tensor = tensors[item.name]!
        let bytes = Buffer<UInt8>(uninitialized: tensor.count * type.byteCount)
        convertFromFloat(tensor.elements, type: type, into: UnsafeMutableRawBufferPointer(bytes.unsafeElements))
        try writer.write(UnsafeRawBufferPointer(bytes.unsafeElements), to: sink)
    }
}
