import SSDFCore

/// What a model is made of: its `config.yaml`.
package struct ModelConfig: Sendable {
    /// One part: its key in the file, and its configuration.
    package struct Component: Sendable {
        /// Its key in the file: "sparse_dit_512".
        package var name: String
        /// What it is, and its sizes.
        package var config: ComponentConfig
    }

    /// In the order of the file.
    package var components: [Component]
    /// Keys that have no meaning here, as "sparse_vae_512.params.use_checkpoint".
    package var notes: [String]

    /// Reads the text of a `config.yaml`.
    /// - Throws: `badData` with line and key.
    package init(yaml: String) throws(Failure) {
        try self.init(ConfigNode(yaml: yaml))
    }

    /// - Throws: `badData` naming the line and the key that is missing, unknown or out of range.
    package init(_ root: ConfigNode) throws(Failure) {
        var top = try ConfigReader(root, path: "configuration")
        components = []
        notes = []
        for key in top.keys {
            guard let node = top.node(key), case .map = node.value else {
                notes.append(key)
                continue
            }
            guard Self.isFileName(key) else {
                throw .badData(
                    place: "line \(node.line)", "component \"\(key)\"", expected: "letters, digits and underscores")
            }
            var component = try ConfigReader(node, path: key)
            let target = try component.string("target")
            let path = key + ".params"
            var params: ConfigReader
            if let given = component.node("params") {
                params = try ConfigReader(given, path: path)
            } else {
                params = try ConfigReader(ConfigNode(value: .map([]), line: node.line), path: path)
            }
            components.append(Component(name: key, config: try ComponentConfig(target: target, &params)))
            notes += component.unread.map { "\(key).\($0)" } + params.unread.map { "\(path).\($0)" }
        }
        guard !components.isEmpty else { throw .badData("no components", expected: "at least one") }
    }

    /// The part of that name, or nil.
    package subscript(name: String) -> ComponentConfig? { components.first { $0.name == name }?.config }

    /// A component's name becomes a file's name.
    private static func isFileName(_ name: String) -> Bool {
        1...64 ~= name.utf8.count
            && name.utf8.allSatisfy { $0 == 0x5f || 0x30...0x39 ~= $0 || 0x61...0x7a ~= $0 | 0x20 }
    }
}
