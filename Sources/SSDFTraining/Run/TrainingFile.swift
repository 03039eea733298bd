import SSDFCore
import SSDFNeural

/// A configuration file of `ssdf-train`: the model's components, and how they are trained.
package struct TrainingFile: Sendable {
    /// The components, read and checked.
    package let model: ModelConfig
    /// The components' sections.
    package let components: ConfigNode
    private let sections: [(key: String, node: ConfigNode)]

    /// The sections that `training` may have: one a network that is trained.
    package static let sectionNames = ["vae", "structure", "dense_dit", "sparse_dit"]

    /// - Throws: `badData` with line and key.
    package init(yaml: String) throws(Failure) {
        let root = try ConfigNode(yaml: yaml)
        guard case .map(let pairs) = root.value else { throw .badData("no mapping", expected: "a configuration") }
        components = ConfigNode(value: .map(pairs.filter { $0.key != "training" }), line: root.line)
        model = try ModelConfig(components)
        var sections: [(key: String, node: ConfigNode)] = []
        if let training = root["training"] {
            var reader = try ConfigReader(training, path: "training")
            for name in Self.sectionNames {
                if let node = reader.node(name) { sections.append((name, node)) }
            }
            if let key = reader.unread.first {
                throw .badData(
                    place: "training.\(key)", "an unknown section",
                    expected: Self.sectionNames.joined(separator: ", "))
            }
        }
        self.sections = sections
    }

    /// What `training` says about a network; nothing when it has no such section.
    package func section(_ name: String) throws(Failure) -> ConfigReader {
        let node = sections.first { $0.key == name }?.node ?? ConfigNode(value: .map([]), line: 0)
        return try ConfigReader(node, path: "training.\(name)")
    }

    /// The first component of a kind, by its name.
    package func component<Config>(
        _ kind: String, where select: (ComponentConfig) -> Config?
    ) throws(Failure) -> (name: String, config: Config) {
        for component in model.components {
            if let config = select(component.config) { return (component.name, config) }
        }
        throw .badData("no \(kind) among the components", expected: "one")
    }

    /// Identifies what a run depends on: the components, its section, whatever else the file holds, and the data.
    /// - Parameter data: what identifies the data; empty when the section does.
    package func fingerprint(of section: String, data: String = "") -> String {
        let text = components.yaml() + (sections.first { $0.key == section }?.node.yaml() ?? "") + data
        return contentHash(Array(text.utf8))
    }
}

private func contentHash(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { contentHash($0) } }
