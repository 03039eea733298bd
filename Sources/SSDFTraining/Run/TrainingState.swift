import SSDFCore
import SSDFNeural
import SSDFTensor

/// Everything that the next step of a training run depends on besides its configuration: weights, the optimiser's
/// moments, the moving average, and how many steps are done. Written and read without loss, so that a run that was
/// stopped continues to the same bytes.
package final class TrainingState {
    package let parameters: [Parameter]
    package let optimizer: AdamW
    package let average: MovingAverage
    /// Identifies the configuration: a run goes on only with the one that it was started with.
    package let fingerprint: String

    package init(parameters: [Parameter], options: AdamW.Options, decay: Double, fingerprint: String) {
        self.parameters = parameters
        optimizer = AdamW(parameters.map(\.value), options: options)
        average = MovingAverage(parameters.map(\.value), decay: decay)
        self.fingerprint = fingerprint
    }

    package var step: Int { optimizer.stepCount }

    private var parts: [(name: String, tensors: [Tensor])] {
        [
            ("weight", parameters.map(\.value)), ("first", optimizer.firstMoments),
            ("second", optimizer.secondMoments), ("average", average.averages),
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

    /// Writes the averaged weights as a network's file.
    package func writeAverages(type: ElementType, metadata: [String: String] = [:], to sink: ByteSink) throws(Failure) {
        var tensors: [String: Tensor] = [:]
        for (parameter, tensor) in zip(parameters, average.averages) { tensors[parameter.name] = tensor }
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
