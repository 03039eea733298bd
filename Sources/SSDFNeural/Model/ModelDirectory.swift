import SSDFCore
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A model on disk: a folder of `config.yaml`, a safetensors file for each network, and `SHA256SUMS`.
///
/// A network's file is named after its component. The image encoders of a model share `image_encoder.safetensors`
/// unless one has a file of its own.
package struct ModelDirectory: Sendable {
    /// The folder.
    package let path: String
    /// What its `config.yaml` says.
    package let config: ModelConfig

    /// The checksums of the files, in the form that sha256sum(1) checks.
    package static let checksumsName = "SHA256SUMS"
    /// The file that image encoders share.
    package static let imageEncoderName = "image_encoder"

    /// Opens a model folder by its configuration; weights are opened when they are asked for.
    /// - Throws: `unavailable` when there is no such folder or no configuration in it; `badData` when that is malformed.
    package init(path: String) throws(Failure) {
        self.path = path
        let name = "\(path)/\(ReleasedModel.configurationName)"
        guard access(name, R_OK) == 0 else {
            throw Failure(
                .unavailable, file: path,
                "is not a model folder: no readable config.yaml; \(ReleasedModel.instructions)")
        }
        config = try configuration(path: name)
    }

    /// The file in which the weights of a component are, or are to be; nil for a component without weights or unknown.
    package func weightsPath(of component: String) -> String? {
        guard let config = config[component], !config.expectedTensors.isEmpty else { return nil }
        let own = "\(path)/\(component).safetensors"
        guard case .imageEncoder = config, access(own, F_OK) != 0 else { return own }
        return "\(path)/\(Self.imageEncoderName).safetensors"
    }

    /// Opens a component's weights and checks that they are exactly those its configuration asks for.
    /// - Throws: `unavailable` when the model has no such component or its file is missing, with where to get it;
    ///   `badData` when tensors are missing, unexpected or of another shape.
    package func open(_ component: String) throws(Failure) -> ModelWeights {
        guard let file = weightsPath(of: component), let config = config[component] else {
            throw Failure(
                .unavailable, file: path,
                "the model has no weights \"\(component)\", only \(self.config.components.map(\.name).joined(separator: ", "))"
            )
        }
        guard access(file, F_OK) == 0 else {
            throw Failure(.unavailable, file: file, "is missing; \(ReleasedModel.instructions)")
        }
        return try ModelWeights(path: file, config: config)
    }

    /// What identifies the model: "sha256:" and the digest of `SHA256SUMS`, which names the digest of the configuration
    /// and of every file of weights, and so their tensors' names, types, shapes and bytes.
    ///
    /// A model without the list is read in full.
    /// - Throws: `unavailable` or `inputOutput` when a file cannot be read.
    package func hash() throws(Failure) -> String {
        let name = "\(path)/\(Self.checksumsName)"
        if access(name, R_OK) == 0 {
            let file = try FileBytes(path: name)
            return try file.withBytes { bytes throws(Failure) in contentHash(bytes) }
        }
        let text = Array(try checksums().utf8)
        let copy = Buffer(text)
        return contentHash(UnsafeRawBufferPointer(copy.unsafeElements))
    }

    /// The text that `SHA256SUMS` should hold, made by reading every file of the model.
    package func checksums() throws(Failure) -> String {
        var digests: [(name: String, digest: String)] = []
        for name in fileNames {
            digests.append((name, try digest(ofFile: "\(path)/\(name)")))
        }
        return checksumText(digests)
    }

    /// The configuration and the files of weights that exist.
    package var fileNames: [String] {
        var names: Set<String> = [ReleasedModel.configurationName]
        for component in config.components {
            if let file = weightsPath(of: component.name), access(file, F_OK) == 0 {
                names.insert(String(file.dropFirst(path.count + 1)))
            }
        }
        return names.sorted()
    }
}

/// A component's open weights, checked against its configuration.
package struct ModelWeights: ~Copyable, Sendable {
    /// The configuration, completed by what only the weights can tell.
    package let config: ComponentConfig
    /// The mapped file of its tensors.
    package let file: SafetensorsFile

    /// - Throws: `badData` when tensors are missing, unexpected or of another shape.
    package init(path: String, config: ComponentConfig) throws(Failure) {
        let file = try SafetensorsFile(path: path)
        let entries = file.entries
        var shapes: [String: [Int]] = [:]
        for entry in entries { shapes[entry.name] = entry.shape }
        let adapted = config.adapted { shapes[$0] }
        let comparison = TensorComparison(
            expected: adapted.expectedTensors, found: entries.map { ($0.name, $0.type, $0.shape) })
        guard comparison.isEmpty else {
            throw Failure(.badData, file: path, "tensors do not fit the configuration: \(comparison.summary)")
        }
        self.config = adapted
        self.file = file
    }
}

/// Reads a configuration file.
/// - Throws: with the file's name.
func configuration(path: String) throws(Failure) -> ModelConfig {
    let file = try FileBytes(path: path)
    let text = try file.withBytes { bytes throws(Failure) in
        guard bytes.count <= ConfigNode.maximumLength else {
            throw .badData(file: path, "\(bytes.count) bytes", expected: "at most \(ConfigNode.maximumLength)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .badData(file: path, "text that is not UTF-8", expected: "UTF-8")
        }
        return text
    }
    do {
        return try ModelConfig(yaml: text)
    } catch {
        throw error.inFile(path)
    }
}

/// SHA-256 of a file, read once from front to back.
func digest(ofFile path: String) throws(Failure) -> String {
    let file = try FileBytes(path: path)
    return try file.withBytes { bytes throws(Failure) in
        var hasher = ContentHasher()
        var position = 0
        while position < bytes.count {
            let end = min(position + largestPiece, bytes.count)
            hasher.update(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
            file.forget(position..<end)
            position = end
        }
        return hasher.digest()
    }
}

/// The form of sha256sum(1): digest, two spaces, name; in the order of the names.
func checksumText(_ digests: [(name: String, digest: String)]) -> String {
    digests.sorted { $0.name < $1.name }.map { "\($0.digest)  \($0.name)\n" }.joined()
}
