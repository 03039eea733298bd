import SSDFCore
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What to import, and how.
package struct ModelImportOptions: Sendable {
    /// Weights of the image encoder: DINOv2's own checkpoint, or safetensors with the same names. Nil leaves it out.
    package var imageEncoder: String?
    /// The type to store weights as; nil keeps each as it is.
    package var type: ElementType?
    /// Whether components whose file is missing are left out, rather than being an error.
    package var allowsMissing = false

    /// The defaults: everything that is there, as it is.
    package init() {}
}

/// The import of released weights into a model folder.
///
/// Opening it reads the configuration and every checkpoint's table of contents, and compares all tensors with what the
/// configuration asks for: what cannot be imported is refused before anything is written. Writing then streams tensor by
/// tensor.
package final class ModelImport {
    /// A file to be written.
    package struct OutputFile {
        /// Its name in the model folder.
        package let name: String
        /// Length in bytes.
        package let byteCount: Int
        fileprivate let writer: SafetensorsWriter
        fileprivate let source: any WeightSource
        /// Index of each of the writer's items in the source.
        fileprivate let indices: [Int]
    }

    /// The configuration of the release.
    package let config: ModelConfig
    /// The configuration's bytes; the model keeps them as they are.
    package let configBytes: [UInt8]
    /// The files of weights, in the order of the configuration.
    package private(set) var files: [OutputFile] = []
    /// What was left out and why, and what the configuration says without effect.
    package private(set) var notes: [String] = []

    private let folder: String
    private let options: ModelImportOptions
    private var sources: [String: any WeightSource] = [:]
    private var digests: [(name: String, digest: String)] = []

    /// - Parameter folder: config.yaml and the checkpoints beside it, as released.
    /// - Throws: `noInput` naming all files that are missing; `badData` when one is malformed or does not fit.
    package init(folder: String, options: ModelImportOptions) throws(Failure) {
        precondition(options.type?.isWeight != false, "not a type for weights")
        self.folder = folder
        self.options = options
        let path = "\(folder)/\(ReleasedModel.configurationName)"
        config = try configuration(path: path)
        let file = try FileBytes(path: path)
        configBytes = try file.withBytes { bytes throws(Failure) in Array(bytes) }
        notes = config.notes.map { "\(ReleasedModel.configurationName): \($0) has no effect" }
        try checkFiles()
        for component in config.components where !component.config.expectedTensors.isEmpty {
            try plan(component)
        }
        guard !files.isEmpty else { throw Failure(.noInput, file: folder, "no weights to import") }
        noteUnused()
    }

    /// Bytes of all files of weights.
    package var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

    /// What writing takes: a piece of a tensor where it lies, another where its type changes, what is unpacked.
    package var memory: MemoryEstimate {
        var (piece, converted, unpacked) = (0, 0, 0)
        for file in files {
            for (item, index) in zip(file.writer.items, file.indices) {
                let weight = file.source.weights[index]
                let count = weight.shape.reduce(1, *)
                piece = max(piece, min(count * weight.type.byteCount, largestPiece))
                guard weight.type != item.type else { continue }
                converted = max(converted, min(count, largestPiece / weight.type.byteCount) * item.type.byteCount)
            }
            unpacked = max(unpacked, file.source.unpackedBytes)
        }
        return MemoryEstimate(bytes: converted + unpacked + (4 << 20), mapped: piece)
    }

    /// Writes one file.
    /// - Parameter wrote: told the bytes of each piece.
    /// - Throws: `badData` when the source turns out to be damaged or a weight does not fit the type asked for; what the
    ///   sink throws.
    package func write(
        _ file: OutputFile, to sink: ByteSink, wrote: (Int) -> Void = { _ in }
    ) throws(Failure) {
        var hasher = ContentHasher()
        func hashing(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
            hasher.update(bytes)
            try sink(bytes)
            wrote(bytes.count)
        }
        var writer = file.writer
        try writer.writeHeader(to: hashing)
        for (item, index) in zip(writer.items, file.indices) {
            let stored = file.source.weights[index].type
            do {
                try file.source.forEachPiece(ofWeight: index) { (piece) throws(Failure) in
                    if stored == item.type {
                        try writer.write(piece, to: hashing)
                    } else {
                        try convert(piece, from: stored, to: item.type) { (converted) throws(Failure) in
                            try writer.write(converted, to: hashing)
                        }
                    }
                }
            } catch {
                if error.place.isEmpty, error.cause == .badData {
                    throw Failure(
                        error.cause, file: file.source.name, place: "tensor \"\(item.name)\"", error.message)
                }
                throw error
            }
        }
        guard writer.isComplete() else { throw Failure(.internal, file: file.name, "not all tensors were written") }
        digests.append((file.name, hasher.digest()))
    }

    /// The text of `SHA256SUMS`, once all files are written.
    package var checksums: String {
        let copy = Buffer(configBytes)
        var hasher = ContentHasher()
        hasher.update(UnsafeRawBufferPointer(copy.unsafeElements))
        return checksumText(digests + [(ReleasedModel.configurationName, hasher.digest())])
    }

    // MARK: Planning

    /// Names everything that is missing at once: a download can then be completed in one go.
    private func checkFiles() throws(Failure) {
        var missing: [String] = []
        for component in config.components where !component.config.expectedTensors.isEmpty {
            guard let place = ReleasedModel.place(of: component.name) else { continue }
            if access("\(folder)/\(place.file)", F_OK) != 0, !missing.contains(place.file) {
                missing.append(place.file)
            }
        }
        guard missing.isEmpty || options.allowsMissing else {
            throw Failure(.noInput, file: folder, "no \(missing.joined(separator: ", ")), which config.yaml needs")
        }
        notes += missing.map { "\($0) is missing: its components are left out" }
    }

    private func plan(_ component: ModelConfig.Component) throws(Failure) {
        if case .imageEncoder = component.config {
            guard let path = options.imageEncoder else {
                notes.append("\(component.name) is left out: no image encoder was given")
                return
            }
            let name = ModelDirectory.imageEncoderName + ".safetensors"
            let others = config.components.filter { if case .imageEncoder = $0.config { true } else { false } }
            guard others.allSatisfy({ $0.config.expectedTensors == component.config.expectedTensors }) else {
                throw .badData(
                    file: folder, place: component.name, "image encoders of different sizes", expected: "one for all")
            }
            if !files.contains(where: { $0.name == name }) {
                try plan(component, from: try open(path), under: [], as: name)
            }
            return
        }
        guard let place = ReleasedModel.place(of: component.name) else {
            throw .badData(
                file: folder, place: component.name, "a component that no released checkpoint holds",
                expected:
                    "one of \(ReleasedModel.files.flatMap { $0.components.map(\.component) }.joined(separator: ", "))")
        }
        let path = "\(folder)/\(place.file)"
        guard access(path, F_OK) == 0 else { return }
        try plan(component, from: try open(path), under: [place.key], as: component.name + ".safetensors")
    }

    private func open(_ path: String) throws(Failure) -> any WeightSource {
        if let source = sources[path] { return source }
        let source = try openWeights(path: path)
        sources[path] = source
        return source
    }

    private func plan(
        _ component: ModelConfig.Component, from source: any WeightSource, under prefix: [String], as name: String
    ) throws(Failure) {
        var found: [(name: String, type: ElementType, shape: [Int])] = []
        var indexOfName: [String: Int] = [:]
        for (index, weight) in source.weights.enumerated() where weight.path.starts(with: prefix) {
            let name = weight.path.dropFirst(prefix.count).joined(separator: ".")
            guard indexOfName.updateValue(index, forKey: name) == nil else {
                throw .badData(file: source.name, place: "tensor \"\(name)\"", "two of this name", expected: "one")
            }
            found.append((name, weight.type, weight.shape))
        }
        guard !found.isEmpty else {
            throw .badData(
                file: source.name, "no tensors under \"\(prefix.joined(separator: "."))\"", expected: component.name)
        }
        var shapes: [String: [Int]] = [:]
        for tensor in found { shapes[tensor.name] = tensor.shape }
        let expected = component.config.adapted { shapes[$0] }.expectedTensors
        let comparison = TensorComparison(expected: expected, found: found)
        guard comparison.isEmpty else {
            throw Failure(
                .badData, file: source.name, place: component.name,
                "tensors do not fit the configuration: \(comparison.summary)")
        }
        let writer = try SafetensorsWriter(
            items: found.map { SafetensorsWriter.Item(name: $0.name, type: options.type ?? $0.type, shape: $0.shape) },
            metadata: [
                "component": component.name, "class": component.config.className, "format": "pt",
                "license": ReleasedModel.license(of: component.config),
            ])
        let indices = writer.items.map { indexOfName[$0.name]! }
        files.append(
            OutputFile(name: name, byteCount: writer.byteCount, writer: writer, source: source, indices: indices))
    }

    /// Says what the checkpoints hold besides the components.
    private func noteUnused() {
        for (path, source) in sources.sorted(by: { $0.key < $1.key }) where path != options.imageEncoder {
            let keys = Set(ReleasedModel.files.flatMap { $0.components.map(\.key) })
            let others = Set(source.weights.compactMap { $0.path.first }).subtracting(keys).sorted()
            notes += others.map { "\(source.name): \($0) is left out" }
        }
    }
}

/// Converts elements by way of f32, piece by piece.
/// - Throws: `badData` when a finite weight is too large for the type.
private func convert(
    _ bytes: UnsafeRawBufferPointer, from: ElementType, to: ElementType,
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
) throws(Failure) {
    let count = bytes.count / from.byteCount
    let part = 1 << 18
    let values = Buffer<Float>(uninitialized: min(part, count))
    let converted = Buffer<UInt8>(uninitialized: values.count * to.byteCount)
    var start = 0
    while start < count {
        let length = min(part, count - start)
        let source = UnsafeRawBufferPointer(
            rebasing: bytes[start * from.byteCount..<(start + length) * from.byteCount])
        try convertToFloat(source, type: from, into: values.unsafeElements)
        let floats = UnsafeBufferPointer(rebasing: values.unsafeElements[..<length])
        if let large = floats.first(where: { abs($0) > largest(of: to) }) {
            throw .badData("weight \(large)", expected: "at most \(largest(of: to)) to be stored as \(to.rawValue)")
        }
        let target = UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(converted.unsafeElements)[..<(length * to.byteCount)])
        convertFromFloat(floats, type: to, into: target)
        try body(UnsafeRawBufferPointer(target))
        start += length
    }
}

/// The largest magnitude that does not round to infinity, for weights that passed through f32.
private func largest(of type: ElementType) -> Float {
    switch type {
    case .f16: Float(65520).nextDown
    case .bf16: Float(bitPattern: 0x7f7f_7fff)
    default: .greatestFiniteMagnitude
    }
}
